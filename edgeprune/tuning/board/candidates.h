/* Between the generated table of candidates and the main that runs them. */
#ifndef EDGEPRUNE_CANDIDATES_H
#define EDGEPRUNE_CANDIDATES_H

#include <stddef.h>

#define ALIGNED __attribute__((aligned(64)))

struct candidate {
    void (*prepare)(void); /* lays the weights out; once */
    void (*run)(void);
    const void *result;
};

extern const struct candidate candidates[];
extern const int candidate_count;
extern unsigned char candidate_inputs[];
extern const size_t candidate_input_bytes, candidate_output_bytes;
extern const int candidate_output_bits; /* of a floating-point number; 0: compared byte by byte */
extern const float candidate_tolerance; /* max |difference| / max |expected| */

#endif
