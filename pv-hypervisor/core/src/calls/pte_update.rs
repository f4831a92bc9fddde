//! `pte_update`. Checks of each update, in order: the target is well formed (`BadArgument`);
//! for an entry: the table is memory (`BadFrame`), the caller's (`NotOwner`), a page table
//! (`NotTable`) that is not under way (`Busy`), the slot not the hypervisor's
//! (`HypervisorRange`); for a page: there is such a root (`NotRegistered`), the address is in
//! the guest's range (`HypervisorRange`) and a level-1 table maps it (`NotMapped`); the value
//! is acceptable at that level (`BadEntry`); what it names may be named
//! (`pt/entry.rs`). Effect: `pt/update.rs`.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::{Source, Then, UpdateWork};
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::{Args, Call, PteUpdate};

/// One update of a level-1 entry: nearly every one. `None` when it is not that.
#[inline(always)]
pub(crate) fn one_leaf<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    args: Args,
) -> Option<Result<(), Error>> {
    let Ok(PteUpdate::One(update)) = PteUpdate::decode(&args) else { return None };
    state.update_leaf(machine, slot, state.domain(slot).id, update)
}

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
    call: &PteUpdate,
    budget: &mut Budget,
) -> Answer {
    let work = match *call {
        PteUpdate::One(update) => UpdateWork::new(Source::One(update), 0, 1, Then::Return),
        PteUpdate::Many(count) => {
            let arguments = state.vcpu(slot).arguments;
            match state.update_leaves(machine, slot, arguments, 0..count, budget) {
                (done, Err(error)) => return Answer::Done(Err(Refusal { error, done })),
                (done, Ok(())) if done == count => return Answer::from(Ok(done)),
                (done, Ok(())) => {
                    UpdateWork::new(Source::Arguments(arguments), done, count, Then::Return)
                }
            }
        }
    };
    state.work(machine, slot, registers, Work::Update(work), budget)
}
