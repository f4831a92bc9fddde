//! Updates whose value names a page instead of a frame: the hypervisor knows which frame backs
//! the page now, so that the guest's knowledge of it cannot be too old.

use crate::domain::Slot;
use crate::format::{Entry, Format};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::EntryPlace;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::{TargetBits, Update};
use hypercall_abi::{DomainId, Error, Pfn};

impl<P: Platform> State<P> {
    /// An update of a level-1 entry by a value that names a page; `target` is without the mark.
    #[cold]
    #[inline(never)]
    pub(crate) fn update_by_page<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        target: TargetBits,
        value: u64,
    ) -> Result<(), Error> {
        let place = self.place(machine, slot, domain, target.decode()?)?;
        if place.level != Level::L1 {
            return Err(Error::BadLevel);
        }
        let Ok(Entry::Leaf(leaf)) = P::Format::decode(value, Level::L1) else {
            return Err(Error::BadEntry);
        };
        let page = Pfn(leaf.frame.0);
        if self.domain(slot).movable.p2m().is_empty() {
            return Err(Error::NotRegistered);
        }
        // What is recorded comes before what the guest's slot says.
        if let Some(index) = self.sharing.records.find_page(slot, page) {
            let entry = EntryPlace::new(place.table, place.index);
            self.map_shared(machine, slot, entry, index, value)?;
            if let Some(address) = target.flushes() {
                self.tlb.flush_page(machine, address);
            }
            return Ok(());
        }
        let alleged = self.domain(slot).movable.alleged(machine, page);
        let frame = alleged.ok_or(Error::BadArgument)?;
        self.frames.owned_by(frame, domain)?;
        let update = Update { target, value: P::Format::with_frame(value, frame) };
        self.update_leaf(machine, slot, domain, update).unwrap_or(Err(Error::BadLevel))
    }
}
