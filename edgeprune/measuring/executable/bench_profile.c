#include "bench_profile.h"

#include <stddef.h>
#include <stdint.h>

#include "bench_clock.h"
#include "bench_exit.h"
#include "bench_json.h"
#include "bench_model.h"
#include "bench_network.h"
#include "bench_options.h"

#define LEAST_RUNS 3u
#define LONGEST UINT64_C(10000000000) /* a slow network is profiled for ten seconds, then with fewer runs */

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

static struct {
    uint32_t *nanoseconds; /* one row of `steps` per run */
    uint64_t runs, last;
} profile;

static void step_done(int step) {
    uint64_t time = now(), spent = time - profile.last;
    profile.nanoseconds[profile.runs * (uint64_t)model->steps + (uint64_t)step] =
        spent > UINT32_MAX ? UINT32_MAX : (uint32_t)spent;
    profile.last = now();
}

int profile_steps(void) {
    uint64_t start = now();
    if (!model->run_profiled) return complain(EXIT_USAGE, "this executable was built without --profile", "");
    if (options.profile > SIZE_MAX / sizeof(uint32_t) / ((size_t)model->steps + 1)) return complain(EXIT_IO, "not enough memory", "");
    profile.nanoseconds = reserve((size_t)options.profile * (size_t)model->steps * sizeof(uint32_t));
    if (!profile.nanoseconds) return complain(EXIT_IO, "not enough memory", "");
    while (profile.runs < options.profile && (profile.runs < LEAST_RUNS || now() - start < LONGEST)) {
        int status;
        profile.last = now();
        status = model->run_profiled(network.arena, (const float *const *)network.inputs, network.outputs, step_done);
        if (status != 0) return complain_of_model(status);
        profile.runs++;
    }
    return EXIT_DONE;
}

void write_profile(void) {
    json_key("profile");
    if (!profile.runs) {
        json_text(NULL);
        return;
    }
    json_open('[');
    for (uint64_t step = 0; step < (uint64_t)model->steps; step++) {
        json_open('{');
        json_key("step"), json_text(model->step_names[step]);
        json_key("samples_ns"), json_open('[');
        for (uint64_t run = 0; run < profile.runs; run++)
            json_unsigned(profile.nanoseconds[run * (uint64_t)model->steps + step]);
        json_close(']'), json_close('}');
    }
    json_close(']');
}
