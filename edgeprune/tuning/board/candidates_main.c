/* Checks and measures candidates of one kernel on the board that is to run it.
 *
 *     candidates INPUTS EXPECTED region|BEST_NS INDEX...
 *
 * INPUTS and EXPECTED are files of raw values. Each candidate is prepared, run once and compared; then it is either
 * run once more between the two guest calls that mark a region of interest for an instruction-counting emulator, or
 * timed: the fastest of several repeats, since other load only ever adds. One much slower than BEST_NS (0: none known)
 * is not timed precisely. A line of JSON per candidate is out before the next one starts, so that it is known which
 * one took the process down.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "candidates.h"

#define REGION_OPTION 0x45505231 /* "EPR1" */
#define REPEATS 7
#define REPEAT_NS 2e6
#define HOPELESS 3.0
#ifndef SECONDS
#define SECONDS 20 /* for one candidate; SIGALRM then ends the process */
#endif

static int fail(const char *what, const char *which) {
    fprintf(stderr, "%s %s\n", what, which);
    return 1;
}

static int read_file(const char *path, void *into, size_t bytes) {
    FILE *file = fopen(path, "rb");
    size_t got;
    if (file == NULL) return 0;
    got = fread(into, 1, bytes, file);
    fclose(file);
    return got == bytes;
}

/* By hand: not every compiler for these boards knows the type. */
static double half_value(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023;
    double size = exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                  : exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double value_at(const void *values, size_t index) {
    return candidate_output_bits == 16 ? half_value(((const uint16_t *)values)[index])
           : candidate_output_bits == 32 ? ((const float *)values)[index] : ((const double *)values)[index];
}

/* The largest difference relative to the largest expected value; infinite where one is finite and the other not. */
static double relative_error(const void *expected, const void *actual, size_t count) {
    double scale = 1.17549435e-38, worst = 0;
    for (size_t index = 0; index < count; index++) {
        double wanted = value_at(expected, index), found = value_at(actual, index);
        if (isfinite(wanted) != isfinite(found)) return INFINITY;
        if (!isfinite(wanted)) continue;
        scale = fmax(scale, fabs(wanted));
        worst = fmax(worst, fabs(wanted - found));
    }
    return worst / scale;
}

static double error_of(const void *expected, const void *actual) {
    size_t bytes = (size_t)candidate_output_bits / 8;
    if (bytes > 0) return relative_error(expected, actual, candidate_output_bytes / bytes);
    return memcmp(expected, actual, candidate_output_bytes) == 0 ? 0 : INFINITY;
}

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double fastest_ns(void (*run)(void), int repeats, long number) {
    double best = INFINITY;
    for (int repeat = 0; repeat < repeats; repeat++) {
        double start = now_ns();
        for (long call = 0; call < number; call++) run();
        best = fmin(best, (now_ns() - start) / (double)number);
    }
    return best;
}

static double time_ns(void (*run)(void), double best) {
    double first = fastest_ns(run, 3, 1);
    if (best > 0 && first > HOPELESS * best) return first;
    return fastest_ns(run, REPEATS, (long)fmax(1, REPEAT_NS / fmax(first, 1)));
}

static void measure(int index, const void *expected, int region, double best) {
    const struct candidate *candidate = &candidates[index];
    double error;
    alarm(SECONDS);
    candidate->prepare();
    candidate->run();
    error = error_of(expected, candidate->result);
    if (region) {
        prctl(REGION_OPTION, 1);
        candidate->run();
        prctl(REGION_OPTION, 0);
    }
    if (!(error <= candidate_tolerance)) {
        printf("{\"candidate\":%d,\"error\":%s%.9g%s}\n", index, isfinite(error) ? "" : "\"", error,
               isfinite(error) ? "" : "\"");
    } else if (region) {
        printf("{\"candidate\":%d}\n", index);
    } else {
        printf("{\"candidate\":%d,\"ns\":%.9g}\n", index, time_ns(candidate->run, best));
    }
    fflush(stdout);
}

/* Who runs this program, where that is an emulator: Linux may hand it to one by itself, and names the process so. */
static const char *emulator(void) {
    static char name[32];
    FILE *file = fopen("/proc/self/comm", "r");
    if (file == NULL) return NULL;
    if (fgets(name, sizeof name, file) == NULL) name[0] = 0;
    fclose(file);
    name[strcspn(name, "\n")] = 0;
    return strncmp(name, "qemu", 4) == 0 ? name : NULL;
}

int main(int count, char **argument) {
    void *expected;
    int region;
    if (count < 5) return fail("usage:", "candidates INPUTS EXPECTED region|BEST_NS INDEX...");
    expected = malloc(candidate_output_bytes);
    if (expected == NULL) return fail("no memory for", argument[2]);
    if (!read_file(argument[1], candidate_inputs, candidate_input_bytes)) return fail("cannot read", argument[1]);
    if (!read_file(argument[2], expected, candidate_output_bytes)) return fail("cannot read", argument[2]);
    region = strcmp(argument[3], "region") == 0;
    if (!region && emulator() != NULL) return fail("times mean nothing, as it runs under", emulator());
    for (int position = 4; position < count; position++) {
        int index = atoi(argument[position]);
        if (index < 0 || index >= candidate_count) return fail("no candidate", argument[position]);
        measure(index, expected, region, region ? 0 : atof(argument[3]));
    }
    free(expected);
    return 0;
}
