// Instructions of every class in one region; what each turn of the loop adds is written beside it.
    .global _start
_start:
    mov     x0, #0x5231
    movk    x0, #0x4550, lsl #16
    mov     x1, #1
    mov     x8, #167
    svc     #0                      // opens the region, not part of it
    adr     x3, table               // region: integer
    sub     sp, sp, #64             //         integer
    movi    v0.4s, #1               //         simd
    mov     x2, #TURNS              //         integer
1:  ldr     q1, [x3]                // turn: load
    ldp     x4, x5, [x3]            //       load
    ld1     {v2.4s, v3.4s}, [x3]    //       load
    fmla    v0.4s, v1.4s, v2.s[1]   //       mac
    fmadd   s4, s5, s6, s7          //       mac
    mla     v16.4s, v1.4s, v2.4s    //       mac
    fadd    v5.4s, v1.4s, v2.4s     //       simd
    dup     v6.4s, w4               //       simd
    str     q0, [sp]                //       store
    stp     x4, x5, [sp, #16]       //       store
    add     x6, x4, x5, lsl #2      //       integer
    mul     x7, x4, x5              //       integer
    prfm    pldl1keep, [x3]         //       other
    nop                             //       other
    bl      2f                      //       branch
    subs    x2, x2, #1              //       integer
    b.ne    1b                      //       branch
    mov     x0, #0x5231             // region: integer
    movk    x0, #0x4550, lsl #16    //         integer
    mov     x1, #0                  //         integer
    svc     #0                      //         other: closes the region, part of it
    mov     x0, #0
    mov     x8, #94
    svc     #0
2:  cmp     x4, x5                  // turn: integer
    ret                             //       branch
    .balign 16
table:
    .fill   64, 4, 1
