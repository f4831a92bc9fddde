//! The programs for riscv64. A system call keeps every register but `a0`.

use super::{HEAP_PAGES, STACK_PAGES};
use crate::kernel::process::system_calls::{EXIT, GROW, NUMBER, WRITE, YIELD};

core::arch::global_asm!(
    r#"
    .pushsection .rodata.programs, "a"
    .option push
    .option norelax
    .balign 16
    .globl program_worker, program_worker_end
program_worker:
    mv s5, a1                       // rounds
    mv s1, a0
    li a7, {number}
    ecall
    bne a0, s1, 9f                  // told twice the same
    lla a0, 6f
    li a1, 7f - 6f
    li a7, {write}
    ecall
    bnez a0, 9f
    li a0, {heap}
    li a7, {grow}
    ecall
    li t0, -1
    beq a0, t0, 9f
    mv s2, a0                       // heap
    li t0, {heap}
    add s3, a0, t0                  // its end
    li s4, 4096
    mv t1, s2
2:  ld t2, 0(t1)                    // fresh memory is zero
    bnez t2, 9f
    sd s1, 0(t1)
    add t1, t1, s4
    bltu t1, s3, 2b
    mv t1, sp
    li t2, {stack}
3:  sd s1, -8(t1)
    sub t1, t1, s4
    addi t2, t2, -1
    bnez t2, 3b
    li a7, {yield_}
    ecall
4:  addi s5, s5, -1                 // long enough to be preempted
    bnez s5, 4b
    mv t1, s2
5:  ld t2, 0(t1)                    // what the other wrote there is not here
    bne t2, s1, 9f
    add t1, t1, s4
    bltu t1, s3, 5b
    lla a0, 7f
    li a1, 8f - 7f
    li a7, {write}
    ecall
    li a0, 0
    li a7, {exit}
    ecall
9:  li a0, 1
    li a7, {exit}
    ecall
    unimp
6:  .ascii "hello; taking memory as I need it"
7:  .ascii "my memory is as I left it"
8:
    .balign 4
program_worker_end:

    .balign 16
    .globl program_intruder, program_intruder_end
program_intruder:
    mv s1, a1
    lla a0, 6f
    li a1, 7f - 6f
    li a7, {write}
    ecall
    ld a0, 0(s1)
    li a0, 1
    li a7, {exit}
    ecall
    unimp
6:  .ascii "reading what is not mine"
7:
    .balign 4
program_intruder_end:
    .option pop
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
