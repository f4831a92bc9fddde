//! `share_break`. Checks, in order: the P2M is registered (`NotRegistered`), and the slots of all
//! the pages (`BadArgument`); of each page without a frame of its own: there is one for it
//! (`NoMemory`).
//! Effect: each page has a frame of its own.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{Error, Pfn};

/// Cost of a page that has a frame of its own, and of a piece of giving it one.
const PAGE: u32 = 4;
const COPY: u32 = 700;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    first: Pfn,
    count: u64,
    budget: &mut Budget,
) -> Answer {
    let movable = &state.domain(slot).movable;
    if movable.p2m().is_empty() {
        return Answer::from(Err(Error::NotRegistered));
    }
    if first.0.checked_add(count).is_none_or(|end| end > movable.pages()) {
        return Answer::from(Err(Error::BadArgument));
    }
    go_on(state, machine, slot, first.0, 0, count, budget)
}

pub(crate) fn go_on<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    first: u64,
    mut done: u64,
    count: u64,
    budget: &mut Budget,
) -> Answer {
    while done < count {
        let page = Pfn(first + done);
        let has_none = state.sharing.records.find_page(slot, page).is_some();
        if !budget.spend(if has_none { COPY } else { PAGE }) {
            return state.leave_work(slot, Work::Unshare { first, done, count });
        }
        match state.unshare_page(machine, slot, page) {
            Ok(whole) => done += u64::from(whole),
            Err(error) => return Answer::Done(Err(Refusal { error, done })),
        }
    }
    Answer::Done(Ok(done))
}
