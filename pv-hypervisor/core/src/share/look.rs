//! One page that is looked at for sharing, a piece in each step: its hash is made, and where a page is
//! remembered that had the same, that page's hash is made again.
//!
//! Between two steps anything may happen: each looks first whether the page has the frame that it had.
//! What is in the frame may have changed, and then the hash is that of no content at all. It says
//! where to look and nothing more: what is alike by it is compared in full when it is merged.

use super::hash::Digest;
use super::hints::{About, Found};
use super::scan::{Scanner, is_zero};
use super::{PageName, Side};
use crate::domain::Slot;
use crate::frame::GroupKey;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{Mfn, Pfn};

/// A page that is being looked at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Look {
    slot: Slot,
    /// Which it is.
    pub(crate) name: PageName,
    frame: Mfn,
    group: GroupKey,
    stage: Stage,
}

/// How far a look is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Stage {
    /// Its hash is being made.
    Page(Digest),
    /// It has this hash, and that of a page is being made which had it when the scanner came by, in
    /// this frame.
    Hint { hash: u64, hint: (Slot, Pfn, Mfn), digest: Digest },
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Looked {
    /// There is more to do.
    More(Look),
    /// The page is one of a pair now that is to be merged.
    Pair,
    /// Nothing.
    Nothing,
}

impl Looked {
    /// What there is still to do.
    pub(super) fn more(self) -> Option<Look> {
        match self {
            Looked::More(look) => Some(look),
            Looked::Pair | Looked::Nothing => None,
        }
    }
}

impl<P: Platform> State<P> {
    /// Begins to look at a page out of its turn.
    pub(crate) fn share_now<M: Machine>(
        &mut self,
        machine: &M,
        slot: Slot,
        name: PageName,
    ) -> Looked {
        self.with_scanner(|state, scanner| state.look_at(machine, scanner, slot, name))
    }

    /// Goes on with what [`share_now`](Self::share_now) has begun.
    pub(crate) fn share_further<M: Machine>(&mut self, machine: &M, look: Look) -> Looked {
        self.with_scanner(|state, scanner| state.look_on(machine, scanner, look))
    }

    fn with_scanner(&mut self, run: impl FnOnce(&mut Self, &mut Scanner) -> Looked) -> Looked {
        let Some(mut scanner) = self.sharing.scanner.take() else { return Looked::Nothing };
        let looked = run(self, &mut scanner);
        self.sharing.scanner = Some(scanner);
        looked
    }

    /// Begins to look at a page.
    pub(super) fn look_at<M: Machine>(
        &mut self,
        machine: &M,
        scanner: &mut Scanner,
        slot: Slot,
        name: PageName,
    ) -> Looked {
        let Some(frame) = self.own_frame_of(machine, name) else { return Looked::Nothing };
        scanner.counters.scanned += 1;
        let index = (frame.0 - self.frames.base().0) as usize;
        if is_zero(machine, frame) {
            // What is zeros is not asked for whether it changes: it is what is shared most.
            scanner.counters.zero += 1;
        } else if !scanner.is_steady(machine, frame, index) {
            scanner.counters.volatile += 1;
            return Looked::Nothing;
        }
        let group = self.group_of(slot);
        scanner.counters.hashed += 1;
        let stage = Stage::Page(scanner.hashing.begin(group));
        self.look_step(machine, scanner, Look { slot, name, frame, group, stage })
    }

    /// Goes on, if the page is where it was.
    pub(super) fn look_on<M: Machine>(
        &mut self,
        machine: &M,
        scanner: &mut Scanner,
        look: Look,
    ) -> Looked {
        if self.is_still(machine, look.slot, look.name, look.frame, look.group) {
            self.look_step(machine, scanner, look)
        } else {
            Looked::Nothing
        }
    }

    /// One step of looking at a page that has the frame which is looked at.
    fn look_step<M: Machine>(
        &mut self,
        machine: &M,
        scanner: &mut Scanner,
        mut look: Look,
    ) -> Looked {
        match &mut look.stage {
            Stage::Page(digest) => match scanner.hashing.go_on(digest, machine, look.frame) {
                Some(hash) => self.look_up(machine, scanner, look, hash),
                None => Looked::More(look),
            },
            Stage::Hint { hash, hint, digest } => {
                let (hash, hint) = (*hash, *hint);
                let (slot, page, frame) = hint;
                let like = match self.hinted(machine, hint, look.group) {
                    Some(name) => match scanner.hashing.go_on(digest, machine, frame) {
                        Some(found) => (found == hash).then_some(name),
                        None => return Looked::More(look),
                    },
                    None => None,
                };
                match like {
                    Some(other) => {
                        let side = Side::Page(other);
                        if self.want_merge_of(machine, side, look.name, Some(hash)) {
                            return Looked::Pair;
                        }
                    }
                    None => {
                        scanner.counters.stale += 1;
                        scanner.hints.forget_page(hash, slot, page);
                    }
                }
                scanner.hints.add_page(hash, look.slot, look.name.page, look.frame);
                Looked::Nothing
            }
        }
    }

    /// Looks for what has the hash of a page.
    fn look_up<M: Machine>(
        &mut self,
        machine: &M,
        scanner: &mut Scanner,
        look: Look,
        hash: u64,
    ) -> Looked {
        let Look { slot, name, frame, group, .. } = look;
        let not = (slot, name.page);
        let found: heapless::Vec<Found, 8> =
            scanner.hints.find(About::Hash, hash, not).take(8).collect();
        for found in found {
            scanner.counters.hints += 1;
            match found {
                Found::Frame(frame) => match self.frames.shared(frame) {
                    Some(shared) if shared.group == group => {
                        if self.want_merge_of(machine, Side::Frame(frame), name, Some(hash)) {
                            return Looked::Pair;
                        }
                    }
                    Some(_) => {}
                    None => {
                        scanner.counters.stale += 1;
                        scanner.hints.forget_frame(hash, frame);
                    }
                },
                Found::Page(other, page, hinted) => {
                    let hint = (other, page, hinted);
                    if self.hinted(machine, hint, group).is_some() {
                        let digest = scanner.hashing.begin(group);
                        let stage = Stage::Hint { hash, hint, digest };
                        return Looked::More(Look { stage, ..look });
                    }
                    scanner.counters.stale += 1;
                    scanner.hints.forget_page(hash, other, page);
                    break;
                }
            }
        }
        scanner.hints.add_page(hash, slot, name.page, frame);
        Looked::Nothing
    }

    /// The page that a hint tells of, if it has the frame that it had.
    fn hinted<M: Machine>(
        &self,
        machine: &M,
        (slot, page, frame): (Slot, Pfn, Mfn),
        group: GroupKey,
    ) -> Option<PageName> {
        let name = PageName { domain: self.domains[slot.index()].as_ref()?.id, page };
        self.is_still(machine, slot, name, frame, group).then_some(name)
    }

    fn is_still<M: Machine>(
        &self,
        machine: &M,
        slot: Slot,
        name: PageName,
        frame: Mfn,
        group: GroupKey,
    ) -> bool {
        self.own_frame_of(machine, name) == Some(frame) && self.group_of(slot) == group
    }
}
