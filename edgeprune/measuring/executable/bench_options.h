/* What the command line asks for. */
#ifndef EDGEPRUNE_BENCH_OPTIONS_H
#define EDGEPRUNE_BENCH_OPTIONS_H

#include <stdint.h>

struct bench_options {
    uint64_t warmup, warmup_nanoseconds; /* untimed inferences: at least so many, for at least so long */
    uint64_t samples, nanoseconds;       /* timed ones */
    uint64_t profile;                    /* inferences timed step by step, after the timed part */
    uint64_t threads;
    const char *affinity;
    uint64_t cooldown_nanoseconds; /* waited before the timed part */
    uint64_t cool_to;              /* millidegrees to wait for before it; 0: do not */
    const char *input, *output;
    int cold, check_only, region;
};

extern struct bench_options options;

/* Returns EXIT_DONE, or EXIT_USAGE after a complaint. */
int parse_options(int count, char **words);

#endif
