/* Which cores the benchmark may use. */
#ifndef EDGEPRUNE_BENCH_AFFINITY_H
#define EDGEPRUNE_BENCH_AFFINITY_H

#include <stddef.h>

/*
 * Binds this process, and every thread it starts later, to cores: "0xF0" (a mask), "4-7,9" (a list), or "big" and
 * "little" by what /sys says of the cores. Returns EXIT_DONE, or complains and returns another code.
 */
int bind_cores(const char *wanted);

/* Writes the cores this process may use as the kernel does, "0-3,6"; returns 0 if the kernel does not say. */
int describe_affinity(char *text, size_t room);

#endif
