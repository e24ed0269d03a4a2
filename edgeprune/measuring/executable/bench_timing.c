#define _GNU_SOURCE
#include "bench_timing.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "bench_clock.h"
#include "bench_cold.h"
#include "bench_cores.h"
#include "bench_exit.h"
#include "bench_json.h"
#include "bench_network.h"
#include "bench_options.h"

#define REGION_OPTION 0x45505231 /* "EPR1": no kernel knows it, so that it does nothing but mark the place */
#define MOST_SAMPLES (SIZE_MAX / sizeof(uint64_t))
/* The core is asked for so rarely because asking is a system call on some boards. */
#define CORE_EVERY 64u
/*
 * Where the stack lies is chosen by the kernel at random for every process, and kernels keep buffers on it: whether they
 * cross cache lines, or share their low address bits with other data, makes LeNet-5 up to a fifth slower from one start
 * to the next (Mytkowicz et al., Producing Wrong Data Without Doing Anything Obviously Wrong, ASPLOS 2009). So a few
 * inferences at a time run at another depth of the stack, in steps of its alignment over a page: the samples are of
 * all places, and repeated runs agree. 99 steps at a time, as that visits every place and the four within a line in turn.
 */
#define AT_ONE_PLACE 5u
#define STACK_ALIGNMENT 16u
#define STACK_SPAN 4096u
#define STACK_STEP (99u * STACK_ALIGNMENT)

static struct {
    uint64_t *nanoseconds;
    uint64_t count, room, elapsed, elapsed_raw, backwards, warmup;
    cpu_set_t cores;
} samples;

int reserve_samples(void) {
    samples.room = options.samples;
    if (samples.room > MOST_SAMPLES) return 0;
    samples.nanoseconds = reserve((size_t)samples.room * sizeof(uint64_t));
    return samples.nanoseconds != NULL;
}

static int make_room(void) {
    size_t bytes = (size_t)samples.room * sizeof(uint64_t);
    void *larger = MAP_FAILED;
    if (samples.room <= MOST_SAMPLES / 2) larger = mremap(samples.nanoseconds, bytes, 2 * bytes, MREMAP_MAYMOVE);
    if (larger == MAP_FAILED) return 0;
    samples.nanoseconds = larger;
    samples.room *= 2;
    return 1;
}

static void note_core(void) {
    int core = sched_getcpu();
    if (core >= 0 && core < CPU_SETSIZE) CPU_SET((size_t)core, &samples.cores);
}

int warm_up(void) {
    uint64_t start = now();
    int status;
    while (samples.warmup < options.warmup || now() - start < options.warmup_nanoseconds) {
        if ((status = infer()) != 0) return complain_of_model(status);
        samples.warmup++;
    }
    return EXIT_DONE;
}

/* A clock that went backwards must not make an elapsed time of centuries. */
static uint64_t since(uint64_t start, uint64_t end) { return end < start ? 0 : end - start; }

static int is_enough(void) { return samples.count >= options.samples && samples.elapsed >= options.nanoseconds; }

static int time_one(uint64_t start) {
    uint64_t before, after;
    int status;
    if (samples.count == samples.room && !make_room())
        return complain(EXIT_IO, "no memory for more samples", "");
    if (options.cold) evict_caches();
    before = now();
    status = infer();
    after = now();
    if (status != 0) return complain_of_model(status);
    if (after < before) samples.backwards++;
    if (samples.count % CORE_EVERY == 0) note_core();
    samples.nanoseconds[samples.count++] = since(before, after);
    samples.elapsed = since(start, after);
    return EXIT_DONE;
}

/* The array is written to so that no compiler leaves it out. */
static int time_some(uint64_t start, size_t deeper) {
    volatile unsigned char room[deeper];
    int status = EXIT_DONE;
    room[0] = 0;
    for (unsigned int number = 0; number < AT_ONE_PLACE && !is_enough() && status == EXIT_DONE; number++)
        status = time_one(start);
    room[deeper - 1] = 0;
    return status;
}

int time_inferences(void) {
    uint64_t start = now(), raw_start = raw_now();
    size_t place = 0;
    int status = EXIT_DONE;
    while (!is_enough() && status == EXIT_DONE) {
        status = time_some(start, STACK_ALIGNMENT + place);
        place = (place + STACK_STEP) % STACK_SPAN;
    }
    samples.elapsed = since(start, now());
    samples.elapsed_raw = since(raw_start, raw_now());
    return status;
}

int run_region(void) {
    int status;
    prctl(REGION_OPTION, 1UL, 0UL, 0UL, 0UL);
    status = infer();
    prctl(REGION_OPTION, 0UL, 0UL, 0UL, 0UL);
    return status == 0 ? EXIT_DONE : complain_of_model(status);
}

void write_samples(void) {
    char cores[256];
    describe_cores(&samples.cores, cores, sizeof cores);
    json_key("samples_ns"), json_open('[');
    for (uint64_t index = 0; index < samples.count; index++) json_unsigned(samples.nanoseconds[index]);
    json_close(']');
    json_key("warmup"), json_unsigned(samples.warmup);
    json_key("cores_used"), json_text(cores[0] ? cores : NULL);
    json_key("clock"), json_open('{');
    json_key("elapsed_ns"), json_unsigned(samples.elapsed);
    json_key("elapsed_raw_ns"), json_unsigned(samples.elapsed_raw);
    json_key("overhead_ns"), json_unsigned(clock_overhead());
    json_key("backwards"), json_unsigned(samples.backwards);
    json_close('}');
}
