/*
 * The integer part of A32: Arm Architecture Reference Manual for Armv7-A (DDI 0406C), chapter A5, "ARM Instruction Set
 * Encoding".
 */
#include <string.h>

#include "instruction.h"

enum { PROGRAM_COUNTER = 15, NO_REGISTER = 0xff };

static unsigned int rn(uint32_t word) { return bits(word, 19, 16); }
static unsigned int rd(uint32_t word) { return bits(word, 15, 12); }
static unsigned int rs(uint32_t word) { return bits(word, 11, 8); }
static unsigned int rm(uint32_t word) { return bits(word, 3, 0); }

/* A write to the program counter is a jump, whatever else the instruction is. */
static void result(struct instruction *decoded, unsigned int number) {
    if (number == PROGRAM_COUNTER) {
        is(decoded, decoded->mix == MIX_load ? MIX_load : MIX_branch,
           decoded->mix == MIX_load ? decoded->operation : OP_branch);
        decoded->indirect = true;
    } else {
        writes(decoded, number);
    }
}

static void data_processing(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 24, 21);
    bool immediate = bit(word, 25), by_register = !immediate && bit(word, 4), moves = code == 13 || code == 15;
    bool shifted = !immediate && (by_register || bits(word, 11, 5) != 0), compares = code >= 8 && code < 12;
    /* A shift alone (LSL, LSR, ASR, ROR are forms of MOV) is an ordinary operation. */
    is(decoded, MIX_integer, shifted && !moves ? OP_alu_shift : OP_alu);
    if (!moves) reads(decoded, rn(word));
    if (!immediate) reads(decoded, rm(word));
    if (by_register) reads(decoded, rs(word));
    if (code >= 5 && code <= 7) reads(decoded, REGISTER_FLAGS);
    if (bit(word, 20)) writes(decoded, REGISTER_FLAGS);
    if (!compares) result(decoded, rd(word));
}

static void multiply(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 23, 21);
    bool longer = code >= 4 || code == 2, accumulates = code == 1 || code == 3 || code == 2 || code == 5 || code == 7;
    is(decoded, MIX_integer, OP_mul);
    reads(decoded, rm(word));
    reads(decoded, rs(word));
    if (accumulates) {
        reads(decoded, rd(word));
        if (longer) reads(decoded, rn(word));
        decoded->accumulated = longer ? 2 : 1;
    }
    writes(decoded, rn(word));
    if (longer) writes(decoded, rd(word));
    if (bit(word, 20)) writes(decoded, REGISTER_FLAGS);
}

static void memory_address(uint32_t word, struct instruction *decoded, bool indexed) {
    reads(decoded, rn(word));
    if (indexed) reads(decoded, rm(word));
    decoded->addressing = decoded->reads;
    if (!bit(word, 24) || bit(word, 21)) decoded->base = (uint8_t)rn(word);
}

static void load_or_store(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 20);
    memory_address(word, decoded, bit(word, 25));
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load : OP_store);
    if (load) result(decoded, rd(word));
    else reads(decoded, rd(word));
}

/* Halfwords, signed bytes, and pairs (LDRD, STRD), which are coded as stores. */
static void extra_load_or_store(uint32_t word, struct instruction *decoded) {
    bool paired = !bit(word, 20) && bit(word, 6), load = bit(word, 20) || (paired && !bit(word, 5));
    memory_address(word, decoded, !bit(word, 22));
    is(decoded, load ? MIX_load : MIX_store, paired ? (load ? OP_load_pair : OP_store_pair) : load ? OP_load : OP_store);
    for (unsigned int index = 0; index <= (unsigned int)paired; index++) {
        if (load) writes(decoded, rd(word) + index);
        else reads(decoded, rd(word) + index);
    }
}

static void exclusive(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 20);
    reads(decoded, rn(word));
    decoded->addressing = 1;
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load : OP_store);
    if (!load) reads(decoded, rm(word));
    writes(decoded, rd(word)); /* the value, or the status of a store */
}

static void load_or_store_many(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 20);
    unsigned int registers = 0;
    reads(decoded, rn(word));
    decoded->addressing = 1;
    if (bit(word, 21)) decoded->base = (uint8_t)rn(word);
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load_many : OP_store_many);
    for (unsigned int number = 0; number < 16; number++) {
        if (!bit(word, (int)number)) continue;
        registers++;
        if (load) result(decoded, number);
        else reads(decoded, number);
    }
    decoded->beats = (uint8_t)((registers + 1) / 2);
    if (decoded->beats == 0) decoded->beats = 1;
}

static void miscellaneous(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 7, 4), which = bits(word, 22, 21);
    if ((code == 1 || code == 3) && which == 1) { /* BX, BLX */
        is(decoded, MIX_branch, OP_branch);
        reads(decoded, rm(word));
        decoded->indirect = true;
        if (code == 3) writes(decoded, 14);
    } else if (code == 1 && which == 3) { /* CLZ */
        is(decoded, MIX_integer, OP_alu);
        reads(decoded, rm(word));
        writes(decoded, rd(word));
    } else if (code == 4 || code == 5) { /* CRC32; saturating additions */
        is(decoded, MIX_integer, OP_alu);
        reads(decoded, rm(word));
        reads(decoded, rn(word));
        writes(decoded, rd(word));
    } else if (bit(word, 7)) { /* halfword multiplies */
        is(decoded, MIX_integer, OP_mul);
        reads(decoded, rm(word));
        reads(decoded, rs(word));
        if (which != 3) reads(decoded, rd(word));
        writes(decoded, rn(word));
    } else if (code == 0 && !bit(word, 21)) { /* MRS */
        reads(decoded, REGISTER_FLAGS);
        writes(decoded, rd(word));
    }
}

static void media(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 24, 20);
    bool divides = code == 17 || code == 19, multiplies = code >= 16 && code < 24;
    is(decoded, MIX_integer, divides ? OP_div : multiplies ? OP_mul : OP_alu);
    reads(decoded, rm(word));
    if (multiplies) {
        reads(decoded, rs(word));
        if (rd(word) != PROGRAM_COUNTER) reads(decoded, rd(word));
        writes(decoded, rn(word));
    } else {
        if (rn(word) != PROGRAM_COUNTER && code < 28) reads(decoded, rn(word));
        writes(decoded, rd(word));
    }
}

static void registers_or_immediate(uint32_t word, struct instruction *decoded) {
    bool miscellany = bits(word, 24, 23) == 2 && !bit(word, 20);
    if (!bit(word, 25) && bit(word, 7) && bit(word, 4)) {
        if (bits(word, 6, 5) != 0) extra_load_or_store(word, decoded);
        else if (bit(word, 24)) exclusive(word, decoded);
        else multiply(word, decoded);
    } else if (!miscellany) {
        data_processing(word, decoded);
    } else if (!bit(word, 25)) {
        miscellaneous(word, decoded);
    } else if (!bit(word, 21)) { /* MOVW; MOVT keeps the lower half */
        is(decoded, MIX_integer, OP_alu);
        if (bit(word, 22)) reads(decoded, rd(word));
        writes(decoded, rd(word));
    } else {
        is(decoded, MIX_other, bits(word, 19, 16) == 0 ? OP_alu : OP_system); /* hints, MSR of an immediate */
    }
}

static void unconditional(uint32_t word, struct instruction *decoded) {
    if (bits(word, 27, 25) == 5) { /* BLX to T32 */
        is(decoded, MIX_branch, OP_branch);
        writes(decoded, 14);
    } else if (bits(word, 27, 26) == 1 && bit(word, 24) && bits(word, 22, 20) == 5) { /* PLD */
        memory_address(word, decoded, bit(word, 25));
        decoded->base = NO_REGISTER;
        is(decoded, MIX_other, OP_load);
    }
}

static void conditional(uint32_t word, struct instruction *decoded) {
    switch (bits(word, 27, 25)) {
    case 0: case 1:
        registers_or_immediate(word, decoded);
        break;
    case 3:
        if (bit(word, 4)) media(word, decoded);
        else load_or_store(word, decoded);
        break;
    case 2:
        load_or_store(word, decoded);
        break;
    case 4:
        load_or_store_many(word, decoded);
        break;
    case 5:
        is(decoded, MIX_branch, OP_branch);
        if (bit(word, 24)) writes(decoded, 14);
        break;
    default: /* coprocessors; supervisor call */
        break;
    }
}

void decode_a32(uint32_t word, struct instruction *decoded) {
    unsigned int condition = bits(word, 31, 28);
    memset(decoded, 0, sizeof *decoded);
    decoded->base = NO_REGISTER;
    decoded->beats = 1;
    is(decoded, MIX_other, OP_system);
    if (!decode_a32_vector(word, decoded)) {
        if (condition == 15) unconditional(word, decoded);
        else conditional(word, decoded);
    }
    if (condition < 14) { /* what is not done keeps the old result */
        reads(decoded, REGISTER_FLAGS);
        decoded->conditional = decoded->mix == MIX_branch || decoded->indirect;
    }
}
