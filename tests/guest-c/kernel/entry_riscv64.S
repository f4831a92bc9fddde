/* riscv64: where the hypervisor enters, accesses that may fault, and a program for a process. */

        .text

        /* ANCHOR: start */
        /* `a0` holds the address of the start information, `sp` the end of the boot stack, a
           multiple of 16. */
        .globl _start
_start: call    start
        unimp
        /* ANCHOR_END: start */

        /* ANCHOR: trap */
        /* A trap. Every register is in the topmost trap frame, so there is nothing to save; `sp`
           is a multiple of 16. `on_trap` leaves by trap_return. */
        .globl trap_entry
        .balign 4
trap_entry:
        call    on_trap
        unimp
        /* ANCHOR_END: trap */

        /* uint64_t touch_read(uint64_t address): a load that may fault. */
        .globl touch_read, touch_read_at
touch_read:
touch_read_at:
        ld      a0, 0(a0)
        ret

        /* uint64_t touch_write(uint64_t address, uint64_t value): a store that may fault. */
        .globl touch_write, touch_write_at
touch_write:
touch_write_at:
        sd      a1, 0(a0)
        li      a0, 0
        ret

        /* Where a load or a store goes on that has faulted. */
        .globl touch_failed
touch_failed:
        li      a0, 0
        ret

        /* uint64_t enter_process(void): goes on from the topmost trap frame. Comes back when the
           trap handler calls leave_process, or with the status of a refusal. */
        .globl enter_process
enter_process:
        addi    sp, sp, -112
        sd      ra, 0(sp)
        sd      s0, 8(sp)
        sd      s1, 16(sp)
        sd      s2, 24(sp)
        sd      s3, 32(sp)
        sd      s4, 40(sp)
        sd      s5, 48(sp)
        sd      s6, 56(sp)
        sd      s7, 64(sp)
        sd      s8, 72(sp)
        sd      s9, 80(sp)
        sd      s10, 88(sp)
        sd      s11, 96(sp)
        la      t0, kernel_stack
        sd      sp, 0(t0)
        call    resume
        j       restore

        /* void leave_process(void): comes back from enter_process; its own stack is given up. */
        .globl leave_process
leave_process:
        la      t0, kernel_stack
        ld      sp, 0(t0)
        li      a0, 0
restore:
        ld      ra, 0(sp)
        ld      s0, 8(sp)
        ld      s1, 16(sp)
        ld      s2, 24(sp)
        ld      s3, 32(sp)
        ld      s4, 40(sp)
        ld      s5, 48(sp)
        ld      s6, 56(sp)
        ld      s7, 64(sp)
        ld      s8, 72(sp)
        ld      s9, 80(sp)
        ld      s10, 88(sp)
        ld      s11, 96(sp)
        addi    sp, sp, 112
        ret

        /* What a process executes, wherever it is mapped: system call 1 with 42, then a store of
           its answer at the address in `s1`, then system call 2 with what a load finds there. */
        .globl process_program, process_program_end
        .balign 4
process_program:
        li      a7, 1
        li      a0, 42
        ecall
        sd      a0, 0(s1)
        ld      a0, 0(s1)
        li      a7, 2
        ecall
        unimp
process_program_end:

        .bss
        .balign 8
kernel_stack:
        .skip   8
