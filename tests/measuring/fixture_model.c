/*
 * A stand-in for a generated bench_model.c: y = 2x + b over three values, with b as a second input.
 * Macros break it in the ways that the tests need: WRONG_GOLDEN, NOT_FINITE, MODEL_ERROR, TRAP, FOREIGN, WORK=n,
 * UNPROFILED, THREADED; JUMP=s, with clock_gettime=jumping_clock, a clock that jumps by s seconds while timing; TICK=n,
 * with clock_gettime=ticking_clock, one that goes on by n ns whenever it is read, and by nothing else; and
 * PLACES, which tells at the end at how many places of a page the stack was when it ran, in steps of 16 bytes.
 */
#if defined JUMP || defined TICK
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

#include "bench_model.h"

#ifdef PLACES
#include <stdint.h>
#include <stdio.h>

static int seen[256];

__attribute__((destructor)) static void tell_places(void) {
    int places = 0;
    for (int place = 0; place < 256; place++) places += seen[place];
    fprintf(stderr, "stack at %d places\n", places);
}
#endif

#ifndef WORK
#define WORK 0
#endif

static int run(void *arena, const float *const *inputs, float *const *outputs) {
    float *scratch = arena;
    volatile int spin = 0;
#ifdef PLACES
    seen[(uintptr_t)__builtin_frame_address(0) / 16 % 256] = 1;
#endif
#ifdef TRAP
    __builtin_trap();
#endif
#ifdef FOREIGN
    __asm__ volatile(".arch_extension sve\n\tptrue p0.b");
#endif
    while (spin < WORK) spin = spin + 1;
    for (int i = 0; i < 3; i++) scratch[i] = 2 * inputs[0][i];
    for (int i = 0; i < 3; i++) outputs[0][i] = scratch[i] + inputs[1][0];
#ifdef NOT_FINITE
    outputs[0][1] = __builtin_nanf("");
#endif
#ifdef MODEL_ERROR
    return 4;
#else
    return 0;
#endif
}

#ifdef JUMP
int jumping_clock(clockid_t clock, struct timespec *time) {
    static int readings;
    int status = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_MONOTONIC && ++readings > 400) time->tv_sec += JUMP;
    return status;
}
#endif

#ifdef TICK
int ticking_clock(clockid_t clock, struct timespec *time) {
    static long long reading = 1000000000;
    if (clock != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, clock, time);
    reading += TICK;
    time->tv_sec = (time_t)(reading / 1000000000);
    time->tv_nsec = (long)(reading % 1000000000);
    return 0;
}
#endif

static const size_t input_elements[] = {3, 1}, output_elements[] = {3};
static const float first_input[] = {0, 1, 2, 1}, first_output[] = {1, 3, 5};
static const float second_input[] = {-1, 0.5f, 3, 4};
#ifdef WRONG_GOLDEN
static const float second_output[] = {2, 5, 10.5f};
#else
static const float second_output[] = {2, 5, 10};
#endif
static const float *const golden_inputs[] = {first_input, second_input};
static const float *const golden_outputs[] = {first_output, second_output};

#ifndef UNPROFILED
static const char *const step_names[] = {"double: mul", "add: add, relu"};

static int run_profiled(void *arena, const float *const *inputs, float *const *outputs, void (*step_done)(int step)) {
    volatile int spin = 0;
    int status;
    while (spin < 20000) spin = spin + 1;
    step_done(0);
    status = run(arena, inputs, outputs);
    step_done(1);
    return status;
}
#endif

#ifdef THREADED
static int set_threads(int threads) { return threads > 2 ? -7 : 0; }
#endif

const struct edgeprune_bench_model edgeprune_bench_model = {
    .name = "tiny", .version = "0.1", .arena_bytes = 64, .inputs = 2, .outputs = 1,
    .input_elements = input_elements, .output_elements = output_elements,
    .golden_count = 2, .golden_tolerance = 1e-5f, .golden_inputs = golden_inputs, .golden_outputs = golden_outputs,
    .run = run,
#ifndef UNPROFILED
    .steps = 2, .step_names = step_names, .run_profiled = run_profiled,
#endif
#ifdef THREADED
    .set_threads = set_threads,
#endif
};
