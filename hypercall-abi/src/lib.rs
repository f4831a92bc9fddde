//! The contract between the Paravane hypervisor and the guest kernels that run on it.
//!
//! Everything that crosses the border is defined here and nowhere else: the numbers of
//! the calls and their arguments ([`calls`]), the status they return ([`status`]), the
//! pages that both sides read and write ([`start_info`], [`vcpu_page`], [`trap`]), the
//! note by which a guest's ELF file says that it is one ([`note`]), and the page-table
//! entries that the hypervisor accepts ([`pte`]).
//!
//! # How a call is made
//!
//! | | x86-64 (`syscall`) | riscv64 (`ecall`) |
//! |---|---|---|
//! | call number | `rax` | `a7` |
//! | arguments 0 to 5 | `rdi rsi rdx r10 r8 r9` | `a0 a1 a2 a3 a4 a5` |
//! | status, back | `rax` | `a0` |
//! | value, back | `rdx` | `a1` |
//!
//! On x86-64 the `syscall` instruction itself overwrites `rcx` and `r11`; every other
//! register is as it was. Arguments that a call does not have are ignored. Status 0 is
//! success, every other status is one of [`status::Error`]; the value is 0 on an error
//! unless the call's page says that it counts what was done.
//!
//! No call takes the guest virtual address of memory. Bulk arguments lie in the vCPU's
//! *argument frame*, a page that the hypervisor names in the start information; each
//! element is copied once before anything is decided about it.
//!
//! # Types
//!
//! Values on the wire are *open*: any bit pattern can be held, as a guest may write
//! anything. Decoding turns them into *closed* types, or into the [`status::Error`] that
//! the guest gets back. Layouts are asserted at compile time and byte for byte in
//! `tests/golden.rs`.

#![no_std]
#![cfg_attr(not(feature = "stubs"), forbid(unsafe_code))]
#![deny(missing_docs)]

pub mod addr;
pub mod balloon_statistics;
pub mod calls;
pub mod domain_info;
pub mod extent;
pub mod ids;
pub mod note;
pub mod number;
pub mod pte;
pub mod registers;
pub mod start_info;
pub mod status;
#[cfg(feature = "stubs")]
pub mod stubs;
pub mod trap;
pub mod vcpu_page;
pub mod version;

pub use addr::{Mfn, PAGE_SHIFT, PAGE_SIZE, Pfn, VirtAddr};
pub use calls::Hypercall;
pub use ids::{DomainId, GrantHandle, GrantRef, Port};
pub use number::Number;
pub use status::{Error, Status};
pub use version::{AbiVersion, Features};
