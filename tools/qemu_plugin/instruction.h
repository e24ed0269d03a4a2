/*
 * One guest instruction as the counts and the pipeline model see it: its class in the instruction mix, the operation a
 * core performs for it, and the registers it reads and writes.
 */
#ifndef EDGEPRUNE_INSTRUCTION_H
#define EDGEPRUNE_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

/* The instruction mix. MAC: multiply-accumulate of the floating-point and vector unit, scalar or vector, fused or not. */
#define MIX_CLASSES(X) X(mac) X(simd) X(load) X(store) X(integer) X(branch) X(other)

/*
 * What a core does for an instruction; the rows of a core's table. s, d, q: scalar, 64-bit and 128-bit vectors.
 * "many": several transfers of 64 bits, as counted by `beats`. "move_to_fp", "move_to_int": between the register files.
 */
#define OPERATIONS(X) \
    X(alu) X(alu_shift) X(mul) X(div) X(branch) X(system) \
    X(load) X(load_pair) X(load_many) X(load_fp) X(load_fp_q) X(load_fp_many) X(load_lane) \
    X(store) X(store_pair) X(store_many) X(store_fp) X(store_fp_q) X(store_fp_many) \
    X(fadd_s) X(fadd_d) X(fadd_q) X(fmul_s) X(fmul_d) X(fmul_q) X(fmac_s) X(fmac_d) X(fmac_q) \
    X(fdiv_s) X(fdiv_d) X(fdiv_q) X(fcvt_s) X(fcvt_d) X(fcvt_q) \
    X(simd_d) X(simd_q) X(simd_mul_d) X(simd_mul_q) X(simd_mac_d) X(simd_mac_q) X(permute_d) X(permute_q) \
    X(move_to_fp) X(move_to_int)

#define AS_MIX(name) MIX_##name,
#define AS_OPERATION(name) OP_##name,
#define AS_STRING_COMMA(name) #name,
enum mix { MIX_CLASSES(AS_MIX) MIX_COUNT };
enum operation { OPERATIONS(AS_OPERATION) OP_COUNT };

/*
 * Registers: 0-30 the integer ones, 31 the stack pointer (A32: r13, r14, r15 are 13, 14, 15), 32 the flags, from 33 on
 * the floating-point ones: v0-v31 in A64, the 64 halves of d0-d31 in A32.
 */
enum { REGISTER_FLAGS = 32, REGISTER_FP = 33, REGISTERS = REGISTER_FP + 64, OPERANDS = 40 };

enum instruction_set { SET_A64, SET_A32, SET_T32 };

struct instruction {
    enum mix mix;
    enum operation operation;
    uint8_t beats;              /* transfers of 64 bits, for the "many" operations; 1 elsewhere */
    bool conditional, indirect; /* a branch that may fall through; one to an address in a register */
    uint8_t reads, writes;
    uint8_t accumulated;        /* the last so many of `read` are the addend of a multiply-accumulate */
    uint8_t addressing;         /* the first so many of `read` form an address */
    uint8_t read[OPERANDS], written[OPERANDS];
    uint8_t base;               /* the address register that is written back, or 0xff */
};

/* `word`: the 32 bits of an A64 or A32 instruction; of T32, the halfwords in their order, the first one highest. */
void decode_a64(uint32_t word, struct instruction *decoded);
void decode_a32(uint32_t word, struct instruction *decoded);
void decode_t32(uint32_t word, unsigned int bytes, struct instruction *decoded);
bool decode_a32_vector(uint32_t word, struct instruction *decoded); /* floating point and vectors; false: neither */

/* ---- what the decoders are written with ---- */

static inline uint32_t bits(uint32_t word, int high, int low) { return word >> low & ((2u << (high - low)) - 1); }
static inline bool bit(uint32_t word, int place) { return word >> place & 1; }

static inline void reads(struct instruction *decoded, unsigned int number) {
    if (decoded->reads < OPERANDS) decoded->read[decoded->reads++] = (uint8_t)number;
}

static inline void writes(struct instruction *decoded, unsigned int number) {
    if (decoded->writes < OPERANDS) decoded->written[decoded->writes++] = (uint8_t)number;
}

static inline void is(struct instruction *decoded, enum mix mix, enum operation operation) {
    decoded->mix = mix;
    decoded->operation = operation;
}

#endif
