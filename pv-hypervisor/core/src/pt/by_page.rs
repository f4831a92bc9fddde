//! Updates whose value names a page instead of a frame: the hypervisor knows which frame backs
//! the page now, so that the guest's knowledge of it cannot be too old.

use crate::domain::Slot;
use crate::format::{Entry, Format, Leaf};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::Source;
use crate::share::EntryPlace;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::Update;
use hypercall_abi::{DomainId, Error, Mfn, Pfn};

impl<P: Platform> State<P> {
    /// Updates of level-1 entries by values that name pages: the first, which does, and those behind it in the
    /// argument frame up to the first that does not. Up to which they were made, and the refusal that ended them.
    #[inline(never)]
    pub(super) fn update_by_page<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        first: Update,
        arguments: Mfn,
        range: core::ops::Range<u64>,
    ) -> (u64, Result<(), Error>) {
        let (mut update, mut done) = (first, range.start);
        // One that names no page is read again by who makes it: nothing was concluded from it.
        while let Some(target) = update.target.by_page() {
            let named = Update { target, ..update };
            if let Err(error) = self.update_one_by_page(machine, slot, domain, named) {
                return (done, Err(error));
            }
            done += 1;
            if done == range.end {
                break;
            }
            update = Source::Arguments(arguments).fetch(machine, done);
        }
        (done, Ok(()))
    }

    /// One of them; its target is without the mark.
    #[inline(always)]
    fn update_one_by_page<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        Update { target, value }: Update,
    ) -> Result<(), Error> {
        let place = self.place(machine, slot, domain, target.decode()?)?;
        if place.level != Level::L1 {
            return Err(Error::BadLevel);
        }
        let Ok(Entry::Leaf(leaf)) = P::Format::decode(value, Level::L1) else {
            return Err(Error::BadEntry);
        };
        let page = Pfn(leaf.frame.0);
        let movable = &self.domain(slot).movable;
        if movable.p2m().is_empty() {
            return Err(Error::NotRegistered);
        }
        // What is recorded comes before what the guest's slot says.
        if movable.shared_pages() != 0
            && let Some(index) = self.sharing.records.find_page(slot, page)
        {
            let entry = EntryPlace::new(place.table, place.index);
            self.map_shared(machine, slot, entry, index, value)?;
            if let Some(address) = target.flushes() {
                self.tlb.flush_page(machine, address);
            }
            return Ok(());
        }
        let frame = movable.alleged(machine, page).ok_or(Error::BadArgument)?;
        self.frames.owned_by(frame, domain)?;
        self.acquire_leaf(machine, slot, domain, Leaf { frame, ..leaf })?;
        let update = Update { target, value: P::Format::with_frame(value, frame) };
        self.replace_leaf(machine, slot, domain, place, update);
        Ok(())
    }
}
