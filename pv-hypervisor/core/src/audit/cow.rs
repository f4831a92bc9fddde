//! I25 and I26: pages that share a frame, and the entries that map them.

use super::{Audit, Truth, domain_violation, frame_violation};
use crate::domain::{MAX_DOMAINS, Slot};
use crate::format::{Entry, Format};
use crate::frame::{Frame, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::{EntryPlace, SharingTotals};
use crate::state::State;
use alloc::collections::BTreeMap;
use hypercall_abi::addr::Level;
use hypercall_abi::{DomainId, Mfn, Pfn};

/// I25: a frame that pages share is mapped for reading alone, by entries of which each has one
/// record; it counts its pages, which are of its group, and is shared by one at least.
pub(super) fn i25_copy_on_write<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &M,
    truth: &Truth,
) -> Audit {
    // By frame: pages, and records of entries.
    let mut found = BTreeMap::<Mfn, (u32, u32)>::new();
    let records = &state.sharing.records;
    let mut recorded = 0;
    for (index, page) in records.pages() {
        let base = page.frame().unwrap_or(state.frames.base());
        let mut met = 0;
        for entry in records.entries_of(index) {
            met += 1;
            let is_of = page
                .shared_frame()
                .is_none_or(|frame| maps(state, machine, page.slot, entry.place, frame));
            if entry.page != index || !is_of {
                return Err(frame_violation(25, "a record is of no entry", base));
            }
        }
        recorded += met as usize;
        if !records.is_linked_back(index) {
            return Err(frame_violation(25, "the list of a page's entries is torn", base));
        }
        if met != u32::from(page.entries) {
            return Err(frame_violation(25, "a page miscounts its entries", base));
        }
        let Some(frame) = page.frame() else { continue };
        let Some(shared) = state.frames.shared(frame) else {
            return Err(frame_violation(25, "a page shares what is no shared frame", frame));
        };
        let alive = state.domains().any(|(slot, _)| slot == page.slot);
        if !alive || shared.group != state.group_of(page.slot) {
            return Err(frame_violation(25, "it backs a page of another group", frame));
        }
        let (pages, entries) = found.entry(frame).or_default();
        *pages += 1;
        // Those of a page that is away name no frame.
        *entries += if page.is_away() { 0 } else { met };
    }
    if records.entries().count() != recorded {
        let base = state.frames.base();
        return Err(frame_violation(25, "a record of an entry is of no page", base));
    }
    let mut totals = SharingTotals::default();
    for (frame, entry) in state.frames.iter() {
        let Frame::Shared(shared) = entry else { continue };
        totals.frames += 1;
        totals.pages += u64::from(shared.sharers);
        totals.zero_pages += if shared.zero { u64::from(shared.sharers) } else { 0 };
        let (pages, entries) = found.get(&frame).copied().unwrap_or_default();
        if truth.get(frame).writable != 0 {
            return Err(frame_violation(25, "it is shared and mapped writable", frame));
        }
        if pages == 0 || { shared.sharers } != pages {
            return Err(frame_violation(25, "it does not back the pages it counts", frame));
        }
        if truth.get(frame).all != entries {
            return Err(frame_violation(25, "an entry of it has no record", frame));
        }
    }
    if totals != state.sharing_totals() {
        return Err(frame_violation(25, "what is shared is miscounted", state.frames.base()));
    }
    Ok(())
}

/// Whether an entry lies in a table of that domain and maps that frame for reading; and whether it
/// is found by its place.
fn maps<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &M,
    slot: Slot,
    place: EntryPlace,
    frame: Mfn,
) -> bool {
    let owner = state.domain(slot).id;
    let table = state.frames.owned_by(place.table, owner);
    let value = machine.read(place.table, usize::from(place.index));
    let found = state.sharing.records.find_entry(place);
    table.is_ok_and(|table| table.kind == Type::Table(Level::L1))
        && found.is_some_and(|(_, entry)| entry.place == place)
        && matches!(
            P::Format::decode(value, Level::L1),
            Ok(Entry::Leaf(leaf)) if leaf.frame == frame && !leaf.writable
        )
}

/// I26: each page shares one frame at most, is one whose slot its domain has registered, and is
/// counted; the frames that are registered are the domain's.
pub(super) fn i26_pages_and_frames<P: Platform>(state: &State<P>) -> Audit {
    let mut counted = [0u64; MAX_DOMAINS];
    for (index, page) in state.sharing.records.pages() {
        counted[page.slot.index()] += 1;
        let name = Pfn(page.page.into());
        let owner = state.domains[page.slot.index()].as_ref().map_or(DomainId(0), |found| found.id);
        if state.sharing.records.find_page(page.slot, name) != Some(index) {
            return Err(domain_violation(26, "a page shares two frames", owner));
        }
        let domain = state.domains().find(|(slot, _)| *slot == page.slot);
        if domain.is_some_and(|(_, domain)| domain.is_running() && name.0 >= domain.movable.pages())
        {
            return Err(domain_violation(26, "a frame backs a page that has no slot", owner));
        }
    }
    for (slot, domain) in state.domains() {
        if counted[slot.index()] != domain.movable.shared_pages() {
            return Err(domain_violation(26, "it has not the shared pages it counts", domain.id));
        }
        for frame in domain.movable.p2m() {
            if state.frames.owned_by(*frame, domain.id).is_err() {
                return Err(frame_violation(26, "a slot lies in a frame of another", *frame));
            }
        }
    }
    Ok(())
}
