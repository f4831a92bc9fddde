//! `trap_return`. Checks, in order: those of each update (`pte_update`); the vCPU page holds a
//! frame, its flags are known, its registers can be loaded, its program counter lies in the
//! guest's range (`BadTrapFrame`); for user mode there is a user root (`NotRegistered`).
//! Effect: the updates, then the frame's registers, mode and event mask.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::{Source, Then, UpdateWork};
use crate::state::State;
use hypercall_abi::calls::TrapReturn;

#[inline(always)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
    call: &TrapReturn,
    budget: &mut Budget,
) -> Answer {
    match state.update_leaves(machine, slot, call.count, budget) {
        (done, Err(error)) => Answer::Done(Err(Refusal { error, done })),
        (done, Ok(())) if done == call.count => {
            state.pop_trap_frame(machine, slot, registers, done)
        }
        (done, Ok(())) => {
            let arguments = state.vcpu(slot).arguments;
            let source = Source::Arguments(arguments);
            let work = UpdateWork::new(source, done, call.count, Then::TrapReturn);
            state.work(machine, slot, registers, Work::Update(work), budget)
        }
    }
}
