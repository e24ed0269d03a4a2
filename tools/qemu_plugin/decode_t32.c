/*
 * T32 (Thumb): Arm Architecture Reference Manual for Armv7-A (DDI 0406C), chapter A6. Kernels come as A32; what comes
 * as T32 is a C library or a board's own code. Floating point and vectors are A32's with a few bits moved.
 */
#include <string.h>

#include "instruction.h"

enum { STACK_POINTER = 13, LINK = 14, PROGRAM_COUNTER = 15, NO_REGISTER = 0xff };

static void branch(struct instruction *decoded, bool conditional, bool indirect) {
    is(decoded, MIX_branch, OP_branch);
    decoded->conditional = conditional;
    decoded->indirect = indirect;
}

static void transfer(struct instruction *decoded, bool load, unsigned int number) {
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load : OP_store);
    if (!load) reads(decoded, number);
    else if (number == PROGRAM_COUNTER) decoded->indirect = true;
    else writes(decoded, number);
}

static void transfer_list(struct instruction *decoded, bool load, uint32_t list, unsigned int base, bool written_back) {
    unsigned int registers = 0;
    reads(decoded, base);
    decoded->addressing = 1;
    if (written_back) decoded->base = (uint8_t)base;
    for (unsigned int number = 0; number < 16; number++) {
        if (!bit(list, (int)number)) continue;
        registers++;
        transfer(decoded, load, number);
    }
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load_many : OP_store_many);
    decoded->beats = (uint8_t)(registers < 2 ? 1 : (registers + 1) / 2);
}

/* ---- 16 bits ---- */

static void shift_add_move(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 13, 11), wide = bits(word, 10, 8);
    is(decoded, MIX_integer, OP_alu);
    writes(decoded, REGISTER_FLAGS);
    if (code >= 4) { /* MOV, CMP, ADD, SUB of an immediate */
        if (code != 4) reads(decoded, wide);
        if (code != 5) writes(decoded, wide);
        return;
    }
    reads(decoded, bits(word, 5, 3));
    if (code == 3 && !bit(word, 10)) reads(decoded, bits(word, 8, 6));
    writes(decoded, bits(word, 2, 0));
}

static void two_low_registers(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 9, 6);
    is(decoded, MIX_integer, code == 13 ? OP_mul : OP_alu);
    reads(decoded, bits(word, 5, 3));
    if (code != 9 && code != 15) reads(decoded, bits(word, 2, 0));
    if (code == 5 || code == 6) reads(decoded, REGISTER_FLAGS);
    writes(decoded, REGISTER_FLAGS);
    if (code != 8 && code != 10 && code != 11) writes(decoded, bits(word, 2, 0));
}

static void any_registers(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 9, 8), target = bit(word, 7) << 3 | bits(word, 2, 0);
    is(decoded, MIX_integer, OP_alu);
    reads(decoded, bits(word, 6, 3));
    if (code == 3) { /* BX, BLX */
        branch(decoded, false, true);
        if (bit(word, 7)) writes(decoded, LINK);
        return;
    }
    if (code != 2) reads(decoded, target);
    if (code == 1) writes(decoded, REGISTER_FLAGS);
    else if (target == PROGRAM_COUNTER) branch(decoded, false, true);
    else writes(decoded, target);
}

static void load_or_store_low(uint32_t word, struct instruction *decoded) {
    unsigned int group = bits(word, 15, 12);
    bool by_register = group == 5, of_stack = group == 9;
    bool load = by_register ? bits(word, 11, 9) >= 3 : bit(word, 11);
    reads(decoded, of_stack ? STACK_POINTER : bits(word, 5, 3));
    if (by_register) reads(decoded, bits(word, 8, 6));
    decoded->addressing = decoded->reads;
    transfer(decoded, load, of_stack ? bits(word, 10, 8) : bits(word, 2, 0));
}

static void miscellaneous(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 11, 8);
    is(decoded, MIX_integer, OP_alu);
    if ((code & 5) == 1) { /* CBZ, CBNZ */
        reads(decoded, bits(word, 2, 0));
        branch(decoded, true, false);
    } else if ((code & 14) == 4) { /* PUSH */
        transfer_list(decoded, false, bits(word, 7, 0) | (uint32_t)bit(word, 8) << LINK, STACK_POINTER, true);
    } else if ((code & 14) == 12) { /* POP */
        transfer_list(decoded, true, bits(word, 7, 0) | (uint32_t)bit(word, 8) << PROGRAM_COUNTER, STACK_POINTER, true);
    } else if (code == 0) { /* ADD, SUB of the stack pointer */
        reads(decoded, STACK_POINTER);
        writes(decoded, STACK_POINTER);
    } else if (code == 2 || code == 10) { /* extensions; REV */
        reads(decoded, bits(word, 5, 3));
        writes(decoded, bits(word, 2, 0));
    } else {
        is(decoded, MIX_other, code == 15 ? OP_alu : OP_system); /* IT, hints; CPS, BKPT */
    }
}

static void narrow(uint32_t word, struct instruction *decoded) {
    unsigned int group = bits(word, 15, 12);
    if (group < 4) shift_add_move(word, decoded);
    else if (group == 4 && bits(word, 11, 10) == 0) two_low_registers(word, decoded);
    else if (group == 4 && bits(word, 11, 10) == 1) any_registers(word, decoded);
    else if (group == 4) transfer(decoded, true, bits(word, 10, 8)); /* a literal */
    else if (group < 10) load_or_store_low(word, decoded);
    else if (group == 10) { /* ADR, ADD to the stack pointer */
        is(decoded, MIX_integer, OP_alu);
        if (bit(word, 11)) reads(decoded, STACK_POINTER);
        writes(decoded, bits(word, 10, 8));
    } else if (group == 11) miscellaneous(word, decoded);
    else if (group == 12) transfer_list(decoded, bit(word, 11), bits(word, 7, 0), bits(word, 10, 8), true);
    else if (group == 13 && bits(word, 11, 8) == 15) is(decoded, MIX_other, OP_system); /* SVC */
    else {
        branch(decoded, group == 13, false);
        if (group == 13) reads(decoded, REGISTER_FLAGS);
    }
}

/* ---- 32 bits ---- */

static unsigned int rn(uint32_t word) { return bits(word, 19, 16); }
static unsigned int rt(uint32_t word) { return bits(word, 15, 12); }
static unsigned int rd(uint32_t word) { return bits(word, 11, 8); }
static unsigned int rm(uint32_t word) { return bits(word, 3, 0); }

static void multiple_or_pair(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 20), exclusive = !bit(word, 24) && !bit(word, 21);
    if (!bit(word, 22)) {
        transfer_list(decoded, load, bits(word, 15, 0), rn(word), bit(word, 21));
        return;
    }
    reads(decoded, rn(word));
    decoded->addressing = 1;
    if (exclusive && bit(word, 23) && load && bits(word, 7, 5) == 0) { /* TBB, TBH */
        reads(decoded, rm(word));
        decoded->addressing = 2;
        branch(decoded, false, true);
        return;
    }
    transfer(decoded, load, rt(word));
    if (!exclusive) { /* LDRD, STRD */
        transfer(decoded, load, rd(word));
        is(decoded, load ? MIX_load : MIX_store, load ? OP_load_pair : OP_store_pair);
        if (bit(word, 21)) decoded->base = (uint8_t)rn(word);
    } else if (!load) {
        writes(decoded, bit(word, 23) ? rm(word) : rd(word)); /* the status of a store-exclusive */
    }
}

static void data_processing(uint32_t word, struct instruction *decoded, bool by_register) {
    unsigned int code = bits(word, 24, 21), shift = bits(word, 14, 12) << 2 | bits(word, 7, 6);
    bool compares = rd(word) == 15 && (code == 0 || code == 4 || code == 8 || code == 13) && bit(word, 20);
    bool moves = (code == 2 || code == 3) && rn(word) == 15;
    is(decoded, MIX_integer, by_register && shift != 0 && !moves ? OP_alu_shift : OP_alu);
    if (!moves) reads(decoded, rn(word));
    if (by_register) reads(decoded, rm(word));
    if (code == 10 || code == 11) reads(decoded, REGISTER_FLAGS);
    if (bit(word, 20)) writes(decoded, REGISTER_FLAGS);
    if (!compares) writes(decoded, rd(word));
}

static void plain_immediate(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 24, 20);
    is(decoded, MIX_integer, OP_alu);
    if (code == 12 || code == 22) reads(decoded, rd(word)); /* MOVT; BFI */
    if (code != 4 && code != 12 && rn(word) != 15) reads(decoded, rn(word));
    writes(decoded, rd(word));
}

static void branch_or_control(uint32_t word, struct instruction *decoded) {
    bool links = bit(word, 14);
    if (links || bit(word, 12)) {
        branch(decoded, false, false);
        if (links) writes(decoded, LINK);
    } else if (bits(word, 25, 23) != 7) {
        branch(decoded, true, false);
        reads(decoded, REGISTER_FLAGS);
    } else {
        is(decoded, MIX_other, bits(word, 26, 20) == 0x3a ? OP_alu : OP_system); /* hints; MRS, MSR, barriers */
    }
}

static void load_or_store(uint32_t word, struct instruction *decoded) {
    bool immediate = bit(word, 23) || rn(word) == 15, indexed = !immediate && !bit(word, 11);
    if (rn(word) != 15) reads(decoded, rn(word));
    if (indexed) reads(decoded, rm(word));
    decoded->addressing = decoded->reads;
    if (!immediate && bit(word, 11) && bit(word, 8)) decoded->base = (uint8_t)rn(word);
    if (bit(word, 20) && rt(word) == 15 && bits(word, 22, 21) != 2) is(decoded, MIX_other, OP_load); /* PLD */
    else transfer(decoded, bit(word, 20), rt(word));
}

static void registers(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_integer, OP_alu);
    if (rn(word) != 15) reads(decoded, rn(word));
    reads(decoded, rm(word));
    writes(decoded, rd(word));
}

static void multiply(uint32_t word, struct instruction *decoded) {
    bool longer = bit(word, 23), divides = longer && bits(word, 7, 4) == 15;
    is(decoded, MIX_integer, divides ? OP_div : OP_mul);
    reads(decoded, rn(word));
    reads(decoded, rm(word));
    if (!longer && rt(word) != 15) {
        reads(decoded, rt(word));
        decoded->accumulated = 1;
    }
    if (longer && !divides && bits(word, 22, 21) >= 2) {
        reads(decoded, rt(word));
        reads(decoded, rd(word));
        decoded->accumulated = 2;
    }
    writes(decoded, rd(word));
    if (longer && !divides) writes(decoded, rt(word));
}

static uint32_t as_a32(uint32_t word) {
    if (bits(word, 27, 24) == 15) return (word & 0x00ffffff) | 0xf2000000 | (uint32_t)bit(word, 28) << 24;
    return bits(word, 31, 24) == 0xf9 ? (word & 0x00ffffff) | 0xf4000000 : word;
}

static bool is_vector(uint32_t word) {
    bool coprocessor = bits(word, 27, 26) == 3 && bits(word, 31, 29) == 7;
    return coprocessor || (bits(word, 31, 24) == 0xf9 && !bit(word, 20));
}

void decode_t32(uint32_t word, unsigned int bytes, struct instruction *decoded) {
    memset(decoded, 0, sizeof *decoded);
    decoded->base = NO_REGISTER;
    decoded->beats = 1;
    is(decoded, MIX_other, OP_system);
    if (bytes == 2) narrow(word, decoded);
    else if (is_vector(word) && decode_a32_vector(as_a32(word), decoded)) return;
    else if (bits(word, 31, 25) == 0x74) multiple_or_pair(word, decoded);
    else if (bits(word, 31, 25) == 0x75) data_processing(word, decoded, true);
    else if (bits(word, 31, 27) == 0x1e && bit(word, 15)) branch_or_control(word, decoded);
    else if (bits(word, 31, 27) == 0x1e && bit(word, 25)) plain_immediate(word, decoded);
    else if (bits(word, 31, 27) == 0x1e) data_processing(word, decoded, false);
    else if (bits(word, 31, 25) == 0x7c) load_or_store(word, decoded);
    else if (bits(word, 31, 24) == 0xfa) registers(word, decoded);
    else if (bits(word, 31, 24) == 0xfb) multiply(word, decoded);
}
