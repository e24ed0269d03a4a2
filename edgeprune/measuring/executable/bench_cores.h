/* A set of cores as text. Include after defining _GNU_SOURCE. */
#ifndef EDGEPRUNE_BENCH_CORES_H
#define EDGEPRUNE_BENCH_CORES_H

#include <sched.h>
#include <stddef.h>

/* Writes "0-3,6", or nothing for no core; ends early where `room` does. */
void describe_cores(const cpu_set_t *cores, char *text, size_t room);

#endif
