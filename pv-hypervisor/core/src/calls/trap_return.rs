//! `trap_return`. Checks, in order: those of each update (`pte_update`); the vCPU page holds a
//! frame, its flags are known, its registers can be loaded, its program counter lies in the
//! guest's range (`BadTrapFrame`); for user mode there is a user root (`NotRegistered`).
//! Effect: the updates, then the frame's registers, mode and event mask.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::{Platform, Registers};
use crate::pt::{Source, Then, UpdateWork};
use crate::state::State;
use hypercall_abi::calls::TrapReturn;

/// A return with at most one update, of a level-1 entry: nearly every one. `None`, with nothing
/// changed, when it is not that. On success the registers are those of the frame.
#[inline(always)]
pub(crate) fn quick<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
) -> Option<Result<(), Refusal>> {
    let count = registers.args()[0];
    if count == 1 {
        let arguments = state.vcpu(slot).arguments;
        let update = Source::Arguments(arguments).fetch(machine, 0);
        if let Err(error) = state.update_leaf(machine, slot, state.domain(slot).id, update)? {
            return Some(Err(error.into()));
        }
    } else if count != 0 {
        return None;
    }
    let popped = state.pop_trap_frame(machine, slot, registers);
    Some(popped.map_err(|error| Refusal { error, done: count }))
}

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
    call: &TrapReturn,
    budget: &mut Budget,
) -> Answer {
    let arguments = state.vcpu(slot).arguments;
    match state.update_leaves(machine, slot, arguments, 0..call.count, budget) {
        (done, Err(error)) => Answer::Done(Err(Refusal { error, done })),
        (done, Ok(())) if done == call.count => state.leave_trap(machine, slot, registers, done),
        (done, Ok(())) => {
            let source = Source::Arguments(arguments);
            let work = UpdateWork::new(source, done, call.count, Then::TrapReturn);
            state.work(machine, slot, registers, Work::Update(work), budget)
        }
    }
}
