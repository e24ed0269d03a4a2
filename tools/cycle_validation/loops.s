// Loops as kernels have them, hand-written so that each leans on another rule: one label a loop, its last instruction
// jumps back to it.

dot_chain:                              // one sum: every addition waits for the one before
    ldr     q0, [x0], #16
    ldr     q1, [x1], #16
    fmla    v16.4s, v0.4s, v1.4s
    subs    x2, x2, #1
    b.ne    dot_chain

dot_four_sums:
    ldp     q0, q1, [x0], #64
    ldp     q2, q3, [x0, #-32]
    ldp     q4, q5, [x1], #64
    ldp     q6, q7, [x1, #-32]
    fmla    v16.4s, v0.4s, v4.4s
    fmla    v17.4s, v1.4s, v5.4s
    fmla    v18.4s, v2.4s, v6.4s
    fmla    v19.4s, v3.4s, v7.4s
    subs    x2, x2, #1
    b.ne    dot_four_sums

axpy:
    ldr     q0, [x0], #16
    ldr     q1, [x1]
    fmla    v1.4s, v0.4s, v31.4s
    str     q1, [x1], #16
    subs    x2, x2, #1
    b.ne    axpy

gemm_4x8:                               // 8 sums of 4, weights two vectors, inputs one
    ldr     q0, [x0], #16
    ldp     q1, q2, [x1], #32
    fmla    v16.4s, v1.4s, v0.s[0]
    fmla    v17.4s, v2.4s, v0.s[0]
    fmla    v18.4s, v1.4s, v0.s[1]
    fmla    v19.4s, v2.4s, v0.s[1]
    fmla    v20.4s, v1.4s, v0.s[2]
    fmla    v21.4s, v2.4s, v0.s[2]
    fmla    v22.4s, v1.4s, v0.s[3]
    fmla    v23.4s, v2.4s, v0.s[3]
    subs    x2, x2, #1
    b.ne    gemm_4x8

gemm_4x8_halves:                        // the same with 64-bit loads between the multiplications
    ldr     d0, [x0], #8
    ldr     d1, [x1]
    fmla    v16.4s, v5.4s, v4.s[0]
    ldr     x5, [x1, #8]
    fmla    v17.4s, v6.4s, v4.s[0]
    ldr     d2, [x1, #16]
    fmla    v18.4s, v5.4s, v4.s[1]
    ldr     x6, [x1, #24]
    fmla    v19.4s, v6.4s, v4.s[1]
    add     x1, x1, #32
    fmla    v20.4s, v5.4s, v4.s[2]
    ins     v1.d[1], x5
    fmla    v21.4s, v6.4s, v4.s[2]
    ins     v2.d[1], x6
    fmla    v22.4s, v5.4s, v4.s[3]
    subs    x2, x2, #1
    fmla    v23.4s, v6.4s, v4.s[3]
    b.ne    gemm_4x8_halves

gemm_8x8:                               // 16 sums: no addition waits
    ldp     q0, q1, [x0], #32
    ldp     q2, q3, [x1], #32
    fmla    v16.4s, v2.4s, v0.s[0]
    fmla    v17.4s, v3.4s, v0.s[0]
    fmla    v18.4s, v2.4s, v0.s[1]
    fmla    v19.4s, v3.4s, v0.s[1]
    fmla    v20.4s, v2.4s, v0.s[2]
    fmla    v21.4s, v3.4s, v0.s[2]
    fmla    v22.4s, v2.4s, v0.s[3]
    fmla    v23.4s, v3.4s, v0.s[3]
    fmla    v24.4s, v2.4s, v1.s[0]
    fmla    v25.4s, v3.4s, v1.s[0]
    fmla    v26.4s, v2.4s, v1.s[1]
    fmla    v27.4s, v3.4s, v1.s[1]
    fmla    v28.4s, v2.4s, v1.s[2]
    fmla    v29.4s, v3.4s, v1.s[2]
    fmla    v30.4s, v2.4s, v1.s[3]
    fmla    v31.4s, v3.4s, v1.s[3]
    subs    x2, x2, #1
    b.ne    gemm_8x8

gemm_int8:                              // dot products of bytes
    ldr     q0, [x0], #16
    ldp     q1, q2, [x1], #32
    sdot    v16.4s, v1.16b, v0.4b[0]
    sdot    v17.4s, v2.16b, v0.4b[0]
    sdot    v18.4s, v1.16b, v0.4b[1]
    sdot    v19.4s, v2.16b, v0.4b[1]
    sdot    v20.4s, v1.16b, v0.4b[2]
    sdot    v21.4s, v2.16b, v0.4b[2]
    sdot    v22.4s, v1.16b, v0.4b[3]
    sdot    v23.4s, v2.16b, v0.4b[3]
    subs    x2, x2, #1
    b.ne    gemm_int8

depthwise_3:                            // three taps of a row, one sum
    ldr     q0, [x0]
    ldr     q1, [x0, x4]
    ldr     q2, [x0, x5]
    fmul    v16.4s, v0.4s, v29.4s
    fmla    v16.4s, v1.4s, v30.4s
    fmla    v16.4s, v2.4s, v31.4s
    str     q16, [x1], #16
    add     x0, x0, #16
    subs    x2, x2, #1
    b.ne    depthwise_3

relu:
    ldr     q0, [x0]
    fmax    v0.4s, v0.4s, v31.4s
    str     q0, [x0], #16
    subs    x2, x2, #1
    b.ne    relu

scalar_dot:
    ldr     s0, [x0], #4
    ldr     s1, [x1], #4
    fmadd   s16, s0, s1, s16
    subs    x2, x2, #1
    b.ne    scalar_dot

softmax_divide:
    ldr     q0, [x0]
    fdiv    v0.4s, v0.4s, v31.4s
    str     q0, [x0], #16
    subs    x2, x2, #1
    b.ne    softmax_divide

winograd_transform:                     // additions alone, of values that are there
    fadd    v16.4s, v0.4s, v2.4s
    fsub    v17.4s, v1.4s, v2.4s
    fsub    v18.4s, v2.4s, v1.4s
    fsub    v19.4s, v1.4s, v3.4s
    fadd    v20.4s, v16.4s, v17.4s
    fsub    v21.4s, v18.4s, v19.4s
    subs    x2, x2, #1
    b.ne    winograd_transform

transpose:
    ldp     q0, q1, [x0], #32
    zip1    v2.4s, v0.4s, v1.4s
    zip2    v3.4s, v0.4s, v1.4s
    stp     q2, q3, [x1], #32
    subs    x2, x2, #1
    b.ne    transpose

address_arithmetic:                     // integers alone
    madd    x3, x4, x5, x6
    add     x7, x3, x8, lsl #2
    ldr     w9, [x7]
    add     w10, w10, w9
    subs    x2, x2, #1
    b.ne    address_arithmetic

pointer_chase:
    ldr     x0, [x0]
    subs    x2, x2, #1
    b.ne    pointer_chase
