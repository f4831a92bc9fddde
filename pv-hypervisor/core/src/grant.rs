//! Grants that a domain gives, and handles on grants of others that it has mapped.
//!
//! A grant holds a reference on its frame (a writable one if it permits writing), a handle
//! another. A domain has at most one handle for a frame, so that an entry that names a
//! foreign frame belongs to exactly one handle; the handle counts those entries, and cannot
//! go before they do.

use crate::domain::NOBODY;
use alloc::vec::Vec;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Error, GrantHandle, GrantRef, Mfn};

/// Grants that a domain gives at the same time, at most.
pub const MAX_GRANTS: usize = 256;

/// Handles that a domain holds at the same time, at most.
pub const MAX_HANDLES: usize = 256;

/// A grant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Grant {
    /// Who may map it; [`NOBODY`] once that domain has ended.
    pub grantee: DomainId,
    /// The frame.
    pub frame: Mfn,
    /// What for.
    pub access: Access,
    /// Whether the grantee has a handle on it.
    pub mapped: bool,
}

/// The grants that a domain gives.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GrantTable {
    grants: Vec<Option<Grant>>,
    live: usize,
}

impl GrantTable {
    pub(crate) fn new() -> Option<GrantTable> {
        let mut grants = Vec::new();
        grants.try_reserve_exact(MAX_GRANTS).ok()?;
        Some(GrantTable { grants, live: 0 })
    }

    /// Live grants.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no grant.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Live grants with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (GrantRef, &Grant)> {
        self.grants
            .iter()
            .enumerate()
            .filter_map(|(index, grant)| Some((GrantRef(index as u32), grant.as_ref()?)))
    }

    /// A live grant.
    pub(crate) fn get(&self, grant: GrantRef) -> Result<&Grant, Error> {
        self.grants.get(grant.0 as usize).and_then(Option::as_ref).ok_or(Error::NoGrant)
    }

    pub(crate) fn get_mut(&mut self, grant: GrantRef) -> Option<&mut Grant> {
        self.grants.get_mut(grant.0 as usize).and_then(Option::as_mut)
    }

    /// The number that the next grant gets.
    pub(crate) fn check_insert(&self) -> Result<GrantRef, Error> {
        let vacant = self.grants.iter().position(Option::is_none).unwrap_or(self.grants.len());
        if vacant < MAX_GRANTS { Ok(GrantRef(vacant as u32)) } else { Err(Error::QuotaExceeded) }
    }

    /// Puts a grant at the number that [`check_insert`](Self::check_insert) gave.
    pub(crate) fn insert(&mut self, at: GrantRef, grant: Grant) {
        let index = at.0 as usize;
        if index == self.grants.len() {
            self.grants.push(Some(grant));
        } else {
            self.grants[index] = Some(grant);
        }
        self.live += 1;
    }

    pub(crate) fn remove(&mut self, grant: GrantRef) -> Option<Grant> {
        let removed = self.grants.get_mut(grant.0 as usize)?.take();
        self.live -= usize::from(removed.is_some());
        removed
    }

    /// Makes grants to a domain that ends grants to nobody.
    pub(crate) fn forget_grantee(&mut self, grantee: DomainId) {
        for grant in self.grants.iter_mut().flatten().filter(|grant| grant.grantee == grantee) {
            grant.grantee = NOBODY;
        }
    }

    pub(crate) fn first(&self) -> Option<GrantRef> {
        self.iter().next().map(|(grant, _)| grant)
    }

    /// The number of live grants, for the tests of the audit to corrupt.
    #[cfg(test)]
    pub(crate) fn corrupt_length(&mut self) -> &mut usize {
        &mut self.live
    }
}

/// A grant of another domain that is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handle {
    /// Who gives the grant.
    pub granter: DomainId,
    /// Its number there.
    pub grant: GrantRef,
    /// The frame.
    pub frame: Mfn,
    /// What the entries may do.
    pub access: Access,
    /// Page-table entries that name the frame.
    pub entries: u32,
}

/// A slot of the handle table: its generation, and the handle if it is live.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct HandleSlot {
    generation: u16,
    handle: Option<Handle>,
}

/// The handles that a domain holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HandleTable {
    slots: Vec<HandleSlot>,
    /// Slots of live handles, in the order of their frames.
    by_frame: Vec<(Mfn, u16)>,
}

impl HandleTable {
    pub(crate) fn new() -> Option<HandleTable> {
        let (mut slots, mut by_frame) = (Vec::new(), Vec::new());
        slots.try_reserve_exact(MAX_HANDLES).ok()?;
        by_frame.try_reserve_exact(MAX_HANDLES).ok()?;
        Some(HandleTable { slots, by_frame })
    }

    /// Live handles.
    pub fn len(&self) -> usize {
        self.by_frame.len()
    }

    /// Whether there is no handle.
    pub fn is_empty(&self) -> bool {
        self.by_frame.is_empty()
    }

    /// Live handles.
    pub fn iter(&self) -> impl Iterator<Item = (GrantHandle, &Handle)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            Some((GrantHandle::new(index as u16, slot.generation), slot.handle.as_ref()?))
        })
    }

    /// Whether the index by frame holds each live handle once, in order: for the audit.
    pub(crate) fn is_index_exact(&self) -> bool {
        self.by_frame.is_sorted_by(|left, right| left.0 < right.0)
            && self.by_frame.iter().all(|(frame, slot)| {
                let handle = self.slots.get(usize::from(*slot)).and_then(|slot| slot.handle);
                handle.is_some_and(|handle| handle.frame == *frame)
            })
    }

    /// The live handle on a frame.
    pub(crate) fn of_frame(&mut self, frame: Mfn) -> Option<&mut Handle> {
        let at = self.by_frame.binary_search_by_key(&frame, |entry| entry.0).ok()?;
        self.slots[usize::from(self.by_frame[at].1)].handle.as_mut()
    }

    /// A live handle by its name: slot and generation must both fit, so that an old name does
    /// not open a new mapping (XSA-234 and its kin).
    pub(crate) fn get(&self, handle: GrantHandle) -> Result<&Handle, Error> {
        match self.slots.get(usize::from(handle.slot())) {
            Some(HandleSlot { generation, handle: Some(live) })
                if *generation == handle.generation() =>
            {
                Ok(live)
            }
            _ => Err(Error::NoHandle),
        }
    }

    /// The name that the next handle gets, on a frame that has none yet.
    pub(crate) fn check_insert(&mut self, frame: Mfn) -> Result<GrantHandle, Error> {
        if self.of_frame(frame).is_some() {
            return Err(Error::AlreadyMapped);
        }
        let vacant = self.slots.iter().position(|slot| slot.handle.is_none());
        let index = vacant.unwrap_or(self.slots.len());
        if index >= MAX_HANDLES {
            return Err(Error::QuotaExceeded);
        }
        let generation = self.slots.get(index).map_or(0, |slot| slot.generation);
        Ok(GrantHandle::new(index as u16, generation))
    }

    /// Puts a handle under the name that [`check_insert`](Self::check_insert) gave.
    pub(crate) fn insert(&mut self, name: GrantHandle, handle: Handle) {
        let index = usize::from(name.slot());
        let slot = HandleSlot { generation: name.generation(), handle: Some(handle) };
        if index == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[index] = slot;
        }
        let at = self.by_frame.partition_point(|entry| entry.0 < handle.frame);
        self.by_frame.insert(at, (handle.frame, name.slot()));
    }

    /// Takes a live handle out and retires its name.
    pub(crate) fn remove(&mut self, name: GrantHandle) -> Option<Handle> {
        let slot = self.slots.get_mut(usize::from(name.slot()))?;
        let handle = slot.handle.take()?;
        slot.generation = (slot.generation + 1) & 0xfff;
        if let Ok(at) = self.by_frame.binary_search_by_key(&handle.frame, |entry| entry.0) {
            self.by_frame.remove(at);
        }
        Some(handle)
    }

    pub(crate) fn first(&self) -> Option<GrantHandle> {
        self.iter().next().map(|(name, _)| name)
    }

    /// The index by frame, for the tests of the audit to corrupt.
    #[cfg(test)]
    pub(crate) fn corrupt_index(&mut self) -> &mut Vec<(Mfn, u16)> {
        &mut self.by_frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(frame: u64) -> Handle {
        Handle {
            granter: DomainId(2),
            grant: GrantRef(0),
            frame: Mfn(frame),
            access: Access::Read,
            entries: 0,
        }
    }

    /// Advisories: XSA-322
    #[test]
    fn an_old_name_does_not_open_a_new_handle() {
        let mut table = HandleTable::new().unwrap();
        let old = table.check_insert(Mfn(7)).unwrap();
        table.insert(old, handle(7));
        assert_eq!(table.check_insert(Mfn(7)), Err(Error::AlreadyMapped));
        table.remove(old).unwrap();
        let new = table.check_insert(Mfn(7)).unwrap();
        table.insert(new, handle(7));
        assert_eq!(old.slot(), new.slot());
        assert_eq!(table.get(old), Err(Error::NoHandle));
        assert_eq!(table.get(new), Ok(&handle(7)));
    }

    #[test]
    fn the_quota_holds_and_room_comes_back() {
        let mut table = HandleTable::new().unwrap();
        for frame in 0..MAX_HANDLES as u64 {
            let name = table.check_insert(Mfn(frame * 3 % 1024)).unwrap();
            table.insert(name, handle(frame * 3 % 1024));
        }
        assert_eq!(table.check_insert(Mfn(5000)), Err(Error::QuotaExceeded));
        let name = table.first().unwrap();
        table.remove(name).unwrap();
        assert!(table.check_insert(Mfn(5000)).is_ok());
        assert_eq!(table.len(), MAX_HANDLES - 1);
    }

    #[test]
    fn grants_reuse_numbers_and_stop_at_the_quota() {
        let mut table = GrantTable::new().unwrap();
        let grant =
            Grant { grantee: DomainId(2), frame: Mfn(1), access: Access::Read, mapped: false };
        for number in 0..MAX_GRANTS as u32 {
            assert_eq!(table.check_insert(), Ok(GrantRef(number)));
            table.insert(GrantRef(number), grant);
        }
        assert_eq!(table.check_insert(), Err(Error::QuotaExceeded));
        assert_eq!(table.remove(GrantRef(9)), Some(grant));
        assert_eq!(table.remove(GrantRef(9)), None);
        assert_eq!(table.check_insert(), Ok(GrantRef(9)));
        assert_eq!(table.len(), MAX_GRANTS - 1);
    }
}
