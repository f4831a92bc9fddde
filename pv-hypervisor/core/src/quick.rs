//! Calls that are answered at once: the path that nearly every call takes.
//!
//! The image enters with no register saved but those of the call, and each call's function ends
//! in the return to the entry code: nothing is kept over it, so that a call pays only for the
//! registers that it needs itself.

use crate::Outcome;
use crate::call::Refusal;
use crate::calls::{self, Immediate};
use crate::domain::{Slot, Trap};
use crate::format::Format;
use crate::machine::Machine;
use crate::platform::{Platform, Registers};
use crate::state::State;
use crate::vcpu::Mode;
use hypercall_abi::calls::Args;
use hypercall_abi::trap::Cause;
use hypercall_abi::{Error, Number, Status};

/// What has become of a call that could be answered at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Quick {
    /// It is answered: return to the guest.
    Made,
    /// It is answered, but something comes before the return: save all registers and call
    /// [`State::after_quick_call`].
    EventDue,
    /// It is not made: save all registers and call [`State::after_unmade_call`].
    NotMade,
    /// All registers are new: return to the guest with them, and forget those it had.
    Replaced,
    /// All registers are new, but something comes before the return: forget those it had and
    /// call [`State::after_quick_call`].
    ReplacedEventDue,
}

/// A vCPU that has executed the instruction that makes calls, as an image holds it.
pub trait QuickEntry<P: Platform>: Sized {
    /// The machine.
    type Machine: Machine;
    /// What the entry code is told.
    type End;

    /// The state, the machine, and the vCPU with those of its registers that a call has.
    fn parts(&mut self) -> (&mut State<P>, &mut Self::Machine, Slot, &mut P::Registers);

    /// Gives back what the entry held.
    fn end(self, quick: Quick) -> Self::End;
}

/// The entry of [`State::enter`].
pub(crate) struct Borrowed<'a, P: Platform, M> {
    pub(crate) state: &'a mut State<P>,
    pub(crate) machine: &'a mut M,
    pub(crate) slot: Slot,
    pub(crate) registers: &'a mut P::Registers,
}

impl<P: Platform, M: Machine> QuickEntry<P> for Borrowed<'_, P, M> {
    type Machine = M;
    type End = Quick;

    fn parts(&mut self) -> (&mut State<P>, &mut M, Slot, &mut P::Registers) {
        (self.state, self.machine, self.slot, self.registers)
    }

    fn end(self, quick: Quick) -> Quick {
        quick
    }
}

/// A call that has been counted and is being made.
struct Making<E> {
    entry: E,
}

impl<P: Platform, E: QuickEntry<P>> Immediate<P, E::Machine> for Making<E> {
    type Answer = E::End;

    #[inline(never)]
    fn made<F>(mut self, run: F) -> E::End
    where
        F: FnOnce(&mut State<P>, &mut E::Machine, Slot, &Args) -> Result<u64, Error>,
    {
        let (state, machine, slot, registers) = self.entry.parts();
        match run(state, machine, slot, &registers.args()) {
            Ok(value) => {
                registers.set_result(Status::SUCCESS, value);
                answered(self.entry)
            }
            Err(error) => refused(self.entry, Refusal::from(error)),
        }
    }

    #[inline(always)]
    fn not_immediate(self, number: Number) -> E::End {
        match number {
            Number::PteUpdate => update_leaf(self.entry),
            Number::TrapReturn => trap_return(self.entry),
            _ => not_made(self.entry, number),
        }
    }
}

/// The end of a call whose answer lies in the registers.
#[inline(always)]
fn answered<P: Platform, E: QuickEntry<P>>(mut entry: E) -> E::End {
    let (state, machine, slot, registers) = entry.parts();
    registers.step_over_call();
    let due = state.is_event_due(machine, slot) || registers.pc() >= P::Format::GUEST_END;
    entry.end(if due { Quick::EventDue } else { Quick::Made })
}

/// The end of a call that is refused.
#[cold]
#[inline(never)]
fn refused<P: Platform, E: QuickEntry<P>>(mut entry: E, refusal: Refusal) -> E::End {
    let (state, _, slot, registers) = entry.parts();
    let status = state.refuse(slot, refusal.error);
    registers.set_result(status, refusal.done);
    answered(entry)
}

/// The end of a call that is left to [`State::after_unmade_call`], which counts it anew.
#[inline(always)]
fn not_made<P: Platform, E: QuickEntry<P>>(mut entry: E, number: Number) -> E::End {
    let (state, _, slot, _) = entry.parts();
    state.vcpu_mut(slot).calls[number as usize] -= 1;
    entry.end(Quick::NotMade)
}

#[inline(never)]
fn update_leaf<P: Platform, E: QuickEntry<P>>(mut entry: E) -> E::End {
    let (state, machine, slot, registers) = entry.parts();
    match calls::pte_update::one_leaf(state, machine, slot, registers.args()) {
        Some(Ok(())) => {
            registers.set_result(Status::SUCCESS, 1);
            answered(entry)
        }
        Some(Err(error)) => refused(entry, Refusal::from(error)),
        None => not_made(entry, Number::PteUpdate),
    }
}

#[inline(never)]
fn trap_return<P: Platform, E: QuickEntry<P>>(mut entry: E) -> E::End {
    let (state, machine, slot, registers) = entry.parts();
    match calls::trap_return::quick(state, machine, slot, registers) {
        Some(Ok(())) => {
            let due = state.is_event_due(machine, slot);
            entry.end(if due { Quick::ReplacedEventDue } else { Quick::Replaced })
        }
        Some(Err(refusal)) => refused(entry, refusal),
        None => not_made(entry, Number::TrapReturn),
    }
}

/// A vCPU has executed the instruction that makes calls. Nearly every call is answered here,
/// with no register needed but those of the call: an image may save no others before.
#[inline(always)]
pub fn quick_call<P: Platform, E: QuickEntry<P>>(mut entry: E) -> E::End {
    let (state, _, slot, registers) = entry.parts();
    let vcpu = state.vcpu_mut(slot);
    if vcpu.mode != Mode::Kernel {
        return entry.end(Quick::NotMade);
    }
    let number = registers.number();
    if number < Number::COUNT as u64
        && let Some(number) = Number::new(number)
    {
        vcpu.count_call(number);
        calls::immediate(number, Making { entry })
    } else {
        refused(entry, Refusal::from(Error::UnknownCall))
    }
}

impl<P: Platform> State<P> {
    /// What follows a call that [`quick_call`] answered with [`Quick::NotMade`], once all
    /// registers are saved: the call, or the trap that it is in user mode.
    pub fn after_unmade_call<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> Outcome {
        let outcome = match self.vcpu(slot).mode {
            Mode::Kernel => self.general_call(machine, slot, registers),
            Mode::User => {
                // As in `enter`, nothing comes between its delivery and the return.
                let trap = Trap { cause: Cause::SystemCall, code: 0, address: 0 };
                return self.deliver_trap(machine, slot, registers, trap);
            }
        };
        self.before_return(machine, slot, registers, outcome)
    }

    /// What follows a call that [`quick_call`] answered with [`Quick::EventDue`], once all
    /// registers are saved.
    pub fn after_quick_call<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> Outcome {
        self.before_return(machine, slot, registers, Outcome::Return)
    }
}
