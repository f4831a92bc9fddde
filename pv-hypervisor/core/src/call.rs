//! A call on its way: what it answers, and what is left of it when its budget is spent.
//!
//! A call that needs more than one budget stays with its vCPU: the hypervisor goes on with
//! it when it next schedules the vCPU, and the guest sees one call. So nothing of a call that
//! is under way lies in registers or memory that a guest can change.

use crate::balloon::{Giving, Taking};
use crate::budget::Budget;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::{Platform, Registers};
use crate::pt::{Progress, Then, UpdateWork, Walk};
use crate::state::State;
use crate::{Outcome, calls};
use hypercall_abi::{Error, Mfn, Status};

/// What a call has come to.
pub(crate) enum Answer {
    /// It is done: the value, or the error.
    Done(Result<u64, Refusal>),
    /// It goes on: what is left of it lies with the vCPU.
    More,
    /// It is a batch, whose entries come now.
    Batch(BatchCursor),
    /// The registers are set already, or the vCPU does not return to them.
    Left(Outcome),
}

/// Why a call is refused, and the value that counts what took effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    pub(crate) done: u64,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, done: 0 }
    }
}

impl From<Result<u64, Error>> for Answer {
    #[inline(always)]
    fn from(result: Result<u64, Error>) -> Answer {
        Answer::Done(result.map_err(Refusal::from))
    }
}

/// What is left of one call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Work {
    /// `pt_pin` validates a tree; the table to pin at its end.
    Pin { table: Mfn, walk: Walk },
    /// A tree whose last reference went is taken apart; then the call succeeds. Some calls
    /// drop two.
    Demote { walk: Walk, next: Option<Walk> },
    /// Page-table updates.
    Update(UpdateWork),
    /// `balloon_inflate`, or `balloon_report` of free memory.
    Give(Giving),
    /// `balloon_deflate`.
    Take(Taking),
    /// `share_break`: the first page, pages gone through so far, and wanted.
    Unshare { first: u64, done: u64, count: u64 },
    /// Nothing: the batch goes on with its next entry.
    NextOfBatch,
}

/// A batch that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BatchCursor {
    pub(crate) next: u64,
    pub(crate) count: u64,
}

impl<P: Platform> State<P> {
    /// Counts a refusal, and gives its status.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&mut self, slot: Slot, error: Error) -> Status {
        self.domain_mut(slot).counters.refusals[error as usize - 1] += 1;
        Status::from(Err(error))
    }

    /// A call from the kernel of a vCPU that is not answered at once.
    #[inline(never)]
    pub(crate) fn general_call<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> Outcome {
        registers.step_over_call();
        let (number, args) = (registers.number(), registers.args());
        self.vcpu_mut(slot).count_call_of(number);
        let mut budget = Budget::new(self.budget);
        let answer = calls::general(self, machine, slot, registers, number, &args, &mut budget);
        let answer = answer.unwrap_or_else(|error| Answer::Done(Err(error.into())));
        self.settle(machine, slot, registers, None, answer, &mut budget)
    }

    /// Goes on with the call that a vCPU is in the middle of.
    pub(crate) fn continue_call<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        work: Work,
    ) -> Outcome {
        let mut budget = Budget::new(self.budget);
        let batch = self.vcpu_mut(slot).batch.take();
        let answer = match (work, batch) {
            (Work::NextOfBatch, Some(cursor)) => Answer::Batch(cursor),
            (work, _) => self.work(machine, slot, registers, work, &mut budget),
        };
        self.settle(machine, slot, registers, batch, answer, &mut budget)
    }

    /// Leaves the rest of a call with its vCPU, for later.
    #[inline(never)]
    pub(crate) fn leave_work(&mut self, slot: Slot, work: Work) -> Answer {
        self.vcpu_mut(slot).work = Some(work);
        Answer::More
    }

    /// Puts an answer where the guest finds it, and goes on with the batch that the call
    /// stood in.
    #[inline(always)]
    fn settle<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        batch: Option<BatchCursor>,
        answer: Answer,
        budget: &mut Budget,
    ) -> Outcome {
        match (answer, batch) {
            (Answer::Done(result), None) => {
                let (status, value) = self.account(slot, result);
                registers.set_result(status, value);
                Outcome::Return
            }
            (answer, batch) => self.settle_batch(machine, slot, registers, batch, answer, budget),
        }
    }

    #[inline(never)]
    fn settle_batch<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        mut batch: Option<BatchCursor>,
        mut answer: Answer,
        budget: &mut Budget,
    ) -> Outcome {
        let arguments = self.vcpu(slot).arguments;
        loop {
            match answer {
                Answer::Left(outcome) => return outcome,
                Answer::More => {
                    self.vcpu_mut(slot).batch = batch;
                    return Outcome::Reschedule;
                }
                Answer::Batch(cursor) => batch = Some(cursor),
                Answer::Done(result) => {
                    let (status, value) = self.account(slot, result);
                    let Some(cursor) = &mut batch else {
                        registers.set_result(status, value);
                        return Outcome::Return;
                    };
                    calls::batch::write_result(machine, arguments, cursor.next, status, value);
                    cursor.next += 1;
                }
            }
            let Some(cursor) = batch else { return Outcome::Return };
            if cursor.next == cursor.count {
                registers.set_result(Status::SUCCESS, cursor.count);
                return Outcome::Return;
            }
            answer = if budget.is_spent() {
                self.leave_work(slot, Work::NextOfBatch)
            } else {
                let (number, args) = calls::batch::read_entry(machine, arguments, cursor.next);
                budget.spend(calls::batch::units(number));
                self.vcpu_mut(slot).count_call_of(number);
                let made = if calls::batch::may_contain(number, &args) {
                    calls::general(self, machine, slot, registers, number, &args, budget)
                } else {
                    Err(Error::NotInBatch)
                };
                made.unwrap_or_else(|error| Answer::Done(Err(error.into())))
            };
        }
    }

    #[inline(always)]
    fn account(&mut self, slot: Slot, result: Result<u64, Refusal>) -> (Status, u64) {
        match result {
            Ok(value) => (Status::SUCCESS, value),
            Err(Refusal { error, done }) => (self.refuse(slot, error), done),
        }
    }

    /// Does a bounded piece of what is left of a call.
    #[inline(never)]
    pub(crate) fn work<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        work: Work,
        budget: &mut Budget,
    ) -> Answer {
        match work {
            Work::Update(mut work) => match self.update_entries(machine, slot, &mut work, budget) {
                Progress::More => self.leave_work(slot, Work::Update(work)),
                Progress::Done(Err(error)) => {
                    Answer::Done(Err(Refusal { error, done: work.done() }))
                }
                Progress::Done(Ok(())) => match work.then {
                    Then::Return => Answer::Done(Ok(work.done())),
                    Then::TrapReturn => self.leave_trap(machine, slot, registers, work.done()),
                },
            },
            Work::Give(giving) => self.give(machine, slot, giving, budget),
            Work::Take(taking) => self.take(machine, slot, taking, budget),
            Work::Unshare { first, done, count } => {
                calls::share_break::go_on(self, machine, slot, first, done, count, budget)
            }
            Work::Pin { .. } | Work::Demote { .. } | Work::NextOfBatch => {
                self.walk_work(machine, slot, work, budget)
            }
        }
    }

    /// [`work`](Self::work) of the kinds that only walk trees.
    pub(crate) fn walk_work<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        work: Work,
        budget: &mut Budget,
    ) -> Answer {
        match work {
            Work::Pin { table, mut walk } => match self.walk(machine, slot, &mut walk, budget) {
                Progress::More => self.leave_work(slot, Work::Pin { table, walk }),
                Progress::Done(Ok(())) => {
                    self.pin_validated(slot, table);
                    Answer::Done(Ok(0))
                }
                Progress::Done(Err(error)) => Answer::Done(Err(error.into())),
            },
            Work::Demote { mut walk, next } => match self.walk(machine, slot, &mut walk, budget) {
                Progress::More => self.leave_work(slot, Work::Demote { walk, next }),
                Progress::Done(_) => match next {
                    Some(walk) => {
                        self.walk_work(machine, slot, Work::Demote { walk, next: None }, budget)
                    }
                    None => Answer::Done(Ok(0)),
                },
            },
            other => self.leave_work(slot, other),
        }
    }

    /// Turns round the work of a vCPU whose domain ends.
    pub(crate) fn cancel_work(&mut self, work: &mut Work) {
        match work {
            _ if self.planted.has(Bug::EndForgetsCall) => {}
            Work::Pin { walk, .. } => self.turn_round(walk, Error::NoDomain),
            Work::Update(work) => self.cancel_updates(work),
            Work::Give(giving) => giving.count = giving.done,
            Work::Take(taking) => (taking.count, taking.claim) = (taking.done, None),
            Work::Unshare { done, count, .. } => *count = *done,
            Work::Demote { .. } | Work::NextOfBatch => {}
        }
    }
}
