//! A stack of the kernel's own: as large as it asks for, with a page below it that nothing maps.
//!
//! The boot stack has a fixed size, and below it lies what the guest was given: a kernel that uses it
//! up writes over its file system and learns of that much later. Below this one the first access
//! faults, and as the trap needs the stack too, the domain ends at once, with the address.
#![allow(unsafe_code, reason = "the stack is changed, and the boot stack becomes free pages")]

use crate::{
    arch,
    memory::Memory,
    physmap::{self, Page},
    start::{self, Outcome},
};
use balloon::BalloonPort;
use core::sync::atomic::{AtomicBool, Ordering};
use hypercall_abi::{PAGE_SIZE, Pfn, VirtAddr, start_info::BOOT_STACK_BYTES};

/// Where the stack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// First address of the page that nothing maps; the stack begins one page above.
    pub guard: VirtAddr,
    /// The end of the stack, from where it grows down.
    pub top: VirtAddr,
}

/// Why there is no other stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackError {
    /// The boot stack has been left already.
    Left,
    /// There are not so many free pages, and one more, in a row.
    TooSmall(u64),
    /// The page below the stack stayed mapped.
    Guard,
}

impl core::fmt::Display for StackError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            StackError::Left => f.write_str("the boot stack has been left already"),
            StackError::TooSmall(pages) => write!(
                f,
                "no {} free pages in a row for a stack of {pages}: give the guest more memory",
                pages + 1
            ),
            StackError::Guard => f.write_str("the page below the stack stayed mapped"),
        }
    }
}

impl core::error::Error for StackError {}

/// Leaves the boot stack for one of so many pages, and ends the domain with what comes of `rest` there.
/// The pages of the boot stack become free. It returns only if it fails, with the memory; nothing has
/// changed then but for a row of pages that is lost when the guard could not be unmapped.
///
/// Not to be called from a trap: what was interrupted would be lost.
pub fn leave_boot_stack<R: Outcome>(
    mut memory: Memory,
    pages: u64,
    rest: impl FnOnce(Memory, Stack) -> R,
) -> (Memory, StackError) {
    static LEFT: AtomicBool = AtomicBool::new(false);
    if LEFT.load(Ordering::Relaxed) {
        return (memory, StackError::Left);
    }
    let Some(guard) = memory.allocate_contiguous(pages + 1) else {
        return (memory, StackError::TooSmall(pages));
    };
    if memory.unmap(&[guard]) != 1 {
        return (memory, StackError::Guard);
    }
    LEFT.store(true, Ordering::Relaxed);
    let stack =
        Stack { guard: physmap::address(guard), top: physmap::address(Pfn(guard.0 + 1 + pages)) };
    let on_it = move || {
        let boot = memory.info.stack_pfn.0;
        for page in boot..boot + BOOT_STACK_BYTES / PAGE_SIZE {
            // SAFETY: the boot stack was left for good a moment ago, once; its pages are mapped
            // writable and nobody's else.
            memory.free(unsafe { Page::from_pfn(Pfn(page)) });
        }
        rest(memory, stack)
    };
    call_on(stack, on_it)
}

fn call_on<R: Outcome, F: FnOnce() -> R>(stack: Stack, rest: F) -> ! {
    extern "C" fn enter<R: Outcome, F: FnOnce() -> R>(rest: *mut ()) -> ! {
        // SAFETY: `call_on` gives the address of an `F` that is read here and nowhere else, while
        // the stack that it is on is as it was.
        let rest = unsafe { rest.cast::<F>().read() };
        start::finish(rest())
    }
    let mut rest = core::mem::ManuallyDrop::new(rest);
    // SAFETY: the stack was allocated for this, and its end is that of a page.
    unsafe { arch::call_on_stack(stack.top.0, enter::<R, F>, (&raw mut rest).cast()) }
}
