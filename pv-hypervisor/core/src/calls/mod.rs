//! One file a hypercall: its checks, in the order that the book numbers them, and its effect.

use crate::call::{Answer, BatchCursor};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Hypercall;

mod abi_query;
pub(crate) mod balloon_deflate;
pub(crate) mod balloon_inflate;
pub(crate) mod batch;
mod console_read;
mod console_write;
mod domain_query;
mod event_alloc;
mod event_bind;
mod event_close;
mod event_mask;
mod event_send;
mod grant_map;
mod grant_revoke;
mod grant_share;
mod grant_unmap;
mod pt_create;
mod pt_pin;
mod pt_switch;
mod pt_unpin;
mod pte_update;
mod sched_block;
mod sched_yield;
mod shutdown;
mod timer_set;
mod tlb_flush;
mod trap_register;
mod trap_return;

/// Makes a decoded call for the vCPU in `slot`.
#[inline(always)]
pub(crate) fn dispatch<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
    call: &Hypercall,
    budget: &mut crate::budget::Budget,
) -> Answer {
    match call {
        Hypercall::AbiQuery(call) => abi_query::run(state, call).into(),
        Hypercall::PtCreate(call) => pt_create::run(state, machine, slot, call).into(),
        Hypercall::PtPin(call) => pt_pin::run(state, machine, slot, call, budget),
        Hypercall::PtUnpin(call) => pt_unpin::run(state, machine, slot, call, budget),
        Hypercall::PtSwitch(call) => pt_switch::run(state, machine, slot, call, budget),
        Hypercall::PteUpdate(call) => {
            pte_update::run(state, machine, slot, registers, call, budget)
        }
        Hypercall::TlbFlush(call) => tlb_flush::run(state, machine, call).into(),
        Hypercall::BalloonInflate(call) => {
            balloon_inflate::go_on(state, machine, slot, 0, call.count, budget)
        }
        Hypercall::BalloonDeflate(call) => {
            balloon_deflate::go_on(state, machine, slot, 0, call.count, budget)
        }
        Hypercall::GrantShare(call) => grant_share::run(state, machine, slot, call).into(),
        Hypercall::GrantRevoke(call) => grant_revoke::run(state, slot, call).into(),
        Hypercall::GrantMap(call) => grant_map::run(state, slot, call).into(),
        Hypercall::GrantUnmap(call) => grant_unmap::run(state, machine, slot, call).into(),
        Hypercall::EventAlloc(call) => event_alloc::run(state, slot, call).into(),
        Hypercall::EventBind(call) => event_bind::run(state, machine, slot, call).into(),
        Hypercall::EventSend(call) => event_send::run(state, machine, slot, call).into(),
        Hypercall::EventMask(call) => event_mask::run(state, machine, slot, call).into(),
        Hypercall::EventClose(call) => event_close::run(state, machine, slot, call).into(),
        Hypercall::TrapRegister(call) => trap_register::run(state, slot, call).into(),
        Hypercall::TrapReturn(call) => {
            trap_return::run(state, machine, slot, registers, call, budget)
        }
        Hypercall::SchedYield(_) => sched_yield::run(state, registers),
        Hypercall::SchedBlock(_) => sched_block::run(state, machine, slot, registers),
        Hypercall::TimerSet(call) => timer_set::run(state, machine, slot, call).into(),
        Hypercall::Shutdown(call) => shutdown::run(state, machine, slot, call),
        Hypercall::ConsoleWrite(call) => console_write::run(state, machine, slot, call).into(),
        Hypercall::ConsoleRead(call) => console_read::run(state, machine, slot, call).into(),
        Hypercall::DomainQuery(call) => domain_query::run(state, machine, slot, call).into(),
        Hypercall::Batch(call) => Answer::Batch(BatchCursor { next: 0, count: call.count }),
    }
}
