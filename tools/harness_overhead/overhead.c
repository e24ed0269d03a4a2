/*
 * What the benchmark executable's timing loop adds to an inference: the loop itself (bench_timing.c and all it needs)
 * against a bare loop around the same network, in turns, so that a busy machine slows both.
 *
 * Prints one line per turn: inferences, then nanoseconds per inference of the bare loop and of the harness, each by two
 * readings of the clock around all of them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_clock.h"
#include "bench_model.h"
#include "bench_network.h"
#include "bench_options.h"
#include "bench_timing.h"

#define WORK_NANOSECONDS 50000u

static volatile uint32_t sink;
static uint32_t turns_of_work = 1;

static int run(void *arena, const float *const *inputs, float *const *outputs) {
    uint32_t state = 1;
    (void)arena, (void)inputs, (void)outputs;
    for (uint32_t turn = 0; turn < turns_of_work; turn++) state = state * 1664525u + 1013904223u;
    sink = state;
    return 0;
}

static const size_t elements[] = {1};

const struct edgeprune_bench_model edgeprune_bench_model = {
    .name = "overhead", .version = "", .arena_bytes = 64, .inputs = 1, .outputs = 1,
    .input_elements = elements, .output_elements = elements, .run = run,
};

/* Finds how much work takes 50 us here: the shortest of several tries, as other load only ever adds. */
static void calibrate(void) {
    uint64_t least = UINT64_MAX;
    turns_of_work = 20000;
    for (int attempt = 0; attempt < 200; attempt++) {
        uint64_t start = now(), taken;
        infer();
        taken = now() - start;
        if (taken < least) least = taken;
    }
    turns_of_work = (uint32_t)(turns_of_work * (uint64_t)WORK_NANOSECONDS / (least ? least : 1));
}

static uint64_t bare(uint64_t inferences) {
    uint64_t start = now();
    for (uint64_t number = 0; number < inferences; number++) infer();
    return now() - start;
}

static uint64_t timed(uint64_t inferences) {
    uint64_t start = now();
    options.samples += inferences;
    if (time_inferences() != 0) exit(1);
    return now() - start;
}

int main(int count, char **words) {
    uint64_t rounds = count > 1 ? strtoul(words[1], NULL, 10) : 40, inferences = 20;
    if (!reserve_network()) return 1;
    options.samples = rounds * inferences;
    if (!reserve_samples()) return 1;
    options.samples = 0;
    calibrate();
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t alone = bare(inferences), harness = timed(inferences);
        printf("%llu %.3f %.3f\n", (unsigned long long)inferences, (double)alone / (double)inferences,
               (double)harness / (double)inferences);
    }
    return 0;
}
