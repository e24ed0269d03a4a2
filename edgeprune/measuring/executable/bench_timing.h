/* A single stream of inferences, each one timed, every sample kept. */
#ifndef EDGEPRUNE_BENCH_TIMING_H
#define EDGEPRUNE_BENCH_TIMING_H

#include <stddef.h>

/* Returns 0 if there is no memory for the samples asked for. */
int reserve_samples(void);

/* Untimed inferences first: --warmup of them, and for as long as --warmup-seconds says. */
int warm_up(void);

/* Runs until both --samples inferences were timed and --seconds have passed. */
int time_inferences(void);

/* Runs one inference between two marks that an emulator's plugin counts instructions between. */
int run_region(void);

/* Writes the keys "samples_ns", "warmup", "cores_used" and "clock". */
void write_samples(void);

#endif
