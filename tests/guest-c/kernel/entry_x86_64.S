/* x86-64: where the hypervisor enters, accesses that may fault, and a program for a process. */

        .text

        /* ANCHOR: start */
        /* `rdi` holds the address of the start information, `rsp` the end of the boot stack, a
           multiple of 16. */
        .globl _start
_start: xor     %ebp, %ebp
        call    start
        ud2
        /* ANCHOR_END: start */

        /* ANCHOR: trap */
        /* A trap. Every register is in the topmost trap frame, so there is nothing to save; `rsp`
           is a multiple of 16. `on_trap` leaves by trap_return. */
        .globl trap_entry
trap_entry:
        xor     %ebp, %ebp
        call    on_trap
        ud2
        /* ANCHOR_END: trap */

        /* uint64_t touch_read(uint64_t address): a load that may fault. */
        .globl touch_read, touch_read_at
touch_read:
touch_read_at:
        mov     (%rdi), %rax
        ret

        /* uint64_t touch_write(uint64_t address, uint64_t value): a store that may fault. */
        .globl touch_write, touch_write_at
touch_write:
touch_write_at:
        mov     %rsi, (%rdi)
        xor     %eax, %eax
        ret

        /* Where a load or a store goes on that has faulted. */
        .globl touch_failed
touch_failed:
        xor     %eax, %eax
        ret

        /* uint64_t enter_process(void): goes on from the topmost trap frame. Comes back when the
           trap handler calls leave_process, or with the status of a refusal. */
        .globl enter_process
enter_process:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, kernel_stack(%rip)
        sub     $8, %rsp
        call    resume
        add     $8, %rsp
        jmp     restore

        /* void leave_process(void): comes back from enter_process; its own stack is given up. */
        .globl leave_process
leave_process:
        mov     kernel_stack(%rip), %rsp
        xor     %eax, %eax
restore:
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret

        /* What a process executes, wherever it is mapped: system call 1 with 42, then a store of
           its answer at the address in `rbx`, then system call 2 with what a load finds there. */
        .globl process_program, process_program_end
process_program:
        mov     $1, %eax
        mov     $42, %edi
        syscall
        mov     %rax, (%rbx)
        mov     (%rbx), %rdi
        mov     $2, %eax
        syscall
        ud2
process_program_end:

        .bss
        .balign 8
kernel_stack:
        .skip   8

        .section .note.GNU-stack, "", @progbits
