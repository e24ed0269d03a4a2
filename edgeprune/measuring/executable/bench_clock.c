#define _GNU_SOURCE
#include "bench_clock.h"

#include <time.h>

#define SECOND 1000000000u

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t raw_now(void) { return read_clock(CLOCK_MONOTONIC_RAW); }

uint64_t clock_overhead(void) {
    uint64_t least = (uint64_t)-1;
    for (int reading = 0; reading < 256; reading++) {
        uint64_t before = now(), after = now();
        if (after >= before && after - before < least) least = after - before;
    }
    return least;
}

void wait_for(uint64_t nanoseconds) {
    struct timespec left = {(time_t)(nanoseconds / SECOND), (long)(nanoseconds % SECOND)};
    while (nanosleep(&left, &left) != 0) {}
}
