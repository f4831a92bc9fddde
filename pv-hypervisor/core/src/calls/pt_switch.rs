//! `pt_switch`. Checks, in order: the kernel root is not cleared (`BadArgument`); for the
//! kernel root, then the user root: the frame is memory (`BadFrame`), the caller's
//! (`NotOwner`), a validated table (`NotTable`, `Busy`) of the root level (`BadLevel`), can
//! take a reference (`CountOverflow`). Effect: the roots change, the processor is on the new
//! root of its mode before the old one can go, and its translations are flushed.

use crate::budget::Budget;
use crate::call::{Answer, Work};
use crate::domain::Slot;
use crate::format::Format;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::PtSwitch;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::{Error, Mfn};

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &PtSwitch,
    budget: &mut Budget,
) -> Answer {
    if let Err(error) = check(state, slot, call) {
        return Answer::from(Err(error));
    }
    let old_kernel = match call.kernel_root {
        RootChange::Keep | RootChange::Clear => None,
        RootChange::Set(root) => {
            state.frames.held(root).add_table();
            state.vcpu_mut(slot).kernel_root.replace(root)
        }
    };
    let old_user = match call.user_root {
        RootChange::Keep => None,
        RootChange::Clear => state.vcpu_mut(slot).user_root.take(),
        RootChange::Set(root) => {
            state.frames.held(root).add_table();
            state.vcpu_mut(slot).user_root.replace(root)
        }
    };
    // A caller is in kernel mode. Loading a root flushes; without a change flush all the same.
    let root = state.vcpu(slot).root();
    if state.tlb.root() == root {
        state.tlb.flush(machine);
    } else if !state.planted.has(Bug::SwitchWithoutLoad) {
        state.tlb.load_root(machine, root);
    }
    let kernel = old_kernel.and_then(|root| state.release_table(root, P::Format::ROOT));
    let user = old_user.and_then(|root| state.release_table(root, P::Format::ROOT));
    match (kernel, user) {
        (None, None) => Answer::from(Ok(0)),
        (Some(walk), next) | (next @ None, Some(walk)) => {
            state.walk_work(machine, slot, Work::Demote { walk, next }, budget)
        }
    }
}

fn check<P: Platform>(state: &State<P>, slot: Slot, call: &PtSwitch) -> Result<(), Error> {
    if call.kernel_root == RootChange::Clear {
        return Err(Error::BadArgument);
    }
    for change in [call.kernel_root, call.user_root] {
        if let RootChange::Set(root) = change {
            check_root(state, slot, root)?;
        }
    }
    // Checked one by one, the last reference that fits would be taken twice.
    match (call.kernel_root, call.user_root) {
        (RootChange::Set(kernel), RootChange::Set(user)) if kernel == user => {
            state.frames.owned(kernel)?.check_two_references()
        }
        _ => Ok(()),
    }
}

fn check_root<P: Platform>(state: &State<P>, slot: Slot, root: Mfn) -> Result<(), Error> {
    state.frames.owned_by(root, state.domain(slot).id)?.check_table(P::Format::ROOT)
}
