/* Golden inputs made from a seed, the same to the bit as golden_inputs.py makes them. */
#ifndef EDGEPRUNE_BENCH_INPUTS_H
#define EDGEPRUNE_BENCH_INPUTS_H

#include <stdint.h>

/* Element `index` of record `seed`: k / 2^22 with -2^23 <= k < 2^23, which a float holds exactly. */
static float made_input(uint32_t seed, uint32_t index) {
    uint32_t bits = seed * 0x9E3779B9u + index;
    bits = (bits ^ (bits >> 16)) * 0x85EBCA6Bu;
    bits = (bits ^ (bits >> 13)) * 0xC2B2AE35u;
    bits ^= bits >> 16;
    return (float)((int32_t)(bits >> 8) - (int32_t)0x800000) * 0x1p-22f;
}

#endif
