/*
 * Advanced SIMD of A64: Arm Architecture Reference Manual for A-profile (DDI 0487), C4.1, "Data Processing -- Scalar
 * Floating-Point and Advanced SIMD".
 */
#include "a64_fields.h"

static void vector_result(uint32_t word, struct instruction *decoded, enum operation operation, unsigned int sources,
                          bool keeps, bool mac) {
    is(decoded, mac ? MIX_mac : MIX_simd, operation);
    if (sources > 0) reads_v(decoded, rn(word));
    if (sources > 1) reads_v(decoded, rm(word));
    if (keeps) reads_v(decoded, rd(word));
    decoded->accumulated = mac && keeps;
    writes_v(decoded, rd(word));
}

static void three_same(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 15, 11), upper = bit(word, 29), size = bits(word, 23, 22);
    enum operation operation = of_width(OP_simd_d, form);
    bool keeps = false, mac = false;
    if (code >= 0x18) operation = of_form(OP_fadd_s, form);
    if (code == 0x19 || (code == 0x1d && !upper)) { /* FMLA, FMLS; FMLAL */
        operation = of_form(OP_fmac_s, form);
        keeps = mac = true;
    } else if (code == 0x1b || (code == 0x1f && !upper)) { /* FMUL, FMULX; FRECPS, FRSQRTS */
        operation = of_form(OP_fmul_s, form);
    } else if (code == 0x1f && size < 2) { /* FDIV */
        operation = of_form(OP_fdiv_s, form);
    } else if (code == 0x12) { /* MLA, MLS */
        operation = of_width(OP_simd_mac_d, form);
        keeps = mac = true;
    } else if (code == 0x13 || code == 0x16) { /* MUL, PMUL; SQDMULH */
        operation = of_width(OP_simd_mul_d, form);
    } else if ((code == 3 && upper && size > 0) || code == 0xf) { /* BSL, BIT, BIF; SABA, UABA */
        keeps = true;
    }
    vector_result(word, decoded, operation, 2, keeps, mac);
}

static void three_same_half_precision(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 13, 11);
    bool mac = code == 1, divides = code == 7 && bit(word, 29) && !bit(word, 23);
    enum operation row = mac ? OP_fmac_s : divides ? OP_fdiv_s : code == 3 || code == 7 ? OP_fmul_s : OP_fadd_s;
    vector_result(word, decoded, of_form(row, form), 2, mac, mac);
}

static void three_same_extra(uint32_t word, struct instruction *decoded, enum form form) {
    bool complex = bits(word, 14, 13) == 2, rotated_add = bits(word, 14, 13) == 3 && !bit(word, 11);
    if (rotated_add) vector_result(word, decoded, of_form(OP_fadd_s, form), 2, false, false); /* FCADD */
    else vector_result(word, decoded, complex ? of_form(OP_fmac_s, form) : of_width(OP_simd_mac_d, form), 2, true, true);
}

/* Widening and narrowing ones: one side of them is 128 bits wide. */
static void three_different(uint32_t word, struct instruction *decoded) {
    unsigned int code = bits(word, 15, 12);
    bool mac = code >= 8 && code < 12, upper_narrowed = (code == 4 || code == 6) && bit(word, 30);
    enum operation row = mac ? OP_simd_mac_q : code >= 12 ? OP_simd_mul_q : OP_simd_q;
    vector_result(word, decoded, row, 2, mac || code == 5 || upper_narrowed, mac);
}

static void two_register(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 16, 12), upper = bit(word, 29);
    bool across = bits(word, 21, 20) == 3 && bits(word, 19, 17) == 0;
    bool accumulates = !across && code == 6, narrows = !across && (code == 0x12 || code == 0x14 || code == 0x16);
    enum operation operation = of_width(OP_simd_d, form);
    if (across) {
        bool floats = code == 0x0c || code == 0x0d || code == 0x0f;
        if (floats) operation = of_form(OP_fadd_s, form);
    } else if (code >= 0x0c && code <= 0x0e) { /* FCMGT, FCMEQ, FCMLT with zero */
        operation = of_form(OP_fadd_s, form);
    } else if (code == 0x1f && upper) { /* FSQRT */
        operation = of_form(OP_fdiv_s, form);
    } else if (code >= 0x16) { /* conversions, rounding, estimates */
        operation = of_form(OP_fcvt_s, form);
    } else if (code <= 1 || code == 0x12) { /* REV; XTN */
        operation = of_width(OP_permute_d, form);
    }
    vector_result(word, decoded, operation, 1, accumulates || (narrows && bit(word, 30) && form != SCALAR), false);
}

static void by_element(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 15, 12), upper = bit(word, 29), size = bits(word, 23, 22);
    bool half = upper ? code == 8 || code == 12 : code == 0 || code == 4; /* FMLAL, FMLSL and their second halves */
    bool complex = upper && (code & 9) == 1; /* FCMLA */
    bool float_mac = code == 1 || code == 5 || half || complex, short_index = size < 2 || half;
    bool long_mac = !complex && (code == 2 || code == 3 || code == 6 || code == 7);
    bool dot = code == 14 || (code == 15 && !upper), whole = upper && (code == 0 || code == 4 || code == 13 || code == 15);
    bool mac = float_mac || long_mac || dot || whole;
    enum operation operation;
    if (float_mac) operation = of_form(OP_fmac_s, form);
    else if (code == 9) operation = of_form(OP_fmul_s, form);
    else if (long_mac) operation = OP_simd_mac_q;
    else if (mac) operation = of_width(OP_simd_mac_d, form);
    else operation = code == 10 || code == 11 ? OP_simd_mul_q : of_width(OP_simd_mul_d, form);
    is(decoded, mac ? MIX_mac : MIX_simd, operation);
    reads_v(decoded, rn(word));
    reads_v(decoded, short_index ? bits(word, 19, 16) : rm(word));
    if (mac) reads_v(decoded, rd(word));
    decoded->accumulated = mac;
    writes_v(decoded, rd(word));
}

static void immediate_or_shift(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 15, 11), mode = bits(word, 15, 12);
    if (bits(word, 22, 19) == 0 && form != SCALAR) { /* MOVI, MVNI, FMOV; ORR, BIC keep the register */
        vector_result(word, decoded, of_width(OP_simd_d, form), 0, (mode & 1) && mode < 12, false);
        return;
    }
    bool narrows = code >= 0x10 && code <= 0x13, keeps = code == 2 || code == 6 || code == 8;
    bool inserts = code == 0x0a && bit(word, 29);
    enum operation row = code >= 0x1c ? of_form(OP_fcvt_s, form) : of_width(OP_simd_d, form);
    if (code == 0x14) row = OP_simd_q; /* SSHLL, USHLL */
    vector_result(word, decoded, row, 1, keeps || inserts || (narrows && bit(word, 30) && form != SCALAR), false);
}

static void copy(uint32_t word, struct instruction *decoded, enum form form) {
    unsigned int code = bits(word, 14, 11);
    if (bit(word, 29)) { /* INS of an element */
        vector_result(word, decoded, OP_permute_q, 1, true, false);
    } else if (code == 0) { /* DUP of an element */
        vector_result(word, decoded, of_width(OP_permute_d, form), 1, false, false);
    } else if (code == 1 || code == 3) { /* DUP and INS of an integer register */
        is(decoded, MIX_simd, OP_move_to_fp);
        reads_x(decoded, rn(word));
        if (code == 3) reads_v(decoded, rd(word));
        writes_v(decoded, rd(word));
    } else { /* SMOV, UMOV */
        is(decoded, MIX_simd, OP_move_to_int);
        reads_v(decoded, rn(word));
        writes_x(decoded, rd(word));
    }
}

static void table(uint32_t word, struct instruction *decoded, enum form form) {
    is(decoded, MIX_simd, of_width(OP_permute_d, form));
    for (unsigned int index = 0; index <= bits(word, 14, 13); index++) reads_v(decoded, rn(word) + index);
    reads_v(decoded, rm(word));
    if (bit(word, 12)) reads_v(decoded, rd(word));
    writes_v(decoded, rd(word));
}

void decode_a64_vector(uint32_t word, struct instruction *decoded) {
    enum form form = bit(word, 28) ? SCALAR : bit(word, 30) ? FULL : HALF;
    bool low = bit(word, 10), next = bit(word, 11), fifteen = bit(word, 15);
    if (bits(word, 31, 24) == 0xce) { /* SHA3, SM3, SM4 */
        vector_result(word, decoded, OP_simd_q, 2, true, false);
    } else if (bit(word, 24)) {
        if (low) immediate_or_shift(word, decoded, form);
        else by_element(word, decoded, form);
    } else if (bit(word, 21)) {
        if (low) three_same(word, decoded, form);
        else if (next) two_register(word, decoded, form);
        else three_different(word, decoded);
    } else if (fifteen && low) three_same_extra(word, decoded, form);
    else if (bit(word, 22) && low) three_same_half_precision(word, decoded, form);
    else if (low) copy(word, decoded, form);
    else if (!next && !bit(word, 29)) table(word, decoded, form);
    else vector_result(word, decoded, of_width(OP_permute_d, form), 2, false, false); /* ZIP, UZP, TRN; EXT */
}
