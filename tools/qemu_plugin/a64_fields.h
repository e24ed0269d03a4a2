/* What the two decoders of A64 share: the register fields, and the registers they name. */
#ifndef EDGEPRUNE_A64_FIELDS_H
#define EDGEPRUNE_A64_FIELDS_H

#include "instruction.h"

enum { ZERO_OR_STACK = 31, NO_REGISTER = 0xff };
enum form { SCALAR, HALF, FULL }; /* s or d register; 64-bit vector; 128-bit vector */

static inline unsigned int rd(uint32_t word) { return bits(word, 4, 0); }
static inline unsigned int rn(uint32_t word) { return bits(word, 9, 5); }
static inline unsigned int rm(uint32_t word) { return bits(word, 20, 16); }
static inline unsigned int ra(uint32_t word) { return bits(word, 14, 10); }

/* Number 31 is the zero register here, which nothing waits for; where it is the stack pointer, `reads` takes it. */
static inline void reads_x(struct instruction *decoded, unsigned int number) {
    if (number != ZERO_OR_STACK) reads(decoded, number);
}
static inline void writes_x(struct instruction *decoded, unsigned int number) {
    if (number != ZERO_OR_STACK) writes(decoded, number);
}
static inline void reads_v(struct instruction *decoded, unsigned int number) { reads(decoded, REGISTER_FP + number % 32); }
static inline void writes_v(struct instruction *decoded, unsigned int number) { writes(decoded, REGISTER_FP + number % 32); }

/* The s, d and q rows of an operation follow each other in the list of operations; vector-only ones have d and q. */
static inline enum operation of_form(enum operation scalar, enum form form) { return (enum operation)(scalar + form); }
static inline enum operation of_width(enum operation half, enum form form) { return (enum operation)(half + (form == FULL)); }

void decode_a64_vector(uint32_t word, struct instruction *decoded); /* Advanced SIMD, scalar forms included */

#endif
