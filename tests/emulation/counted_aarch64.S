// A program without a C library whose instruction counts are known by reading it. TURNS is the loop's length.
    .global _start
_start:
    mov     x0, #0x5231             // 1
    movk    x0, #0x4550, lsl #16    // 2
    mov     x1, #1                  // 3
    mov     x8, #167                // 4
    svc     #0                      // 5: opens the region, not part of it
    ldr     x2, =TURNS              // region: 1
1:  subs    x2, x2, #1              //         2 per turn
    b.ne    1b
    mov     x0, #0x5231             //         2
    movk    x0, #0x4550, lsl #16    //         3
    mov     x1, #0                  //         4
    svc     #0                      //         5: closes the region, part of it
    mov     x0, #0                  // 1
    mov     x8, #94                 // 2
    svc     #0                      // 3: exit_group
    .ltorg
