# Entry from and return to the guest.
#
# The guest's GS base stays loaded while the hypervisor runs, whose own code uses neither FS nor
# GS: `swapgs` happens twice around two instructions of the system-call entry, and nowhere else.
# Interrupts are off throughout; what can come all the same (NMI, machine check, #DB behind
# `mov ss`) has a stack of its own and needs no GS.

.set USER_SS, 0x1b
.set USER_CS, 0x23
.set CALL, 0x100                # in reserved_vector: `sysretq` may return
.set HOST_STACK, 192            # behind the registers
.set REST, 15                   # bits of the answer of on_quick_call that are no address
.set REPLACED, 3                # in these bits, and above: all registers are new

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
.set RIP, 152
.set CS, 160
.set RFLAGS, 168
.set SAVED_RSP, 176
.set SS, 184

.macro save_general
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
.endm

.macro load_general
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
.endm

.macro save_bases_fast
    rdgsbaseq %rax
    pushq %rax
    rdfsbaseq %rax
    pushq %rax
.endm

.macro load_bases_fast
    popq %rax
    wrfsbaseq %rax
    popq %rax
    wrgsbaseq %rax
.endm

.macro save_base_slow register
    movl $\register, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    pushq %rax
.endm

.macro save_bases_slow
    save_base_slow 0xc0000101   # GS_BASE
    save_base_slow 0xc0000100   # FS_BASE
.endm

.macro load_base_slow register
    popq %rax
    movq %rax, %rdx
    shrq $32, %rdx
    movl $\register, %ecx
    wrmsr
.endm

.macro load_bases_slow
    load_base_slow 0xc0000100
    load_base_slow 0xc0000101
.endm

# Returns to the guest whose registers %rax points to.
.macro resume how
    movq %rax, %rsp
    load_bases_\how
    cmpq $CALL, VECTOR - 16(%rsp)
    jne 1f
    # `sysretq` to an address that is not canonical faults in ring 0 on some processors
    # (CVE-2012-0217).
    movq RIP - 16(%rsp), %rcx
    shrq $47, %rcx
    jnz 1f
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    addq $8, %rsp
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    addq $8, %rsp
    popq %rbx
    popq %rax
    movq 16(%rsp), %rcx
    movq 32(%rsp), %r11
    movq 40(%rsp), %rsp
    sysretq
1:  movq $USER_CS, CS - 16(%rsp)
    movq $USER_SS, SS - 16(%rsp)
    load_general
    addq $16, %rsp
    iretq
.endm

.macro store_bases_fast
    rdgsbaseq %rcx
    movq %rcx, 8(%rbx)
    rdfsbaseq %rcx
    movq %rcx, (%rbx)
.endm

.macro store_base_slow register, at
    movl $\register, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, \at(%rbx)
.endm

.macro store_bases_slow
    store_base_slow 0xc0000101, 8   # GS_BASE
    store_base_slow 0xc0000100, 0   # FS_BASE
.endm

# Saves what Rust code does not preserve and what a call can read; the rest follows only when the
# call is not answered at once.
.macro call_entry how
.balign 64
call_entry_\how:
    swapgs
    movq %rsp, %gs:8
    movq %gs:0, %rsp
    pushq $USER_SS
    pushq %gs:8
    swapgs
    movq %r11, RFLAGS - SAVED_RSP(%rsp)
    movq %rcx, RIP - SAVED_RSP(%rsp)
    movq %rax, RAX - SAVED_RSP(%rsp)
    movq %rdx, RDX - SAVED_RSP(%rsp)
    movq %rsi, RSI - SAVED_RSP(%rsp)
    movq %rdi, RDI - SAVED_RSP(%rsp)
    movq %r8, R8 - SAVED_RSP(%rsp)
    movq %r9, R9 - SAVED_RSP(%rsp)
    movq %r10, R10 - SAVED_RSP(%rsp)
    leaq -SAVED_RSP(%rsp), %rdi
    movq HOST_STACK - SAVED_RSP(%rsp), %rsp
    call on_quick_call
    testb $REST, %al
    jnz 2f
    # The core has made sure that the address is the guest's: `sysretq` to one that is not
    # canonical faults in ring 0 on some processors (CVE-2012-0217).
    movq R10(%rax), %r10
    movq R9(%rax), %r9
    movq R8(%rax), %r8
    movq RDI(%rax), %rdi
    movq RSI(%rax), %rsi
    movq RDX(%rax), %rdx
    movq RIP(%rax), %rcx
    movq RFLAGS(%rax), %r11
    movq SAVED_RSP(%rax), %rsp
    movq RAX(%rax), %rax
    sysretq
2:  movl %eax, %edx
    andl $REST, %edx
    subq %rdx, %rax
    cmpl $REPLACED, %edx
    je resume_\how
    ja 3f
    movq %rbx, RBX(%rax)
    movq %rbp, RBP(%rax)
    movq %r12, R12(%rax)
    movq %r13, R13(%rax)
    movq %r14, R14(%rax)
    movq %r15, R15(%rax)
    movq RIP(%rax), %rcx
    movq %rcx, RCX(%rax)
    movq RFLAGS(%rax), %rcx
    movq %rcx, R11(%rax)
    movq $CALL, VECTOR(%rax)
    movq %rax, %rbx
    movq %rdx, %r12
    store_bases_\how
    movq %rbx, %rax
    movq %r12, %rdx
3:  movq %rax, %rdi
    movq %rdx, %rsi
    call on_call
resume_\how:
    resume \how
.endm

.macro trap_from_guest how
    cld
    save_general
    save_bases_\how
    movq %rsp, %rdi
    movq HOST_STACK(%rsp), %rsp
    call on_trap
    jmp resume_\how
.endm

.section .text.trap, "ax"
.global call_entry_fast, call_entry_slow, resume_fast, resume_slow
call_entry fast
call_entry slow

.balign 64
trap_entry:
    testb $3, 24(%rsp)
    jz trap_in_hypervisor
    cmpb $0, FAST_BASES(%rip)
    je 1f
    trap_from_guest fast
1:  trap_from_guest slow

# On whatever stack the processor chose, which is never a vCPU's registers.
trap_in_hypervisor:
    cld
    save_general
    subq $16, %rsp
    movq %rsp, %rdi
    call on_hypervisor_trap
    addq $16, %rsp
    load_general
    addq $16, %rsp
    iretq

# #DB arrives on a stack of its own, because `mov ss` delays it into the first instruction of an
# entry (CVE-2018-8897). From ring 3 the frame moves to the vCPU's registers.
debug_entry:
    testb $3, 8(%rsp)
    jnz 1f
    pushq $0
    pushq $1
    jmp trap_in_hypervisor
1:  pushq %rax
    pushq %rcx
    swapgs
    movq %gs:0, %rax
    swapgs
    movq 48(%rsp), %rcx
    movq %rcx, -8(%rax)
    movq 40(%rsp), %rcx
    movq %rcx, -16(%rax)
    movq 32(%rsp), %rcx
    movq %rcx, -24(%rax)
    movq 24(%rsp), %rcx
    movq %rcx, -32(%rax)
    movq 16(%rsp), %rcx
    movq %rcx, -40(%rax)
    popq %rcx
    subq $40, %rax
    xchgq %rax, (%rsp)
    movq (%rsp), %rsp
    pushq $0
    pushq $1
    jmp trap_entry

# One stub a vector, 16 bytes each: the error code if the processor has pushed none, the vector.
.balign 16
.global trap_stubs
trap_stubs:
.set vector, 0
.rept 256
    .balign 16
    .if vector == 1
        jmp debug_entry
    .else
        .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
            pushq $0
        .endif
        pushq $vector
        .if vector == 2 || vector == 8 || vector == 18
            jmp trap_in_hypervisor
        .else
            jmp trap_entry
        .endif
    .endif
    .set vector, vector + 1
.endr
