/* The clocks samples are taken with, in nanoseconds. */
#ifndef EDGEPRUNE_BENCH_CLOCK_H
#define EDGEPRUNE_BENCH_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: what samples are taken with. */
uint64_t now(void);

/* CLOCK_MONOTONIC_RAW: the same hardware without the kernel's corrections, to hold the other one against. */
uint64_t raw_now(void);

/* The smallest of many back-to-back readings: what reading the clock adds to a sample. */
uint64_t clock_overhead(void);

/* Lets so much time pass without keeping the core busy. */
void wait_for(uint64_t nanoseconds);

#endif
