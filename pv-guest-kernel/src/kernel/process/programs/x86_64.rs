//! The programs for x86-64. A system call keeps every register but `rax`, `rcx` and `r11`.

use super::{HEAP_PAGES, STACK_PAGES};
use crate::kernel::process::system_calls::{EXIT, GROW, NUMBER, WRITE, YIELD};

core::arch::global_asm!(
    r#"
    .pushsection .rodata.programs, "a"
    .balign 16
    .globl program_worker, program_worker_end
program_worker:
    mov r15, rsi                    // rounds
    mov eax, {number}
    syscall
    cmp rax, rdi                    // told twice the same
    jne 9f
    mov r12, rax                    // own number
    lea rdi, [rip + 6f]
    lea rsi, [rip + 7f]
    sub rsi, rdi
    mov eax, {write}
    syscall
    test rax, rax
    jnz 9f
    mov edi, {heap}
    mov eax, {grow}
    syscall
    cmp rax, -1
    je 9f
    mov r13, rax                    // heap
    lea r14, [rax + {heap}]         // its end
    mov rbx, r13
2:  cmp qword ptr [rbx], 0          // fresh memory is zero
    jne 9f
    mov [rbx], r12
    add rbx, 4096
    cmp rbx, r14
    jb 2b
    mov rbx, rsp
    mov ecx, {stack}
3:  mov [rbx - 8], r12
    sub rbx, 4096
    dec ecx
    jnz 3b
    mov eax, {yield_}
    syscall
4:  dec r15                         // long enough to be preempted
    jnz 4b
    mov rbx, r13
5:  cmp [rbx], r12                  // what the other wrote there is not here
    jne 9f
    add rbx, 4096
    cmp rbx, r14
    jb 5b
    lea rdi, [rip + 7f]
    lea rsi, [rip + 8f]
    sub rsi, rdi
    mov eax, {write}
    syscall
    xor edi, edi
    mov eax, {exit}
    syscall
9:  mov edi, 1
    mov eax, {exit}
    syscall
    ud2
6:  .ascii "hello; taking memory as I need it"
7:  .ascii "my memory is as I left it"
8:
program_worker_end:

    .balign 16
    .globl program_intruder, program_intruder_end
program_intruder:
    mov rbx, rsi
    lea rdi, [rip + 6f]
    lea rsi, [rip + 7f]
    sub rsi, rdi
    mov eax, {write}
    syscall
    mov rax, [rbx]
    mov edi, 1
    mov eax, {exit}
    syscall
    ud2
6:  .ascii "reading what is not mine"
7:
program_intruder_end:
    .popsection
    "#,
    number = const NUMBER,
    write = const WRITE,
    grow = const GROW,
    yield_ = const YIELD,
    exit = const EXIT,
    heap = const HEAP_PAGES * 4096,
    stack = const STACK_PAGES,
);
