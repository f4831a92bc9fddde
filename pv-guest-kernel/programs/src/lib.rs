//! What the test programs have in common: a program's start, Linux's system calls, output, checks.
//!
//! Each program prints the same on every kernel and every machine (no addresses, no process
//! numbers, no times), and exits with 0 only if everything was right. They run on the host's Linux
//! too, which shows that the programs are right: `expected/` has their output, and
//! `cargo xtask test` compares.
//!
//! - [`program!`] names a main function;
//! - [`calls`] has the system calls, [`arch`] the instruction that makes one;
//! - [`check!`] ends the program when something is wrong, saying where.

#![no_std]
#![cfg(target_os = "none")]

pub mod arch;
pub mod calls;
pub mod check;
pub mod print;
pub mod random;
pub mod start;

pub use calls::Errno;
pub use random::Random;
pub use start::Start;
