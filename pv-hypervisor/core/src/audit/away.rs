//! I50: pages that are away.

use super::{Audit, Truth, domain_violation};
use crate::domain::Slot;
use crate::format::Format;
use crate::frame::Type;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::{Away, Backing, EntryPlace, Page};
use crate::state::State;
use alloc::collections::BTreeSet;
use hypercall_abi::DomainId;
use hypercall_abi::addr::Level;

/// I50: a page that is away is mapped by nothing. Each of its entries is absent, marked and
/// recorded, and no other entry bears the mark. Its content is in one place, which is no other page's: a frame that nothing
/// names, a parcel, or a place of the swap device; and no such place is lost.
pub(super) fn i50_pages_away<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &M,
    truth: &Truth,
) -> Audit {
    let parcels = &state.reclaim.parcels;
    let mut chunks: BTreeSet<usize> = parcels.chunks_of(None).collect();
    let mut met = chunks.len();
    let mut places = BTreeSet::new();
    let (mut marked, mut being_read) = (0, 0);
    for (index, page) in state.sharing.records.pages() {
        let Backing::Away(away) = page.backing else { continue };
        let owner = state.domains[page.slot.index()].as_ref().map_or(DomainId(0), |found| found.id);
        for entry in state.sharing.records.entries_of(index) {
            marked += 1;
            if !is_marked(state, machine, page.slot, entry.place) {
                return Err(domain_violation(50, "an entry of a page that is away maps it", owner));
            }
        }
        being_read += usize::from(matches!(away, Away::Reading { .. }));
        match away {
            Away::Frame(_) | Away::Zeros => {}
            Away::Parcel(parcel) | Away::Unpacking { parcel, .. } => {
                for chunk in parcels.chunks_of(Some(parcel)) {
                    met += 1;
                    chunks.insert(chunk);
                }
            }
            Away::Swapped(place) | Away::Reading { place, .. } => {
                if !state.reclaim.swap.is_taken(place) || !places.insert(place.number()) {
                    return Err(domain_violation(50, "two pages have one place of swap", owner));
                }
            }
        }
    }
    let hypervisor = DomainId(0);
    let reads = |page: &Page, place| matches!(page.backing, Backing::Away(Away::Reading { place: known, .. }) if known == place);
    let mut reading = 0;
    for (index, place) in state.reclaim.read_pages() {
        reading += 1;
        if !reads(state.sharing.records.page(index), place) {
            return Err(domain_violation(50, "what is being read is of no page", hypervisor));
        }
    }
    if reading != being_read {
        return Err(domain_violation(50, "a page waits for what nobody reads", hypervisor));
    }
    for place in state.reclaim.written_places() {
        if !state.reclaim.swap.is_taken(place) || !places.insert(place.number()) {
            return Err(domain_violation(50, "a page is written where another is", hypervisor));
        }
    }
    if marked != truth.away {
        return Err(domain_violation(50, "an entry is marked and not recorded", hypervisor));
    }
    if met != chunks.len() || met != parcels.chunks() {
        return Err(domain_violation(50, "chunks of parcels are lost, or of two", hypervisor));
    }
    if places.len() as u64 != state.reclaim.swap.taken() {
        return Err(domain_violation(50, "places of the swap device are lost", hypervisor));
    }
    Ok(())
}

/// Whether an entry lies in a level-1 table of that domain, bears the mark, and is found by its
/// place.
fn is_marked<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &M,
    slot: Slot,
    place: EntryPlace,
) -> bool {
    let owner = state.domain(slot).id;
    let table = state.frames.owned_by(place.table, owner);
    table.is_ok_and(|table| table.kind == Type::Table(Level::L1))
        && P::Format::is_away(machine.read(place.table, usize::from(place.index)))
        && state.sharing.records.find_entry(place).is_some()
}
