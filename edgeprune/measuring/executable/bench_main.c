/*
 * The benchmark executable of an artifact: it proves that the network computes the right thing on this board, then
 * times it there (or runs records of a file through it), and prints one JSON document.
 *
 * Exit codes: 0 done; 2 wrong usage, or something asked for that this board cannot do; 3 the golden check failed (the
 * JSON says where); 4 a file, the standard output or memory failed; 5 the network returned an error code. Messages go
 * to the standard error stream.
 */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_affinity.h"
#include "bench_cold.h"
#include "bench_cooldown.h"
#include "bench_environment.h"
#include "bench_exit.h"
#include "bench_golden.h"
#include "bench_json.h"
#include "bench_model.h"
#include "bench_network.h"
#include "bench_options.h"
#include "bench_profile.h"
#include "bench_records.h"
#include "bench_timing.h"

static const struct edgeprune_bench_model *const model = &edgeprune_bench_model;

/* Cores before threads: a thread inherits the cores of the one that starts it. */
static int prepare(void) {
    int status = options.affinity ? bind_cores(options.affinity) : EXIT_DONE;
    if (status != EXIT_DONE) return status;
    if (options.threads != 1 && !model->set_threads)
        return complain(EXIT_USAGE, "this network was built for one thread; --threads can only be 1", "");
    if (model->set_threads && (status = model->set_threads((int)options.threads)) != 0)
        return complain_of_model(status);
    if (!reserve_network() || !reserve_samples() || (options.cold && !reserve_eviction()))
        return complain(EXIT_IO, "not enough memory", "");
    return EXIT_DONE;
}

static int measure(void) {
    int status;
    if (model->golden_count > 0) set_golden_inputs(0);
    status = warm_up();
    if (status != EXIT_DONE) return status;
    if (options.region) return run_region();
    status = time_inferences();
    return status == EXIT_DONE && options.profile ? profile_steps() : status;
}

static void write_head(void) {
    json_open('{');
    json_key("model"), json_text(model->name);
    json_key("version"), json_text(model->version);
    json_key("threads"), json_unsigned(options.threads);
    json_key("environment"), json_open('{');
    write_identity();
    write_moment("before");
}

static int write_rest(int status, uint64_t records) {
    write_moment("after");
    json_close('}');
    write_check();
    write_samples();
    write_cold();
    write_cooldown();
    write_profile();
    json_key("records"), json_unsigned(records);
    json_close('}');
    return json_end() == 0 ? status : complain(EXIT_IO, "cannot write to the standard output", "");
}

int main(int count, char **words) {
    uint64_t records = 0;
    int status = parse_options(count, words);
    if (status != EXIT_DONE || (status = prepare()) != EXIT_DONE) return status;
    status = check_golden();
    if (status == EXIT_DONE) status = cool_down();
    if (status != EXIT_DONE && status != EXIT_MISMATCH) return status;
    write_head();
    if (status == EXIT_DONE && options.input) status = run_file(&records);
    else if (status == EXIT_DONE && !options.check_only) status = measure();
    if (status == EXIT_MISMATCH) complain(status, "the golden check failed: this binary computes wrong values here", "");
    return status == EXIT_DONE || status == EXIT_MISMATCH ? write_rest(status, records) : status;
}
