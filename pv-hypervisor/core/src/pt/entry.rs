//! What one page-table entry refers to: taking the references of a new entry, dropping those
//! of an old one, and finding the entry that an address uses.

use super::Walk;
use crate::domain::Slot;
use crate::format::{Entry, Format, Leaf};
use crate::frame::{Before, COUNT_MAX, LastReference, Type};
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::share::EntryPlace;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::{DomainId, Error, Mfn, VirtAddr};

/// An entry of a validated table of the calling domain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) table: Mfn,
    pub(crate) index: usize,
    pub(crate) level: Level,
}

impl<P: Platform> State<P> {
    /// Takes the references of a leaf entry of `domain`, or says why it may not map the frame.
    #[inline(always)]
    pub(crate) fn acquire_leaf<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        leaf: Leaf,
    ) -> Result<(), Error> {
        let owned = self.frames.owned_mut(leaf.frame)?;
        if owned.owner != domain {
            return self.acquire_foreign(slot, leaf);
        }
        if !leaf.writable {
            owned.check_reference()?;
            owned.add_reference();
            return Ok(());
        }
        if owned.check_writable()? == Before::Flush && !self.planted.has(Bug::WritableWithoutFlush)
        {
            self.tlb.flush_since(machine, owned.epoch);
        }
        owned.add_writable();
        Ok(())
    }

    /// Takes the references of an entry that names a foreign frame: through a live handle or
    /// not at all.
    #[inline(never)]
    fn acquire_foreign(&mut self, slot: Slot, leaf: Leaf) -> Result<(), Error> {
        let owned = self.frames.owned(leaf.frame)?;
        let counts = if leaf.writable {
            // The handle holds the frame writable already, so that no flush is due.
            owned.check_writable().map(|_| ())
        } else {
            owned.check_reference()
        };
        let handle = self.domain_mut(slot).handles.of_frame(leaf.frame).ok_or(Error::NotOwner)?;
        if leaf.writable && handle.access != Access::ReadWrite {
            return Err(Error::ReadOnlyGrant);
        }
        if handle.entries >= COUNT_MAX {
            return Err(Error::CountOverflow);
        }
        counts?;
        handle.entries += 1;
        let owned = self.frames.held(leaf.frame);
        if leaf.writable {
            owned.add_writable();
        } else {
            owned.add_reference();
        }
        Ok(())
    }

    /// Drops the references of a leaf entry of `domain`. False, with nothing done, when pages share
    /// the frame: then [`release_shared`](Self::release_shared) does it, which asks for the
    /// entry's place.
    #[inline(always)]
    #[must_use]
    pub(crate) fn release_leaf(&mut self, slot: Slot, domain: DomainId, leaf: Leaf) -> bool {
        let now = self.tlb.now();
        let Some(frame) = self.frames.mapped(leaf.frame) else { return false };
        if leaf.writable {
            frame.drop_writable(now);
        } else {
            frame.drop_reference(now);
        }
        if frame.owner != domain {
            self.release_foreign(slot, leaf.frame);
        }
        true
    }

    #[inline(never)]
    fn release_foreign(&mut self, slot: Slot, frame: Mfn) {
        if let Some(handle) = self.domain_mut(slot).handles.of_frame(frame) {
            handle.entries -= 1;
        }
    }

    /// Drops the reference that an entry (a root, a pin) has to a table of `level`. When it
    /// was the last, the walk that takes the table apart.
    #[inline(always)]
    pub(crate) fn release_table(&mut self, table: Mfn, level: Level) -> Option<Walk> {
        let now = self.tlb.now();
        match self.frames.held(table).drop_table(now) {
            LastReference::No => None,
            LastReference::Yes => Some(Walk::demotion(table, level, P::Format::ENTRIES)),
        }
    }

    /// Drops what an old entry, which lay in that place, referred to.
    #[inline(always)]
    pub(crate) fn release_entry(
        &mut self,
        slot: Slot,
        domain: DomainId,
        Place { table, index, level }: Place,
        value: u64,
    ) -> Option<Walk> {
        match P::Format::decode(value, level) {
            Ok(Entry::Leaf(leaf)) => {
                if !self.release_leaf(slot, domain, leaf) {
                    self.release_shared(EntryPlace::new(table, index), leaf.frame);
                }
                None
            }
            Ok(Entry::Table(child)) => {
                // A validated entry above level 1 names a table of the level below.
                let below = level.below()?;
                self.release_table(child, below)
            }
            Ok(Entry::Absent) => None,
            // What no guest may write: the mark of a page that is away.
            Err(_) => {
                self.release_away(EntryPlace::new(table, index));
                None
            }
        }
    }

    /// The entry that an update means, of a validated table that `domain` owns, which is that of `slot`.
    #[inline(always)]
    pub(crate) fn place(
        &self,
        machine: &impl Machine,
        slot: Slot,
        domain: DomainId,
        target: Target,
    ) -> Result<Place, Error> {
        match target {
            Target::Entry { table, index } => {
                let owned = self.frames.owned_by(table, domain)?;
                let Type::Table(level) = owned.kind else { return Err(Error::NotTable) };
                if !owned.hold.is_valid() {
                    return Err(Error::Busy);
                }
                let index = usize::from(index);
                if index >= P::Format::ENTRIES {
                    return Err(Error::BadArgument);
                }
                if level == P::Format::ROOT && index >= P::Format::FIRST_RESERVED_SLOT {
                    return Err(Error::HypervisorRange);
                }
                Ok(Place { table, index, level })
            }
            Target::Page { space, address, .. } => {
                let vcpu = self.vcpu(slot);
                let root = match space {
                    Space::Kernel => vcpu.kernel_root,
                    Space::User => vcpu.user_root,
                };
                self.leaf_place(machine, root.ok_or(Error::NotRegistered)?, address)
            }
        }
    }

    /// The level-1 entry that maps a page below `root`. The tables on the way are validated,
    /// so that what their entries say can be believed; they are read through the machine's
    /// map of frames, never through the guest's own addresses (XSA-286).
    pub(crate) fn leaf_place(
        &self,
        machine: &impl Machine,
        root: Mfn,
        address: VirtAddr,
    ) -> Result<Place, Error> {
        if address.0 >= P::Format::GUEST_END {
            return Err(Error::HypervisorRange);
        }
        let mut place = Place {
            table: root,
            index: P::Format::index(address, P::Format::ROOT),
            level: P::Format::ROOT,
        };
        while let Some(below) = place.level.below() {
            let value = machine.read(place.table, place.index);
            let Ok(Entry::Table(table)) = P::Format::decode(value, place.level) else {
                return Err(Error::NotMapped);
            };
            place = Place { table, index: P::Format::index(address, below), level: below };
        }
        Ok(place)
    }
}
