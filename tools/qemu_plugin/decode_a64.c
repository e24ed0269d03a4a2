/*
 * A64 by its encoding tables: Arm Architecture Reference Manual for A-profile (DDI 0487), chapter C4, "A64 Instruction
 * Set Encoding". Only what decides class, operation and registers is read; operands beyond that are ignored.
 */
#include <string.h>

#include "a64_fields.h"

/* ---- integer ---- */

static void immediate_operand(uint32_t word, struct instruction *decoded) {
    unsigned int kind = bits(word, 25, 23);
    is(decoded, MIX_integer, OP_alu);
    switch (kind) {
    case 0: case 1: /* ADR */
        writes(decoded, rd(word));
        return;
    case 2: case 3: /* ADD, SUB: the stack pointer unless flags are set */
        reads(decoded, rn(word));
        if (bit(word, 29)) {
            writes(decoded, REGISTER_FLAGS);
            writes_x(decoded, rd(word));
        } else {
            writes(decoded, rd(word));
        }
        return;
    case 4: /* AND, ORR, EOR, ANDS */
        reads_x(decoded, rn(word));
        if (bits(word, 30, 29) == 3) {
            writes(decoded, REGISTER_FLAGS);
            writes_x(decoded, rd(word));
        } else {
            writes(decoded, rd(word));
        }
        return;
    case 5: /* MOVZ, MOVN; MOVK keeps the rest of its register */
        if (bits(word, 30, 29) == 3) reads_x(decoded, rd(word));
        writes_x(decoded, rd(word));
        return;
    case 6: /* SBFM, UBFM; BFM keeps the rest */
        reads_x(decoded, rn(word));
        if (bits(word, 30, 29) == 1) reads_x(decoded, rd(word));
        writes_x(decoded, rd(word));
        return;
    default: /* EXTR */
        reads_x(decoded, rn(word));
        reads_x(decoded, rm(word));
        writes_x(decoded, rd(word));
    }
}

static void add_or_logical(uint32_t word, struct instruction *decoded) {
    bool add = bit(word, 24), extended = add && bit(word, 21), flags = add ? bit(word, 29) : bits(word, 30, 29) == 3;
    bool plain = extended ? bits(word, 15, 10) == 3u << 3 : bits(word, 15, 10) == 0;
    is(decoded, MIX_integer, plain ? OP_alu : OP_alu_shift);
    if (extended) reads(decoded, rn(word));
    else reads_x(decoded, rn(word));
    reads_x(decoded, rm(word));
    if (flags) writes(decoded, REGISTER_FLAGS);
    if (extended && !flags) writes(decoded, rd(word));
    else writes_x(decoded, rd(word));
}

static void multiply(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_integer, OP_mul);
    reads_x(decoded, rn(word));
    reads_x(decoded, rm(word));
    if (ra(word) != ZERO_OR_STACK) {
        reads(decoded, ra(word));
        decoded->accumulated = 1;
    }
    writes_x(decoded, rd(word));
}

static void register_operands(uint32_t word, struct instruction *decoded) {
    unsigned int kind = bits(word, 24, 21);
    if (!bit(word, 28)) {
        add_or_logical(word, decoded);
        return;
    }
    if (kind >= 8) {
        multiply(word, decoded);
        return;
    }
    is(decoded, MIX_integer, OP_alu);
    reads_x(decoded, rn(word));
    switch (kind) {
    case 0: case 4: /* ADC, SBC; CSEL and its family */
        reads_x(decoded, rm(word));
        reads(decoded, REGISTER_FLAGS);
        if (kind == 0 && bit(word, 29)) writes(decoded, REGISTER_FLAGS);
        break;
    case 2: /* CCMP, with a register or an immediate; it writes flags only */
        if (!bit(word, 11)) reads_x(decoded, rm(word));
        reads(decoded, REGISTER_FLAGS);
        writes(decoded, REGISTER_FLAGS);
        return;
    default: /* one source, or two: UDIV, SDIV, variable shifts, CRC32 */
        if (bit(word, 30)) break;
        reads_x(decoded, rm(word));
        if (bits(word, 15, 11) == 1) decoded->operation = OP_div;
        if (bits(word, 15, 13) == 2) decoded->operation = OP_mul;
    }
    writes_x(decoded, rd(word));
}

static void branch_or_system(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_branch, OP_branch);
    if (bits(word, 30, 26) == 5) { /* B, BL */
        if (bit(word, 31)) writes(decoded, 30);
    } else if (bits(word, 30, 26) == 13) { /* CBZ, TBZ */
        reads_x(decoded, rd(word));
        decoded->conditional = true;
    } else if (bits(word, 31, 25) == 0x2a) { /* B.cond */
        reads(decoded, REGISTER_FLAGS);
        decoded->conditional = true;
    } else if (bits(word, 31, 25) == 0x6b) { /* BR, BLR, RET */
        reads_x(decoded, rn(word));
        if (bits(word, 24, 21) == 1) writes(decoded, 30);
        decoded->indirect = true;
    } else {
        bool hint = bits(word, 31, 12) == 0xd5032;
        is(decoded, MIX_other, hint ? OP_alu : OP_system);
        if (bits(word, 31, 20) == 0xd53) writes_x(decoded, rd(word)); /* MRS */
        if (bits(word, 31, 20) == 0xd51) reads_x(decoded, rd(word));  /* MSR */
    }
}

/* ---- loads and stores ---- */

static void address(uint32_t word, struct instruction *decoded, bool indexed, bool written_back) {
    reads(decoded, rn(word));
    if (indexed) reads_x(decoded, rm(word));
    decoded->addressing = decoded->reads;
    if (written_back) decoded->base = (uint8_t)rn(word);
}

static enum operation transfer(bool load, unsigned int registers, bool vector, unsigned int bytes) {
    if (!vector) return registers == 2 ? (load ? OP_load_pair : OP_store_pair) : (load ? OP_load : OP_store);
    if (registers * bytes <= 8) return load ? OP_load_fp : OP_store_fp;
    if (registers == 1) return load ? OP_load_fp_q : OP_store_fp_q;
    return load ? OP_load_fp_many : OP_store_fp_many;
}

static void data(struct instruction *decoded, bool load, bool vector, unsigned int number) {
    if (vector && load) writes_v(decoded, number);
    else if (vector) reads_v(decoded, number);
    else if (load) writes_x(decoded, number);
    else reads_x(decoded, number);
}

static void move_registers(struct instruction *decoded, bool load, bool vector, unsigned int first, unsigned int second,
                           unsigned int registers, unsigned int bytes) {
    is(decoded, load ? MIX_load : MIX_store, transfer(load, registers, vector, bytes));
    decoded->beats = (uint8_t)((registers * bytes + 7) / 8);
    data(decoded, load, vector, first);
    if (registers == 2) data(decoded, load, vector, second);
}

static void pair(uint32_t word, struct instruction *decoded) {
    bool vector = bit(word, 26);
    unsigned int size = bits(word, 31, 30), bytes = vector ? 4u << size : (size == 2 ? 8 : 4);
    address(word, decoded, false, bit(word, 23));
    move_registers(decoded, bit(word, 22), vector, rd(word), ra(word), 2, bytes);
}

static void one_register(uint32_t word, struct instruction *decoded) {
    bool vector = bit(word, 26), scaled = bit(word, 24), indexed = !scaled && bit(word, 21);
    unsigned int size = bits(word, 31, 30), code = bits(word, 23, 22), mode = bits(word, 11, 10);
    unsigned int bytes = vector && (code & 2) ? 16 : 1u << size;
    bool load = vector ? code & 1 : code != 0;
    if (indexed && mode == 0 && !vector) { /* atomics of Armv8.1: read, modify, write */
        reads(decoded, rn(word));
        decoded->addressing = 1;
        reads_x(decoded, rm(word));
        is(decoded, MIX_load, OP_load);
        writes_x(decoded, rd(word));
        return;
    }
    address(word, decoded, indexed, !scaled && !indexed && (mode & 1));
    if (!vector && size == 3 && code == 2) { /* PRFM */
        is(decoded, MIX_other, OP_load);
        return;
    }
    move_registers(decoded, load, vector, rd(word), 0, 1, bytes);
}

static void exclusive(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 22), paired = bit(word, 21) && !bit(word, 23);
    address(word, decoded, false, false);
    is(decoded, load ? MIX_load : MIX_store, load ? OP_load : OP_store);
    data(decoded, load, false, rd(word));
    if (paired) data(decoded, load, false, ra(word));
    if (!load && !bit(word, 23)) writes_x(decoded, rm(word)); /* the status of a store-exclusive */
}

static void structures(uint32_t word, struct instruction *decoded) {
    static const uint8_t registers_of[16] = {4, 0, 4, 0, 3, 0, 3, 1, 2, 0, 2, 0, 0, 0, 0, 0};
    bool load = bit(word, 22), single = bit(word, 24), replicated = single && bits(word, 15, 14) == 3;
    unsigned int registers = single ? (bit(word, 13) << 1 | bit(word, 21)) + 1u : registers_of[bits(word, 15, 12)];
    unsigned int bytes = single || !bit(word, 30) ? 8 : 16;
    address(word, decoded, bit(word, 23), bit(word, 23));
    is(decoded, load ? MIX_load : MIX_store, transfer(load, registers, true, bytes));
    if (single && load && registers == 1) decoded->operation = OP_load_lane;
    decoded->beats = (uint8_t)(registers * bytes / 8);
    for (unsigned int index = 0; index < registers; index++) {
        if (single && load && !replicated) reads_v(decoded, rd(word) + index);
        data(decoded, load, true, (rd(word) + index) % 32);
    }
}

static void load_or_store(uint32_t word, struct instruction *decoded) {
    unsigned int kind = bits(word, 29, 27);
    if (kind == 1 && bit(word, 26) && !bit(word, 31)) structures(word, decoded);
    else if (kind == 1) exclusive(word, decoded);
    else if (kind == 3 && !bit(word, 24)) { /* literal */
        bool vector = bit(word, 26);
        if (!vector && bits(word, 31, 30) == 3) is(decoded, MIX_other, OP_load); /* PRFM */
        else move_registers(decoded, true, vector, rd(word), 0, 1, 4u << bits(word, 31, 30));
    } else if (kind == 5) pair(word, decoded);
    else one_register(word, decoded);
}

/* ---- scalar floating point ---- */

static void three_floats(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_mac, OP_fmac_s);
    reads_v(decoded, rn(word));
    reads_v(decoded, rm(word));
    reads_v(decoded, ra(word));
    decoded->accumulated = 1;
    writes_v(decoded, rd(word));
}

static void float_and_integer(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 18, 16);
    bool to_fp = code == 2 || code == 3 || code == 7, move = bit(word, 21) && code >= 6;
    is(decoded, MIX_simd, move ? (to_fp ? OP_move_to_fp : OP_move_to_int) : OP_fcvt_s);
    if (to_fp) {
        reads_x(decoded, rn(word));
        if (move && bits(word, 20, 19) == 1) reads_v(decoded, rd(word)); /* FMOV to the upper half */
        writes_v(decoded, rd(word));
    } else {
        reads_v(decoded, rn(word));
        writes_x(decoded, rd(word));
    }
}

static void one_float(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 20, 15);
    is(decoded, MIX_simd, code < 3 ? OP_simd_d : code == 3 ? OP_fdiv_s : OP_fcvt_s);
    reads_v(decoded, rn(word));
    writes_v(decoded, rd(word));
}

static void two_floats(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 15, 12);
    is(decoded, MIX_simd, code == 0 || code == 8 ? OP_fmul_s : code == 1 ? OP_fdiv_s : OP_fadd_s);
    reads_v(decoded, rn(word));
    reads_v(decoded, rm(word));
    writes_v(decoded, rd(word));
}

static void compare_floats(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_simd, OP_fadd_s);
    reads_v(decoded, rn(word));
    if (!bit(word, 3) || bit(word, 10)) reads_v(decoded, rm(word));
    if (bit(word, 10)) reads(decoded, REGISTER_FLAGS); /* FCCMP */
    writes(decoded, REGISTER_FLAGS);
}

static void scalar_float(uint32_t word, struct instruction *decoded) {
    unsigned int low = bits(word, 11, 10);
    if (!bit(word, 21) || bits(word, 15, 10) == 0) float_and_integer(word, decoded);
    else if (low == 1) compare_floats(word, decoded);
    else if (low == 2) two_floats(word, decoded);
    else if (low == 3) { /* FCSEL */
        two_floats(word, decoded);
        decoded->operation = OP_simd_d;
        reads(decoded, REGISTER_FLAGS);
    } else if (bit(word, 12)) { /* FMOV of an immediate */
        is(decoded, MIX_simd, OP_simd_d);
        writes_v(decoded, rd(word));
    } else if (bit(word, 13)) compare_floats(word, decoded);
    else one_float(word, decoded);
}

void decode_a64(uint32_t word, struct instruction *decoded) {
    unsigned int group = bits(word, 28, 25);
    memset(decoded, 0, sizeof *decoded);
    decoded->base = NO_REGISTER;
    decoded->beats = 1;
    is(decoded, MIX_other, OP_system);
    if ((group & 14) == 8) immediate_operand(word, decoded);
    else if ((group & 14) == 10) branch_or_system(word, decoded);
    else if ((group & 5) == 4) load_or_store(word, decoded);
    else if ((group & 7) == 5) register_operands(word, decoded);
    else if ((group & 7) != 7) return; /* SVE, SME, reserved: none of the cores here has them */
    else if ((word & 0x5f000000) == 0x1e000000) scalar_float(word, decoded);
    else if ((word & 0x5f000000) == 0x1f000000) three_floats(word, decoded);
    else decode_a64_vector(word, decoded);
}
