//! Page tables.

use super::{Partial, call, partial_call};
use crate::{argument, sync};
use hypercall_abi::{
    Error, Mfn, VirtAddr,
    addr::Level,
    calls::{
        PtCreate, PtPin, PtSwitch, PtUnpin, PteUpdate, TlbFlush,
        pt_switch::RootChange,
        pte_update::{MAX_UPDATES, Update},
        tlb_flush::FlushScope,
    },
};

/// [`PtCreate`]: clears a frame and makes it an empty, pinned page table.
///
/// # Errors
/// As the book's page says; `TypeConflict` while the frame is mapped writable.
///
/// # Safety
/// Nothing of Rust's lies in the frame.
pub unsafe fn pt_create(frame: Mfn, level: Level) -> Result<(), Error> {
    // SAFETY: the caller answers for the frame.
    unsafe { call(&PtCreate { frame, level }) }.map(drop)
}

/// [`PtPin`]: validates a tree and holds it validated.
///
/// # Errors
/// As the book's page says; `TypeConflict` while a table is mapped writable.
pub fn pt_pin(frame: Mfn, level: Level) -> Result<(), Error> {
    // SAFETY: the tables are mapped for reading only, or the call is refused: it changes
    // no memory that could be written before.
    unsafe { call(&PtPin { frame, level }) }.map(drop)
}

/// [`PtUnpin`]: lets a pinned table go.
///
/// # Errors
/// As the book's page says.
pub fn pt_unpin(frame: Mfn) -> Result<(), Error> {
    // SAFETY: the content stays, and roots in use are held by more than the pin.
    unsafe { call(&PtUnpin { frame }) }.map(drop)
}

/// [`PtSwitch`]: sets the roots of the vCPU.
///
/// # Errors
/// As the book's page says.
///
/// # Safety
/// A new kernel root maps everything that Rust code uses where the old one does.
pub unsafe fn pt_switch(kernel_root: RootChange, user_root: RootChange) -> Result<(), Error> {
    // SAFETY: the caller answers for the roots.
    unsafe { call(&PtSwitch { kernel_root, user_root }) }.map(drop)
}

/// [`PteUpdate`]: makes updates in order, in as many calls as they need.
///
/// # Errors
/// The first refusal, and how many updates took effect before it.
///
/// # Safety
/// The updates leave everything mapped that Rust code uses, and give nobody a way to write
/// what Rust code holds for its own.
pub unsafe fn pte_update(updates: &[Update]) -> Result<u64, Partial> {
    if let [update] = updates {
        // SAFETY: the caller answers for the update.
        let result = unsafe { call(&PteUpdate::One(*update)) };
        return result.map(|_| 1).map_err(|error| Partial { done: 0, error });
    }
    let mut done = 0;
    for chunk in updates.chunks(MAX_UPDATES as usize) {
        let result = sync::masked(|| {
            argument::store(chunk);
            // SAFETY: the caller answers for the updates.
            unsafe { partial_call(&PteUpdate::Many(chunk.len() as u64)) }
        });
        match result {
            Ok(count) => done += count,
            Err(partial) => return Err(Partial { done: done + partial.done, ..partial }),
        }
    }
    Ok(done)
}

/// [`TlbFlush`]: forgets cached translations.
///
/// # Errors
/// `HypervisorRange` for an address that is not the guest's.
pub fn tlb_flush(address: Option<VirtAddr>) -> Result<(), Error> {
    let scope = address.map_or(FlushScope::All, FlushScope::Page);
    // SAFETY: it changes no mapping.
    unsafe { call(&TlbFlush { scope }) }.map(drop)
}
