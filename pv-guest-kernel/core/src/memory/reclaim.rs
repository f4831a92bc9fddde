//! Which pages leave memory when it is short: [`reclaim`], a clock over the private pages of
//! all address spaces with a second chance.
//!
//! The hand goes through one address space after the other. A page that was used since it came
//! by last stays, this once; any other is taken from its process. It is free when no other
//! process has it any more. Content of files and shared memory have no copy elsewhere and stay.

use super::{
    AddressSpace, Kind, Memory, Slot, Source, SpaceId, Swap,
    area::address_of,
    entry::{Entry, State},
    mapping::full,
};
use crate::{Change, PAGE, Pfn, Platform};
use core::ops::ControlFlow;

/// Bytes that are looked at together, when a page might be all zero.
const CHUNK: usize = 128;

/// Frees pages until `wanted` of them are free, or none of these address spaces, which are all
/// there are and in the order of their names, has another that can go. How many were freed.
///
/// It ends: a page that was used gets one second chance, and not another. It frees none when it
/// is not pages that are short, but [leaves](super::Settings::leaves) or
/// [tables](super::Settings::tables): then only the end of a process helps.
pub fn reclaim<P: Platform>(
    platform: &mut P,
    memory: &mut Memory<P>,
    spaces: &mut [&mut AddressSpace<P>],
    wanted: u64,
) -> u64 {
    let mut freed = 0;
    if memory.leaves.are_out() || memory.frames.tables_are_out() {
        return 0;
    }
    memory.swap.make_room();
    let count = spaces.len();
    let first = spaces.iter().position(|space| space.id >= memory.clock).unwrap_or(0);
    // Twice around, and what the hand had passed in the first: each page is seen used once, and
    // then not.
    for turn in 0..=2 * count {
        let Some(space) = spaces.get_mut((first + turn) % count.max(1)) else { break };
        let (more, flow) = space.sweep(platform, memory, wanted - freed);
        freed += more;
        if flow.is_break() {
            memory.clock = space.id;
            break;
        }
        memory.clock = SpaceId(space.id.0 + 1);
        if freed >= wanted {
            break;
        }
    }
    freed
}

/// What becomes of a page.
enum Fate {
    /// It stays.
    Stays,
    /// It is all zero: to touch it makes it again.
    Forgotten,
    /// It is in the swap area.
    Goes(Slot),
}

impl<P: Platform> AddressSpace<P> {
    /// Moves the hand on, until so many pages are free or it is at the end. How many are, and
    /// whether it is to stop here.
    fn sweep(
        &mut self,
        platform: &mut P,
        memory: &mut Memory<P>,
        wanted: u64,
    ) -> (u64, ControlFlow<()>) {
        let mut freed = 0;
        let mut index = self.areas.first_after(self.hand);
        while let Some(area) = self.areas.get(index).copied() {
            index += 1;
            if area.shared {
                continue;
            }
            let mut rest = area.pages.range();
            rest.start = rest.start.max(self.hand);
            loop {
                let flow = self.pages.visit(rest.clone(), &mut memory.leaves, |page, entry| {
                    rest.start = page + 1;
                    let State::Present(frame) = entry.state() else {
                        return ControlFlow::Continue(());
                    };
                    let swap = &mut memory.swap;
                    let mut used = |platform: &mut P| {
                        entry.is_mapped()
                            && platform.take_used(&mut self.tables, address_of(page)).accessed
                    };
                    if memory.frames.kind(frame) != Kind::Anonymous || used(platform) {
                        return ControlFlow::Continue(());
                    }
                    let fate = fate(platform, swap, frame, area.source == Source::Anonymous);
                    let goes = match fate {
                        Fate::Stays => return ControlFlow::Continue(()),
                        Fate::Forgotten => Entry::EMPTY,
                        Fate::Goes(slot) => {
                            swap.refer(slot);
                            self.usage.swapped += 1;
                            Entry::swapped(slot)
                        }
                    };
                    if entry.is_mapped() {
                        memory.changes.push(Change { page: address_of(page), to: None });
                    }
                    *entry = goes;
                    self.usage.remove(Kind::Anonymous);
                    memory.released.push(frame);
                    if memory.frames.uses(frame) == 1 {
                        swap.note_left(goes == Entry::EMPTY);
                        freed += 1;
                    }
                    if freed >= wanted {
                        return ControlFlow::Break(());
                    }
                    full(memory.released.len())
                });
                memory.apply(platform, &mut self.tables);
                if freed >= wanted {
                    self.hand = rest.start;
                    return (freed, ControlFlow::Break(()));
                }
                if flow.is_continue() {
                    break;
                }
            }
        }
        self.hand = 0;
        (freed, ControlFlow::Continue(()))
    }
}

/// What becomes of a private page that was not used. In anonymous memory, one that is all zero
/// needs no slot.
fn fate<P: Platform>(platform: &mut P, swap: &mut Swap<P>, page: Pfn, anonymous: bool) -> Fate {
    if anonymous && !swap.has(page) && is_zero(platform, page) {
        return Fate::Forgotten;
    }
    swap.save(platform, page).map_or(Fate::Stays, Fate::Goes)
}

/// Whether a page is all zero; most that are not show it at once.
fn is_zero<P: Platform>(platform: &P, page: Pfn) -> bool {
    let mut bytes = [0; CHUNK];
    (0..PAGE).step_by(CHUNK).all(|offset| {
        platform.read(page, offset, &mut bytes);
        bytes == [0; CHUNK]
    })
}
