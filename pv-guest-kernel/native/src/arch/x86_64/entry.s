# To a process and back. One processor: what the entries need lies at fixed places, and neither FS
# nor GS is the kernel's. Interrupts are off in the kernel; what can come all the same (NMI,
# machine check, #DB behind `mov ss`) has a stack of its own.

.set USER_SS, 0x1b
.set USER_CS, 0x23
.set CALL, 0x100                # in reserved_vector

# Offsets in the registers, see hypercall_abi::registers.
.set R15, 16
.set R14, 24
.set R13, 32
.set R12, 40
.set R11, 48
.set R10, 56
.set R9, 64
.set R8, 72
.set RBP, 80
.set RDI, 88
.set RSI, 96
.set RDX, 104
.set RCX, 112
.set RBX, 120
.set RAX, 128
.set VECTOR, 136
.set ERROR, 144
.set RIP, 152
.set CS, 160
.set RFLAGS, 168
.set RSP, 176
.set SS, 184

.section .bss.entry, "aw", @nobits
.balign 8
current: .skip 8                # the registers of the process that runs
kernel_stack: .skip 8           # where `enter_user` waits
user_stack: .skip 8             # for two instructions

.macro store_but_rax_rcx_r11 base
    movq %rdx, RDX(\base)
    movq %rsi, RSI(\base)
    movq %rdi, RDI(\base)
    movq %r8, R8(\base)
    movq %r9, R9(\base)
    movq %r10, R10(\base)
    movq %rbx, RBX(\base)
    movq %rbp, RBP(\base)
    movq %r12, R12(\base)
    movq %r13, R13(\base)
    movq %r14, R14(\base)
    movq %r15, R15(\base)
.endm

.section .text.entry, "ax"
.global enter_user, call_entry, trap_stubs

# enter_user(registers): goes to the process; comes back when it is left.
.balign 64
enter_user:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rdi, current(%rip)
    movq %rsp, kernel_stack(%rip)
    movq RDX(%rdi), %rdx
    movq RSI(%rdi), %rsi
    movq R8(%rdi), %r8
    movq R9(%rdi), %r9
    movq R10(%rdi), %r10
    movq RBX(%rdi), %rbx
    movq RBP(%rdi), %rbp
    movq R12(%rdi), %r12
    movq R13(%rdi), %r13
    movq R14(%rdi), %r14
    movq R15(%rdi), %r15
    movq RAX(%rdi), %rax
    movq RIP(%rdi), %rcx
    movq RFLAGS(%rdi), %r11
    # `sysretq` leaves these two in rcx and r11: behind a system call that is what is there.
    cmpq RCX(%rdi), %rcx
    jne 1f
    cmpq R11(%rdi), %r11
    jne 1f
    movq RSP(%rdi), %rsp
    movq RDI(%rdi), %rdi
    sysretq
1:  movq RCX(%rdi), %rcx
    movq R11(%rdi), %r11
    movq $USER_CS, CS(%rdi)
    movq $USER_SS, SS(%rdi)
    leaq RIP(%rdi), %rsp
    movq RDI(%rdi), %rdi
    iretq

.balign 64
call_entry:
    movq %rsp, user_stack(%rip)
    movq current(%rip), %rsp
    store_but_rax_rcx_r11 %rsp
    movq %rax, RAX(%rsp)
    movq %rcx, RCX(%rsp)
    movq %rcx, RIP(%rsp)
    movq %r11, R11(%rsp)
    movq %r11, RFLAGS(%rsp)
    movq user_stack(%rip), %rax
    movq %rax, RSP(%rsp)
    movq $CALL, VECTOR(%rsp)
left_user:
    movq kernel_stack(%rip), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

# On the stack: vector, error code, and what the processor pushed.
.balign 64
trap_entry:
    testb $3, 24(%rsp)
    jz trap_in_kernel
    cld
    pushq %rax
    movq current(%rip), %rax
    store_but_rax_rcx_r11 %rax
    movq %rcx, RCX(%rax)
    movq %r11, R11(%rax)
    popq RAX(%rax)
    popq VECTOR(%rax)
    popq ERROR(%rax)
    popq RIP(%rax)
    popq CS(%rax)
    popq RFLAGS(%rax)
    popq RSP(%rax)
    popq SS(%rax)
    jmp left_user

# On whatever stack the processor chose.
trap_in_kernel:
    cld
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $16, %rsp
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call on_kernel_trap
    movq %rbp, %rsp
    addq $16, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq

# One stub a vector, 16 bytes each: the error code if the processor has pushed none, the vector.
# NMI, double fault and machine check are never a process's own.
.balign 16
trap_stubs:
.set vector, 0
.rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
        pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
        jmp trap_in_kernel
    .else
        jmp trap_entry
    .endif
    .set vector, vector + 1
.endr
