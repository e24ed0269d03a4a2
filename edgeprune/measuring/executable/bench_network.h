/* The network and its memory, ready to run: everything is reserved once, before the first inference. */
#ifndef EDGEPRUNE_BENCH_NETWORK_H
#define EDGEPRUNE_BENCH_NETWORK_H

#include <stddef.h>

struct network_memory {
    void *arena;
    float **inputs, **outputs;
    size_t input_elements, output_elements; /* of all tensors together */
};

extern struct network_memory network;

/* Zeroed pages from the system that are really there, so that no page fault is left for a timed part; or NULL. */
void *reserve(size_t bytes);

/* Returns 0 if there is not enough memory. */
int reserve_network(void);

/* Sets all inputs from one concatenated record, or from golden record `golden`. */
void set_inputs(const float *record);
void set_golden_inputs(int golden);

/* One inference; returns what the network returned, 0 when all is well. */
int infer(void);

#endif
