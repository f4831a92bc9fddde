//! What a test has to put back: a list of steps, undone from the last to the first.
//!
//! A test in a guest shares its domain with all others. Helpers of [`Test`](crate::Test)
//! note here what they change; steps that a test has undone itself do no harm.

use crate::caller::Side;
use hypercall_abi::{GrantHandle, GrantRef, Mfn, Pfn, Port};

/// Steps that one test can note.
pub const CAPACITY: usize = 96;

/// One change, by how it is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undo {
    /// Map the page writable in the physmap again.
    MapWritable(Pfn),
    /// Take a frame from the hypervisor for the page, if it has none.
    Populate(Pfn),
    /// Unpin the table.
    Unpin(Mfn),
    /// Write 0 to an entry.
    ClearEntry(Mfn, u16),
    /// Write a value to an entry.
    WriteEntry(Mfn, u16, u64),
    /// Switch the kernel root back.
    KernelRoot(Mfn),
    /// Have no user root.
    ClearUserRoot,
    /// Revoke the grant.
    Revoke(GrantRef),
    /// Close the handle.
    Unmap(GrantHandle),
    /// Close the port.
    Close(Port),
    /// Unmask the port.
    Unmask(Port),
    /// Stop the timer.
    StopTimer,
    /// Write a word of a page.
    Word(Pfn, u16, u64),
    /// Let the hypervisor see the frame as it is.
    Confess(Mfn),
}

/// The list.
#[derive(Default)]
pub struct Journal(heapless::Vec<(Side, Undo), CAPACITY>);

impl Journal {
    /// Notes a change. `false`: the list is full.
    pub fn note(&mut self, side: Side, undo: Undo) -> bool {
        self.0.push((side, undo)).is_ok()
    }

    /// The last change that is not undone yet.
    pub fn pop(&mut self) -> Option<(Side, Undo)> {
        self.0.pop()
    }
}
