@ The same for 32 bits; the function that each turn calls is T32.
    .arm
    .syntax unified
    .fpu    neon-vfpv4
    .global _start
_start:
    movw    r0, #0x5231
    movt    r0, #0x4550
    mov     r1, #1
    mov     r7, #172
    svc     #0                      @ opens the region, not part of it
    adr     r3, table               @ region: integer
    sub     sp, sp, #64             @         integer
    vmov.i32 q0, #1                 @         simd
    movw    r2, #TURNS              @         integer
1:  vld1.32 {d2, d3}, [r3]          @ turn: load
    ldm     r3, {r4, r5}            @       load
    vldr    s16, [r3]               @       load
    vfma.f32 q0, q1, q2             @       mac
    vmla.f32 s20, s21, s22          @       mac
    vmla.i32 q8, q9, q10            @       mac
    vadd.f32 q11, q1, q2            @       simd
    vdup.32 q12, r4                 @       simd
    vst1.32 {d0, d1}, [sp]          @       store
    str     r4, [sp, #16]           @       store
    add     r6, r4, r5, lsl #2      @       integer
    mul     r7, r4, r5              @       integer
    pld     [r3]                    @       other
    nop                             @       other
    blx     short_form                 @       branch
    subs    r2, r2, #1              @       integer
    bne     1b                      @       branch
    movw    r0, #0x5231             @ region: integer
    movt    r0, #0x4550             @         integer
    mov     r1, #0                  @         integer
    mov     r7, #172                @         integer
    svc     #0                      @         other: closes the region, part of it
    mov     r0, #0
    mov     r7, #248
    svc     #0
    .ltorg
    .balign 16
table:
    .fill   64, 4, 1
    .thumb
    .thumb_func
    .type   short_form, %function
short_form:
    push    {r4, lr}                @ turn: store
    ldr.w   r5, [r3, #16]           @       load
    add.w   r5, r5, r4, lsl #2      @       integer
    vadd.f32 d30, d30, d31          @       simd
    it      eq                      @       other
    moveq   r6, r5                  @       integer
    pop     {r4, pc}                @       load
