/*
 * Floating point and Advanced SIMD of A32: Arm Architecture Reference Manual for Armv7-A (DDI 0406C), chapter A7,
 * "Advanced SIMD and Floating-point Instruction Encoding", with the dot products and selections of Armv8. T32 encodes
 * the same instructions with a few bits moved, so that its decoder comes here too.
 */
#include "instruction.h"

enum form { SCALAR, HALF, FULL };

static void reads_d(struct instruction *decoded, unsigned int number, unsigned int doubles) {
    for (unsigned int half = 0; half < 2 * doubles; half++) reads(decoded, REGISTER_FP + (2 * number + half) % 64);
}
static void writes_d(struct instruction *decoded, unsigned int number, unsigned int doubles) {
    for (unsigned int half = 0; half < 2 * doubles; half++) writes(decoded, REGISTER_FP + (2 * number + half) % 64);
}
static void reads_s(struct instruction *decoded, unsigned int number) { reads(decoded, REGISTER_FP + number); }
static void writes_s(struct instruction *decoded, unsigned int number) { writes(decoded, REGISTER_FP + number); }

/* The three register fields as numbers of d registers, and the lengths in d registers that go with them. */
static unsigned int dd(uint32_t word) { return bit(word, 22) << 4 | bits(word, 15, 12); }
static unsigned int dn(uint32_t word) { return bit(word, 7) << 4 | bits(word, 19, 16); }
static unsigned int dm(uint32_t word) { return bit(word, 5) << 4 | bits(word, 3, 0); }

static enum operation of_form(enum operation scalar, enum form form) { return (enum operation)(scalar + form); }
static enum operation of_width(enum operation half, enum form form) { return (enum operation)(half + (form == FULL)); }

struct lengths { unsigned int d, n, m; }; /* in d registers; 0: the field is no operand */

static void vector_result(uint32_t word, struct instruction *decoded, enum operation operation, struct lengths lengths,
                          bool keeps, bool mac) {
    is(decoded, mac ? MIX_mac : MIX_simd, operation);
    reads_d(decoded, dn(word), lengths.n);
    reads_d(decoded, dm(word), lengths.m);
    if (keeps) reads_d(decoded, dd(word), lengths.d);
    if (mac) decoded->accumulated = (uint8_t)(2 * lengths.d);
    writes_d(decoded, dd(word), lengths.d);
}

static struct lengths equal(unsigned int length) { return (struct lengths){length, length, length}; }

/* ---- Advanced SIMD data processing ---- */

static void three_same(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 11, 8), size = bits(word, 21, 20), length = bit(word, 6) ? 2 : 1;
    bool low = bit(word, 4), upper = bit(word, 24), keeps = false, mac = false;
    enum form form = length == 2 ? FULL : HALF;
    enum operation operation = of_width(OP_simd_d, form);
    if (code >= 13) operation = of_form(OP_fadd_s, form);
    if ((code == 12 && low && !upper) || (code == 13 && low && !upper)) { /* VFMA, VFMS; VMLA, VMLS of floats */
        operation = of_form(OP_fmac_s, form);
        keeps = mac = true;
    } else if ((code == 13 && low) || (code == 15 && low && !upper)) { /* VMUL of floats; VRECPS, VRSQRTS */
        operation = of_form(OP_fmul_s, form);
    } else if ((code == 9 && !low) || ((code == 11 || code == 12) && low && upper)) { /* VMLA, VMLS; VQRDMLAH, VQRDMLSH */
        operation = of_width(OP_simd_mac_d, form);
        keeps = mac = true;
    } else if (code == 9 || (code == 11 && !low)) { /* VMUL; VQDMULH */
        operation = of_width(OP_simd_mul_d, form);
    } else if ((code == 1 && low && upper && size > 0) || (code == 7 && low)) { /* VBSL, VBIT, VBIF; VABA */
        keeps = true;
    }
    vector_result(word, decoded, operation, equal(length), keeps, mac);
}

static void immediate_or_shift(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 11, 8), length = bit(word, 6) ? 2 : 1;
    enum form form = length == 2 ? FULL : HALF;
    bool upper = bit(word, 24), keeps;
    if (!bit(word, 7) && bits(word, 21, 19) == 0) { /* VMOV, VMVN; VORR, VBIC keep the register */
        keeps = (code & 1) && code < 12;
        vector_result(word, decoded, of_width(OP_simd_d, form), (struct lengths){length, 0, 0}, keeps, false);
    } else if (code == 8 || code == 9) { /* narrowing */
        vector_result(word, decoded, OP_simd_q, (struct lengths){1, 0, 2}, false, false);
    } else if (code == 10) { /* VSHLL, VMOVL */
        vector_result(word, decoded, OP_simd_q, (struct lengths){2, 0, 1}, false, false);
    } else {
        keeps = code == 1 || code == 3 || code == 4 || (code == 5 && upper);
        vector_result(word, decoded, code >= 14 ? of_form(OP_fcvt_s, form) : of_width(OP_simd_d, form),
                      (struct lengths){length, 0, length}, keeps, false);
    }
}

static void three_different(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 11, 8);
    bool mac = code >= 8 && code < 12, narrows = code == 4 || code == 6, wide = code == 1 || code == 3;
    enum operation operation = mac ? OP_simd_mac_q : code >= 12 ? OP_simd_mul_q : OP_simd_q;
    struct lengths lengths = narrows ? (struct lengths){1, 2, 2} : (struct lengths){2, wide ? 2 : 1, 1};
    vector_result(word, decoded, operation, lengths, mac || code == 5, mac);
}

static void by_scalar(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 11, 8), length = bit(word, 24) ? 2 : 1, kind = code & 3;
    unsigned int scalar = bits(word, 21, 20) == 1 ? bits(word, 2, 0) : bits(word, 3, 0);
    enum form form = length == 2 ? FULL : HALF;
    bool mac = code < 8 || code >= 14, longer = kind >= 2 && code < 12, floats = kind == 1 && code < 12;
    enum operation operation;
    if (floats) operation = of_form(mac ? OP_fmac_s : OP_fmul_s, form);
    else if (longer) operation = mac ? OP_simd_mac_q : OP_simd_mul_q;
    else operation = of_width(mac ? OP_simd_mac_d : OP_simd_mul_d, form);
    is(decoded, mac ? MIX_mac : MIX_simd, operation);
    reads_d(decoded, dn(word), longer ? 1 : length);
    reads_d(decoded, scalar, 1);
    if (mac) {
        reads_d(decoded, dd(word), longer ? 2 : length);
        decoded->accumulated = (uint8_t)(2 * (longer ? 2 : length));
    }
    writes_d(decoded, dd(word), longer ? 2 : length);
}

static void swaps(uint32_t word, struct instruction *decoded, enum operation operation, unsigned int length) {
    vector_result(word, decoded, operation, (struct lengths){length, 0, length}, true, false);
    writes_d(decoded, dm(word), length);
}

static void two_register(uint32_t word, struct instruction *decoded) {
    unsigned int group = bits(word, 17, 16), code = bits(word, 10, 7), length = bit(word, 6) ? 2 : 1;
    enum form form = length == 2 ? FULL : HALF;
    enum operation operation = of_width(OP_simd_d, form);
    struct lengths lengths = {length, 0, length};
    if (group == 2 && code < 4) { /* VSWP, VTRN, VUZP, VZIP change both registers */
        swaps(word, decoded, of_width(OP_permute_d, form), length);
        return;
    }
    if (group == 0 && code < 3) operation = of_width(OP_permute_d, form); /* VREV */
    if (group == 1 && (code & 8)) operation = of_form(OP_fadd_s, form); /* comparisons, VABS, VNEG of floats */
    if (group == 3) operation = of_form(OP_fcvt_s, form);
    if (group == 2) { /* VMOVN, VQMOVN, VCVT to half; VSHLL, VCVT from half */
        bool widens = code == 6 || code == 14;
        lengths = widens ? (struct lengths){2, 0, 1} : (struct lengths){1, 0, 2};
        operation = code >= 12 ? OP_fcvt_q : widens ? OP_simd_q : OP_permute_q;
    }
    vector_result(word, decoded, operation, lengths, group == 0 && (code & 14) == 12, false); /* VPADAL keeps */
}

static void table(uint32_t word, struct instruction *decoded) {
    is(decoded, MIX_simd, OP_permute_d);
    reads_d(decoded, dn(word), bits(word, 9, 8) + 1);
    reads_d(decoded, dm(word), 1);
    if (bit(word, 6)) reads_d(decoded, dd(word), 1);
    writes_d(decoded, dd(word), 1);
}

static void vector(uint32_t word, struct instruction *decoded) {
    unsigned int length = bit(word, 6) ? 2 : 1;
    enum operation permute = length == 2 ? OP_permute_q : OP_permute_d;
    if (!bit(word, 23)) three_same(word, decoded);
    else if (bit(word, 4)) immediate_or_shift(word, decoded);
    else if (bits(word, 21, 20) != 3 && bit(word, 6)) by_scalar(word, decoded);
    else if (bits(word, 21, 20) != 3) three_different(word, decoded);
    else if (!bit(word, 24)) vector_result(word, decoded, permute, equal(length), false, false); /* VEXT */
    else if (!bit(word, 11)) two_register(word, decoded);
    else if (!bit(word, 10)) table(word, decoded);
    else vector_result(word, decoded, permute, (struct lengths){length, 0, 1}, false, false); /* VDUP of an element */
}

/* ---- loads and stores ---- */

static enum operation transfer(bool load, unsigned int doubles) {
    if (doubles <= 1) return load ? OP_load_fp : OP_store_fp;
    if (doubles == 2) return load ? OP_load_fp_q : OP_store_fp_q;
    return load ? OP_load_fp_many : OP_store_fp_many;
}

static void doubles(struct instruction *decoded, bool load, unsigned int first, unsigned int count, unsigned int step) {
    is(decoded, load ? MIX_load : MIX_store, transfer(load, count));
    decoded->beats = (uint8_t)(count ? count : 1);
    for (unsigned int index = 0; index < count; index++) {
        if (load) writes_d(decoded, first + index * step, 1);
        else reads_d(decoded, first + index * step, 1);
    }
}

/* VLD2 to VLD4 and their stores can take every other d register. */
static unsigned int register_step(uint32_t word) {
    unsigned int kind = bits(word, 11, 8), size = bits(word, 11, 10);
    if (!bit(word, 23)) return kind == 1 || kind == 5 || kind == 9 ? 2 : 1;
    if (bits(word, 9, 8) == 0) return 1;
    return (size == 3 && bit(word, 5)) || (size == 1 && bit(word, 5)) || (size == 2 && bit(word, 6)) ? 2 : 1;
}

static void vector_transfer(uint32_t word, struct instruction *decoded) {
    static const uint8_t multiple[16] = {4, 4, 4, 4, 3, 3, 3, 1, 2, 2, 2, 0, 0, 0, 0, 0};
    bool load = bit(word, 21), single = bit(word, 23), all_lanes = single && bits(word, 11, 10) == 3;
    unsigned int count = single ? bits(word, 9, 8) + 1 : multiple[bits(word, 11, 8)], offset = bits(word, 3, 0);
    if (all_lanes && count == 1 && bit(word, 5)) count = 2;
    reads(decoded, bits(word, 19, 16));
    if (offset != 15 && offset != 13) reads(decoded, offset);
    decoded->addressing = decoded->reads;
    if (offset != 15) decoded->base = (uint8_t)bits(word, 19, 16);
    if (single && load && !all_lanes)
        for (unsigned int index = 0; index < count; index++) reads_d(decoded, dd(word) + index * register_step(word), 1);
    doubles(decoded, load, dd(word), count, register_step(word));
    if (single && load && count == 1) decoded->operation = OP_load_lane;
}

static void float_transfer(uint32_t word, struct instruction *decoded) {
    bool load = bit(word, 20), wide = bit(word, 8), one = bit(word, 24) && !bit(word, 21);
    unsigned int count = one ? 1 : wide ? bits(word, 7, 1) : bits(word, 7, 0);
    reads(decoded, bits(word, 19, 16));
    decoded->addressing = 1;
    if (bit(word, 21)) decoded->base = (uint8_t)bits(word, 19, 16);
    if (wide) {
        doubles(decoded, load, dd(word), count, 1);
        return;
    }
    is(decoded, load ? MIX_load : MIX_store, transfer(load, (count + 1) / 2));
    decoded->beats = (uint8_t)((count + 1) / 2);
    for (unsigned int index = 0; index < count; index++) {
        unsigned int number = ((bits(word, 15, 12) << 1 | bit(word, 22)) + index) % 32;
        if (load) writes_s(decoded, number);
        else reads_s(decoded, number);
    }
}

/* ---- transfers between the register files ---- */

static void move_two(uint32_t word, struct instruction *decoded) {
    bool to_integer = bit(word, 20), wide = bit(word, 8);
    unsigned int single = bits(word, 3, 0) << 1 | bit(word, 5);
    is(decoded, MIX_simd, to_integer ? OP_move_to_int : OP_move_to_fp);
    for (unsigned int half = 0; half < 2; half++) {
        unsigned int integer = half ? bits(word, 19, 16) : bits(word, 15, 12);
        unsigned int number = wide ? 2 * dm(word) + half : (single + half) % 32;
        if (to_integer) reads_s(decoded, number), writes(decoded, integer);
        else reads(decoded, integer), writes_s(decoded, number);
    }
}

static void move_one(uint32_t word, struct instruction *decoded) {
    bool to_integer = bit(word, 20), element = bit(word, 8);
    unsigned int integer = bits(word, 15, 12), single = bits(word, 19, 16) << 1 | bit(word, 7);
    is(decoded, MIX_simd, to_integer ? OP_move_to_int : OP_move_to_fp);
    if (!element && bits(word, 23, 21) == 7) { /* VMRS, VMSR */
        if (to_integer) writes(decoded, integer == 15 ? REGISTER_FLAGS : integer);
        else reads(decoded, integer);
    } else if (to_integer) {
        if (element) reads_d(decoded, dn(word), 1);
        else reads_s(decoded, single);
        writes(decoded, integer);
    } else {
        reads(decoded, integer);
        if (element && bit(word, 23)) writes_d(decoded, dn(word), bit(word, 21) ? 2 : 1); /* VDUP */
        else if (element) reads_d(decoded, dn(word), 1), writes_d(decoded, dn(word), 1);
        else writes_s(decoded, single);
    }
}

/* ---- floating-point data processing ---- */

static void float_operand(uint32_t word, struct instruction *decoded, char field, bool wide, bool written) {
    unsigned int number = field == 'd' ? dd(word) : field == 'n' ? dn(word) : dm(word);
    if (!wide) number = (number & 15) << 1 | number >> 4;
    if (wide && written) writes_d(decoded, number, 1);
    else if (wide) reads_d(decoded, number, 1);
    else if (written) writes_s(decoded, number);
    else reads_s(decoded, number);
}

static void float_unary(uint32_t word, struct instruction *decoded, bool wide) {
    unsigned int code = bits(word, 19, 16);
    bool compare = code == 4 || code == 5, resizes = code == 7 && bit(word, 7), from_integer = code == 8;
    bool to_integer = code == 12 || code == 13;
    is(decoded, MIX_simd, code == 1 && bit(word, 7) ? OP_fdiv_s : code < 2 ? OP_simd_d : compare ? OP_fadd_s : OP_fcvt_s);
    if (code != 5) float_operand(word, decoded, 'm', wide && !from_integer, false);
    if (compare) float_operand(word, decoded, 'd', wide, false);
    else float_operand(word, decoded, 'd', resizes ? !wide : wide && !to_integer, true);
}

static void float_operation(uint32_t word, struct instruction *decoded) {
    static const enum operation rows[8] = {OP_fmac_s, OP_fmac_s, OP_fmul_s, OP_fadd_s,
                                           OP_fdiv_s, OP_fmac_s, OP_fmac_s, OP_fcvt_s};
    unsigned int code = bit(word, 23) << 2 | bits(word, 21, 20);
    bool wide = bit(word, 8), mac = rows[code] == OP_fmac_s;
    if (code == 7 && bit(word, 6)) {
        float_unary(word, decoded, wide);
        return;
    }
    is(decoded, mac ? MIX_mac : MIX_simd, code == 7 ? OP_simd_d : rows[code]);
    if (code != 7) { /* 7: VMOV of an immediate */
        float_operand(word, decoded, 'n', wide, false);
        float_operand(word, decoded, 'm', wide, false);
    }
    if (mac) {
        float_operand(word, decoded, 'd', wide, false);
        decoded->accumulated = wide ? 2 : 1;
    }
    float_operand(word, decoded, 'd', wide, true);
}

/* Armv8's additions: VSEL, VMAXNM, VRINT, VCVT with a rounding mode; dot products and complex ones. */
static void later_addition(uint32_t word, struct instruction *decoded) {
    bool wide = bit(word, 8), selects = bits(word, 11, 9) == 5 && bits(word, 27, 24) == 14;
    unsigned int length = bit(word, 6) ? 2 : 1;
    if (!selects) {
        vector_result(word, decoded, length == 2 ? OP_simd_mac_q : OP_simd_mac_d, equal(length), true, true);
        return;
    }
    is(decoded, MIX_simd, bits(word, 23, 20) >= 11 && bits(word, 21, 20) == 3 ? OP_fcvt_s : OP_fadd_s);
    if (decoded->operation == OP_fadd_s) float_operand(word, decoded, 'n', wide, false);
    if (!bit(word, 23)) reads(decoded, REGISTER_FLAGS);
    float_operand(word, decoded, 'm', wide, false);
    float_operand(word, decoded, 'd', wide, true);
}

bool decode_a32_vector(uint32_t word, struct instruction *decoded) {
    unsigned int top = bits(word, 31, 28), coprocessor = bits(word, 11, 8);
    bool floating = coprocessor == 10 || coprocessor == 11 || coprocessor == 9;
    if (top == 15 && bits(word, 27, 25) == 1) vector(word, decoded);
    else if (top == 15 && bits(word, 27, 24) == 4 && !bit(word, 20)) vector_transfer(word, decoded);
    else if (top == 15 && bits(word, 27, 25) >= 6 && bits(word, 27, 24) != 15 && (floating || coprocessor == 13 || coprocessor == 8))
        later_addition(word, decoded);
    else if (top == 15 || !floating) return false;
    else if (bits(word, 27, 21) == 0x62) move_two(word, decoded);
    else if (bits(word, 27, 25) == 6) float_transfer(word, decoded);
    else if (bits(word, 27, 24) == 14 && bit(word, 4)) move_one(word, decoded);
    else if (bits(word, 27, 24) == 14) float_operation(word, decoded);
    else return false;
    return true;
}
