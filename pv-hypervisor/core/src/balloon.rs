//! What the balloon's calls have in common: giving extents, taking them, and the target.
//!
//! An extent of 512 frames is more than one entry's budget can scrub, so that a call works on it in
//! pieces. Giving: all of it is looked at and then released, in one piece. Taking: the frames of a
//! whole block are scrubbed one by one, and when all are clean they are taken in one piece. Between
//! the pieces the block belongs to nobody, as before: another domain may take a frame of it,
//! and the call looks for another block, a few times.

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
const GIVE: u32 = 9;

/// Cost of taking one frame, its scrubbing included; and of scrubbing it alone.
const TAKE: u32 = 190;

/// Cost of looking whether one frame of a block is clean.
const LOOK: u32 = 2;

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
    /// The block that is being scrubbed.
    pub(crate) claim: Option<Claim>,
}

/// A block that a call has chosen, and that is nobody's still.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Claim {
    /// Its first frame.
    pub(crate) first: Mfn,
    /// Frames of it that were found clean, or scrubbed, one after another from the first.
    pub(crate) clean: u16,
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
            if !self.afford(budget, giving.order, GIVE) {
                return self.leave_work(slot, Work::Give(giving));
            }
            let first = Mfn(machine.read(arguments, giving.done as usize));
            if let Err(error) = self.check_given(slot, first, giving.order) {
                return Answer::Done(Err(Refusal { error, done: giving.done }));
            }
            match giving.order {
                Order::Frame => self.frames.release(first),
                Order::Extent => self.frames.release_extent(first),
            }
            let domain = self.domain_mut(slot);
            domain.frames -= giving.order.frames();
            if giving.reported {
                domain.balloon.reported_frames += giving.order.frames();
            }
            giving.done += 1;
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
            if domain.max_frames.saturating_sub(domain.backed_pages()) < taking.order.frames() {
                return refused(taking, Error::QuotaExceeded);
            }
            let first = match taking.order {
                _ if !self.has_spare_frames(taking.order.frames()) => None,
                Order::Frame => {
                    if !budget.spend(TAKE) {
                        return self.leave_work(slot, Work::Take(taking));
                    }
                    self.take_frame(machine, slot)
                }
                Order::Extent => match self.clean_block(machine, &mut taking.claim, budget) {
                    Cleaning::Clean(first) => {
                        self.take_extent(slot, first);
                        taking.claim = None;
                        Some(first)
                    }
                    Cleaning::None => None,
                    Cleaning::More => return self.leave_work(slot, Work::Take(taking)),
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

    /// Spends what one element costs: for an extent all that an entry has, as long as nothing of
    /// it is spent.
    fn afford(&self, budget: &mut Budget, order: Order, frame: u32) -> bool {
        match order {
            Order::Frame => budget.spend(frame),
            Order::Extent => budget.spend_whole(self.budget),
        }
    }

    /// Finds a whole block and scrubs it, as far as the budget goes.
    fn clean_block<M: Machine>(
        &mut self,
        machine: &mut M,
        claim: &mut Option<Claim>,
        budget: &mut Budget,
    ) -> Cleaning {
        let lost = claim.map_or(0, |claim| claim.lost);
        let mut now = match *claim {
            Some(claim) if self.frames.is_whole(claim.first) => claim,
            _ => match self.frames.whole_block() {
                None => return Cleaning::None,
                Some(first) => Claim { first, clean: 0, lost: lost + u8::from(claim.is_some()) },
            },
        };
        if now.lost > MAX_LOST {
            return Cleaning::None;
        }
        while u64::from(now.clean) < EXTENT_FRAMES {
            if !budget.spend(LOOK) {
                *claim = Some(now);
                return Cleaning::More;
            }
            let frame = Mfn(now.first.0 + u64::from(now.clean));
            if self.frames.scrub(machine, &mut self.tlb, frame) {
                budget.spend(TAKE);
            }
            now.clean += 1;
        }
        *claim = Some(now);
        if !budget.spend_whole(self.budget) {
            return Cleaning::More;
        }
        if self.frames.is_clean(now.first) {
            return Cleaning::Clean(now.first);
        }
        // It was another's in the meantime, and came back dirty.
        *claim = Some(Claim { clean: 0, lost: now.lost + 1, ..now });
        return Cleaning::More;
    }

    /// Takes a whole block for a domain that is being built.
    pub(crate) fn take_block<M: Machine>(&mut self, machine: &mut M, slot: Slot) -> Option<Mfn> {
        match self.clean_block(machine, &mut None, &mut Budget::unlimited()) {
            Cleaning::Clean(first) => {
                self.take_extent(slot, first);
                Some(first)
            }
            Cleaning::None | Cleaning::More => None,
        }
    }

    /// Takes a whole clean block for a domain; its limit has been looked at.
    fn take_extent(&mut self, slot: Slot, first: Mfn) {
        let id = self.domain(slot).id;
        self.frames.take_extent(first, id);
        self.domain_mut(slot).gained_frames(EXTENT_FRAMES);
    }
}

/// What has come of scrubbing a block.
enum Cleaning {
    /// All of it is clean.
    Clean(Mfn),
    /// No block is whole.
    None,
    /// The budget is spent.
    More,
}

fn refused(taking: Taking, error: Error) -> Answer {
    Answer::Done(Err(Refusal { error, done: taking.done }))
}
