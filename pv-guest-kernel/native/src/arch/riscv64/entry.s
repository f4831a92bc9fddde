# To a process and back. sscratch holds the address of the process's registers while it runs, and 0
# while the kernel runs, with interrupts off.

# Offsets in the registers, see hypercall_abi::registers.
.set SP, 8
.set PC, 248

.macro each_but_sp_a0 do, base
    \do ra, 0(\base)
    \do gp, 16(\base)
    \do tp, 24(\base)
    \do t0, 32(\base)
    \do t1, 40(\base)
    \do t2, 48(\base)
    \do s0, 56(\base)
    \do s1, 64(\base)
    \do a1, 80(\base)
    \do a2, 88(\base)
    \do a3, 96(\base)
    \do a4, 104(\base)
    \do a5, 112(\base)
    \do a6, 120(\base)
    \do a7, 128(\base)
    \do s2, 136(\base)
    \do s3, 144(\base)
    \do s4, 152(\base)
    \do s5, 160(\base)
    \do s6, 168(\base)
    \do s7, 176(\base)
    \do s8, 184(\base)
    \do s9, 192(\base)
    \do s10, 200(\base)
    \do s11, 208(\base)
    \do t3, 216(\base)
    \do t4, 224(\base)
    \do t5, 232(\base)
    \do t6, 240(\base)
.endm

# What a function preserves, on its stack.
.macro each_preserved do
    \do ra, 0(sp)
    \do s0, 8(sp)
    \do s1, 16(sp)
    \do s2, 24(sp)
    \do s3, 32(sp)
    \do s4, 40(sp)
    \do s5, 48(sp)
    \do s6, 56(sp)
    \do s7, 64(sp)
    \do s8, 72(sp)
    \do s9, 80(sp)
    \do s10, 88(sp)
    \do s11, 96(sp)
    \do gp, 104(sp)
    \do tp, 112(sp)
.endm

.section .bss.entry, "aw", @nobits
.balign 8
kernel_stack: .skip 8           # where `enter_user` waits

.section .text.entry, "ax"
.global enter_user, trap_entry

# enter_user(registers) -> scause: goes to the process; comes back when it is left.
.balign 64
enter_user:
    addi sp, sp, -128
    each_preserved sd
    lla t0, kernel_stack
    sd sp, 0(t0)
    csrw sscratch, a0
    ld t0, PC(a0)
    csrw sepc, t0
    each_but_sp_a0 ld, a0
    ld sp, SP(a0)
    ld a0, 72(a0)
    sret

.balign 64
trap_entry:
    csrrw sp, sscratch, sp
    beqz sp, trap_in_kernel
    each_but_sp_a0 sd, sp
    sd a0, 72(sp)
    csrrw t0, sscratch, zero
    sd t0, SP(sp)
    csrr t0, sepc
    sd t0, PC(sp)
    csrr a0, scause
    lla t0, kernel_stack
    ld sp, 0(t0)
    each_preserved ld
    addi sp, sp, 128
    ret

# A fault of the kernel itself: its registers go to a place of their own, on whose stack the rest
# runs, as its own stack may be what failed.
trap_in_kernel:
    lla sp, fatal_registers
    each_but_sp_a0 sd, sp
    sd a0, 72(sp)
    csrr t0, sscratch
    sd t0, SP(sp)
    csrr t0, sepc
    sd t0, PC(sp)
    csrw sscratch, zero
    mv a0, sp
    call on_kernel_trap
    unimp

.section .bss.fatal, "aw", @nobits
.balign 16
fatal_stack: .skip 16 * 1024
fatal_registers: .skip 256
