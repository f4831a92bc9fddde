# Entry from and return to the guest. sscratch holds the address of the guest's registers while it
# runs, and 0 while the hypervisor runs, with interrupts off.

# Offsets in the registers, see hypercall_abi::registers.
.set SP, 8
.set PC, 248
.set HOST_STACK, 256            # behind the registers
.set CALL, 8                    # scause: ecall from U-mode
.set REST, 15                   # bits of the answer of on_quick_call that are no address
.set REPLACED, 3                # in these bits, and above: all registers are new

# Registers that Rust code may change, all but sp and a0, from or to the registers at \base.
.macro each_changed do, base
    \do ra, 0(\base)
    \do t0, 32(\base)
    \do t1, 40(\base)
    \do t2, 48(\base)
    \do a1, 80(\base)
    \do a2, 88(\base)
    \do a3, 96(\base)
    \do a4, 104(\base)
    \do a5, 112(\base)
    \do a6, 120(\base)
    \do a7, 128(\base)
    \do t3, 216(\base)
    \do t4, 224(\base)
    \do t5, 232(\base)
    \do t6, 240(\base)
.endm

# Registers that Rust code preserves or does not use.
.macro each_preserved do, base
    \do gp, 16(\base)
    \do tp, 24(\base)
    \do s0, 56(\base)
    \do s1, 64(\base)
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
.endm

.macro each_but_sp_a0 do, base
    each_changed \do, \base
    each_preserved \do, \base
.endm

.section .text.trap, "ax"
.balign 64
.global trap_entry, resume
trap_entry:
    csrrw sp, sscratch, sp
    beqz sp, trap_in_hypervisor
    each_changed sd, sp
    sd a0, 72(sp)
    csrrw t0, sscratch, zero
    sd t0, SP(sp)
    csrr t0, sepc
    sd t0, PC(sp)
    mv a0, sp
    csrr t0, scause
    ld sp, HOST_STACK(sp)
    li t1, CALL
    bne t0, t1, 1f
    # The other registers are saved only when the call is not answered at once.
    call on_quick_call
    andi a1, a0, REST
    bnez a1, 2f
    csrw sscratch, a0
    ld t0, PC(a0)
    csrw sepc, t0
    each_changed ld, a0
    ld sp, SP(a0)
    ld a0, 72(a0)
    sret

2:  sub a0, a0, a1
    li t0, REPLACED
    beq a1, t0, resume
    bltu t0, a1, 3f
    each_preserved sd, a0
3:  call on_call

# Goes to the guest whose registers a0 points to.
resume:
    ld t0, PC(a0)
    csrw sepc, t0
    csrw sscratch, a0
    each_but_sp_a0 ld, a0
    ld sp, SP(a0)
    ld a0, 72(a0)
    sret

1:  each_preserved sd, a0
    call on_trap
    j resume

# A fault of the hypervisor itself: its registers go to a place of their own, on whose stack the
# rest runs, as its own stack may be what failed.
trap_in_hypervisor:
    lla sp, fatal_registers
    each_but_sp_a0 sd, sp
    sd a0, 72(sp)
    csrr t0, sscratch
    sd t0, SP(sp)
    csrr t0, sepc
    sd t0, PC(sp)
    csrw sscratch, zero
    mv a0, sp
    call on_hypervisor_trap
    unimp

.section .bss.fatal, "aw", @nobits
.balign 16
fatal_stack: .skip 16 * 1024
fatal_registers: .skip 256
