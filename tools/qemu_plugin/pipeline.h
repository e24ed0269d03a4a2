/*
 * Cycles of a stream of instructions on one core, by its table, once for each of the low, nominal and high values.
 */
#ifndef EDGEPRUNE_PIPELINE_H
#define EDGEPRUNE_PIPELINE_H

#include "caches.h"

/* What only the execution shows. */
struct execution {
    struct found found; /* where the data lay, the farthest of the instruction's accesses */
    uint64_t address;   /* of the instruction */
    bool taken;         /* whether it jumped */
};

struct pipeline;

struct pipeline *pipeline_new(const struct core *core); /* NULL: out of memory; keeps pointing to the core */
void pipeline_restart(struct pipeline *pipeline);       /* empty again at cycle 0; what branches did is remembered */
void pipeline_forget_branches(struct pipeline *pipeline);
void pipeline_step(struct pipeline *pipeline, const struct instruction *instruction, const struct execution *execution);
uint64_t pipeline_cycles(const struct pipeline *pipeline, int variant);
uint64_t pipeline_mispredicted(const struct pipeline *pipeline);
void pipeline_free(struct pipeline *pipeline);

#endif
