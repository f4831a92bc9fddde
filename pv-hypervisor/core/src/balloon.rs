//! What the balloon's calls have in common: giving extents, taking them, and the target.
//!
//! An extent of 512 frames is more than one entry may work on, so that a call does it in pieces.
//! Giving: all of it is looked at, then it is released, a piece an entry. Taking: frames of a whole block are
//! scrubbed and taken one by one. In between another domain may take a frame of the block; then
//! those taken go back, and the call looks for another block, a few times. The domain itself
//! can do nothing meanwhile: its only vCPU is in the call, and nobody refers to a frame of another
//! domain but by a grant, which is a reference.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::balloon_statistics::BalloonStatistics;
use hypercall_abi::extent::{EXTENT_FRAMES, Order};
use hypercall_abi::vcpu_page::TARGET_FRAMES_OFFSET;
use hypercall_abi::{DomainId, Error, Mfn, Port};

/// Cost of giving one frame.
const GIVE: u32 = 14;

/// Cost of taking one frame, its scrubbing included; and of scrubbing it alone.
const TAKE: u32 = 190;

/// Cost of taking one frame of a block that is clean.
const TAKE_CLEAN: u32 = 11;

/// Frames of an extent that are released in one piece.
const PIECE: u64 = 128;

/// Blocks that a call may lose to others before it says that there is none.
const MAX_LOST: u8 = 8;

/// What a domain's balloon and the operator have told each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BalloonState {
    /// Frames that it should own, as the operator sees it.
    pub target_frames: u64,
    /// Times that the operator has changed that.
    pub targets_set: u64,
    /// Frames that its kernel has reported as free and that have not come back.
    pub reported_frames: u64,
    /// What its kernel said last. Hints.
    pub told: Option<BalloonStatistics>,
}

/// What is left of a call that gives extents to the hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Giving {
    /// Extents given so far.
    pub(crate) done: u64,
    /// Extents to give.
    pub(crate) count: u64,
    /// How large they are.
    pub(crate) order: Order,
    /// They are reported as free, not ballooned.
    pub(crate) reported: bool,
    /// Frames of the next extent that are released already: it was looked at.
    pub(crate) released: u16,
    /// The first frame of that extent: the guest's word for it is read once.
    pub(crate) first: Mfn,
}

impl Giving {
    /// All of it is left.
    pub(crate) const fn new(count: u64, order: Order, reported: bool) -> Giving {
        Giving { done: 0, count, order, reported, released: 0, first: Mfn::NONE }
    }
}

/// What is left of a call that asks for extents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Taking {
    /// Extents taken so far.
    pub(crate) done: u64,
    /// Extents wanted.
    pub(crate) count: u64,
    /// How large they are.
    pub(crate) order: Order,
    /// The block that is being taken.
    pub(crate) claim: Option<Claim>,
}

impl Taking {
    /// Frames that the domain has of an extent that it has not whole.
    pub(crate) fn begun(&self) -> u64 {
        self.claim.map_or(0, |claim| claim.taken.into())
    }
}

/// A block that a call has chosen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Claim {
    /// Its first frame.
    pub(crate) first: Mfn,
    /// Frames of it that the domain has, from the first.
    pub(crate) taken: u16,
    /// Blocks that were lost before.
    pub(crate) lost: u8,
}

impl<P: Platform> State<P> {
    /// Says how many frames a domain should own, at most its limit: its balloon hears of it by an
    /// event, and finds the number in its vCPU page.
    ///
    /// # Errors
    /// [`Error::NoDomain`]: no domain of that identity runs.
    pub fn set_target<M: Machine>(
        &mut self,
        machine: &mut M,
        domain: DomainId,
        frames: u64,
    ) -> Result<(), Error> {
        let slot = self.slot_of(domain)?;
        let domain = self.domain_mut(slot);
        let frames = frames.min(domain.max_frames);
        if frames != domain.balloon.target_frames {
            domain.balloon.target_frames = frames;
            domain.balloon.targets_set += 1;
            let page = self.vcpu(slot).page;
            machine.write(page, TARGET_FRAMES_OFFSET / 8, frames);
            self.raise(machine, slot, Port::BALLOON);
        }
        Ok(())
    }

    /// Goes on with a call that gives extents.
    pub(crate) fn give<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        mut giving: Giving,
        budget: &mut Budget,
    ) -> Answer {
        let arguments = self.vcpu(slot).arguments;
        while giving.done < giving.count {
            let frames = match giving.order {
                Order::Frame => budget.spend(GIVE).then_some(1),
                Order::Extent => budget.spend_whole(self.budget).then_some(PIECE),
            };
            let Some(frames) = frames else { return self.leave_work(slot, Work::Give(giving)) };
            if giving.released == 0 {
                giving.first = Mfn(machine.read(arguments, giving.done as usize));
                if let Err(error) = self.check_given(slot, giving.first, giving.order) {
                    return Answer::Done(Err(Refusal { error, done: giving.done }));
                }
            }
            match giving.order {
                Order::Frame => self.frames.release(giving.first),
                Order::Extent => {
                    let from = Mfn(giving.first.0 + u64::from(giving.released));
                    self.frames.release_run(from, frames);
                }
            }
            let domain = self.domain_mut(slot);
            domain.frames -= frames;
            if giving.reported {
                domain.balloon.reported_frames += frames;
            }
            giving.released += frames as u16;
            if u64::from(giving.released) == giving.order.frames() {
                giving.done += 1;
                giving.released = 0;
            }
        }
        Answer::Done(Ok(giving.done))
    }

    fn check_given(&self, slot: Slot, first: Mfn, order: Order) -> Result<(), Error> {
        let id = self.domain(slot).id;
        if order == Order::Extent {
            return self.frames.check_extent(first, id);
        }
        let owned = self.frames.owned_by(first, id)?;
        if owned.is_unreferenced() || self.planted.has(Bug::InflateReferenced) {
            Ok(())
        } else {
            Err(Error::Busy)
        }
    }

    /// Goes on with a call that asks for extents.
    pub(crate) fn take<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        mut taking: Taking,
        budget: &mut Budget,
    ) -> Answer {
        let arguments = self.vcpu(slot).arguments;
        while taking.done < taking.count {
            let domain = self.domain(slot);
            let has = taking.begun();
            if domain.max_frames - (domain.backed_pages() - has) < taking.order.frames() {
                return refused(taking, Error::QuotaExceeded);
            }
            let first = match taking.order {
                // What was begun is ended: the domain has a part of the extent already.
                _ if has == 0 && !self.has_spare_frames(taking.order.frames()) => None,
                Order::Frame => {
                    if !budget.spend(TAKE) {
                        return self.leave_work(slot, Work::Take(taking));
                    }
                    self.take_frame(machine, slot)
                }
                Order::Extent => match self.take_block(machine, slot, &mut taking.claim, budget) {
                    Block::Taken(first) => Some(first),
                    Block::None => None,
                    Block::More => return self.leave_work(slot, Work::Take(taking)),
                },
            };
            let Some(first) = first else { return refused(taking, Error::NoMemory) };
            let balloon = &mut self.domain_mut(slot).balloon;
            let back = balloon.reported_frames.min(taking.order.frames());
            balloon.reported_frames -= back;
            machine.write(arguments, taking.done as usize, first.0);
            taking.done += 1;
        }
        Answer::Done(Ok(taking.done))
    }

    /// Takes a whole block for a domain, as far as the budget goes; its limit has been looked at.
    fn take_block<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        claim: &mut Option<Claim>,
        budget: &mut Budget,
    ) -> Block {
        let mut lost = 0;
        if let Some(Claim { first, taken, lost: before }) = *claim {
            lost = before;
            if u64::from(self.frames.block_unowned(first)) + u64::from(taken) != EXTENT_FRAMES {
                if taken > 0 {
                    if !budget.spend_whole(self.budget) {
                        return Block::More;
                    }
                    let some = u64::from(taken).min(PIECE);
                    let from = Mfn(first.0 + u64::from(taken) - some);
                    self.frames.release_run(from, some);
                    self.domain_mut(slot).frames -= some;
                    *claim = Some(Claim { first, taken: taken - some as u16, lost });
                    return Block::More;
                }
                *claim = None;
                lost += 1;
            }
        }
        let mut now = match *claim {
            Some(claim) => claim,
            None if lost > MAX_LOST => return Block::None,
            None => match self.frames.whole_block() {
                None => return Block::None,
                Some(first) => Claim { first, taken: 0, lost },
            },
        };
        let id = self.domain(slot).id;
        while u64::from(now.taken) < EXTENT_FRAMES {
            if !budget.spend(TAKE_CLEAN) {
                *claim = Some(now);
                return Block::More;
            }
            let frame = Mfn(now.first.0 + u64::from(now.taken));
            if self.frames.scrub(machine, &mut self.tlb, frame) {
                budget.spend(TAKE);
            }
            self.frames.take_free(frame, id);
            self.domain_mut(slot).gained_frame();
            now.taken += 1;
        }
        *claim = None;
        Block::Taken(now.first)
    }

    /// Takes a whole block for a domain that is being built.
    pub(crate) fn take_block_now<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
    ) -> Option<Mfn> {
        match self.take_block(machine, slot, &mut None, &mut Budget::unlimited()) {
            Block::Taken(first) => Some(first),
            Block::None | Block::More => None,
        }
    }
}

/// What has come of taking a block.
enum Block {
    /// All of it is the domain's.
    Taken(Mfn),
    /// No block is whole.
    None,
    /// The budget is spent.
    More,
}

fn refused(taking: Taking, error: Error) -> Answer {
    Answer::Done(Err(Refusal { error, done: taking.done }))
}
