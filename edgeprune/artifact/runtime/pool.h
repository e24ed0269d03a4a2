/*
 * The threads of one network. Compiled once per network: EDGEPRUNE_MODEL is its prefix, EDGEPRUNE_MAX_THREADS the most
 * threads, the caller's included, that its arena has workspaces for.
 *
 * An inference is one function that all threads run together: each takes its part of a kernel's outermost loop, and
 * between kernels they meet. So threads are woken once per inference and not once per kernel.
 */
#ifndef EDGEPRUNE_POOL_H
#define EDGEPRUNE_POOL_H

#define POOL_JOIN2(model, name) model##_pool_##name
#define POOL_JOIN(model, name) POOL_JOIN2(model, name)
#define POOL(name) POOL_JOIN(EDGEPRUNE_MODEL, name)
#define POOL_HIDDEN __attribute__((visibility("hidden")))

/* What every thread runs; `part` counts from 0, which is the caller, to `parts` - 1. */
typedef void pool_work(const void *call, int part, int parts);

/* Run `work` on all threads, or on the caller alone (parts = 1) while another caller has them. */
void POOL(run)(pool_work *work, const void *call) POOL_HIDDEN;

/* Within `work`: wait until every part has come here. */
void POOL(meet)(int parts) POOL_HIDDEN;

/* The three functions of the network's interface; they return its error codes. */
int POOL(set_threads)(int threads) POOL_HIDDEN;
int POOL(set_affinity)(const int *cores, int count) POOL_HIDDEN;

/* Where part `part` of `extent` iterations begins: parts differ by one iteration at most. */
static inline int pool_first(int extent, int part, int parts) {
    int rest = extent % parts;
    return extent / parts * part + (part < rest ? part : rest);
}

#endif
