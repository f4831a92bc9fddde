//! One file a hypercall: its checks, in the order that the book numbers them, and its effect.

use crate::budget::Budget;
use crate::call::{Answer, BatchCursor};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::{
    AbiQuery, Args, BalloonDeflate, BalloonInflate, Batch, Call, ConsoleRead, ConsoleWrite,
    DomainQuery, EventAlloc, EventBind, EventClose, EventMask, EventSend, GrantMap, GrantRevoke,
    GrantShare, GrantUnmap, PtCreate, PtPin, PtSwitch, PtUnpin, PteUpdate, Shutdown, TimerSet,
    TlbFlush, TrapRegister, TrapReturn,
};
use hypercall_abi::{Error, Number};

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
pub(crate) mod trap_return;

/// A call that is answered at once and touches no register but the two of its answer: decodes
/// it and makes it. `None` for every other call, and for a number that is none. The arguments
/// are asked for when the call is known, so that no more than it has are fetched.
#[inline(always)]
pub(crate) fn immediate<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    number: u64,
    args: impl Fn() -> Args,
) -> Option<Result<u64, Error>> {
    Some(match Number::new(number)? {
        Number::AbiQuery => AbiQuery::decode(&args()).and_then(|call| abi_query::run(state, &call)),
        Number::PtCreate => {
            PtCreate::decode(&args()).and_then(|call| pt_create::run(state, machine, slot, &call))
        }
        Number::TlbFlush => {
            TlbFlush::decode(&args()).and_then(|call| tlb_flush::run(state, machine, &call))
        }
        Number::GrantShare => GrantShare::decode(&args())
            .and_then(|call| grant_share::run(state, machine, slot, &call)),
        Number::GrantRevoke => {
            GrantRevoke::decode(&args()).and_then(|call| grant_revoke::run(state, slot, &call))
        }
        Number::GrantMap => {
            GrantMap::decode(&args()).and_then(|call| grant_map::run(state, slot, &call))
        }
        Number::GrantUnmap => GrantUnmap::decode(&args())
            .and_then(|call| grant_unmap::run(state, machine, slot, &call)),
        Number::EventAlloc => {
            EventAlloc::decode(&args()).and_then(|call| event_alloc::run(state, slot, &call))
        }
        Number::EventBind => {
            EventBind::decode(&args()).and_then(|call| event_bind::run(state, machine, slot, &call))
        }
        Number::EventSend => {
            EventSend::decode(&args()).and_then(|call| event_send::run(state, machine, slot, &call))
        }
        Number::EventMask => {
            EventMask::decode(&args()).and_then(|call| event_mask::run(state, machine, slot, &call))
        }
        Number::EventClose => EventClose::decode(&args())
            .and_then(|call| event_close::run(state, machine, slot, &call)),
        Number::TrapRegister => {
            TrapRegister::decode(&args()).and_then(|call| trap_register::run(state, slot, &call))
        }
        Number::TimerSet => {
            TimerSet::decode(&args()).and_then(|call| timer_set::run(state, machine, slot, &call))
        }
        Number::ConsoleWrite => ConsoleWrite::decode(&args())
            .and_then(|call| console_write::run(state, machine, slot, &call)),
        Number::ConsoleRead => ConsoleRead::decode(&args())
            .and_then(|call| console_read::run(state, machine, slot, &call)),
        Number::DomainQuery => DomainQuery::decode(&args())
            .and_then(|call| domain_query::run(state, machine, slot, &call)),
        Number::PteUpdate => return pte_update::one_leaf(state, machine, slot, args()),
        Number::PtPin
        | Number::PtUnpin
        | Number::PtSwitch
        | Number::BalloonInflate
        | Number::BalloonDeflate
        | Number::TrapReturn
        | Number::SchedYield
        | Number::SchedBlock
        | Number::Shutdown
        | Number::Batch => return None,
    })
}

/// Any other call: one that may be continued, that changes the registers or leaves the vCPU.
#[inline(always)]
pub(crate) fn general<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
    number: u64,
    args: &Args,
    budget: &mut Budget,
) -> Result<Answer, Error> {
    Ok(match Number::new(number).ok_or(Error::UnknownCall)? {
        Number::PtPin => pt_pin::run(state, machine, slot, &PtPin::decode(args)?, budget),
        Number::PtUnpin => pt_unpin::run(state, machine, slot, &PtUnpin::decode(args)?, budget),
        Number::PtSwitch => pt_switch::run(state, machine, slot, &PtSwitch::decode(args)?, budget),
        Number::PteUpdate => {
            pte_update::run(state, machine, slot, registers, &PteUpdate::decode(args)?, budget)
        }
        Number::BalloonInflate => {
            let count = BalloonInflate::decode(args)?.count;
            balloon_inflate::go_on(state, machine, slot, 0, count, budget)
        }
        Number::BalloonDeflate => {
            let count = BalloonDeflate::decode(args)?.count;
            balloon_deflate::go_on(state, machine, slot, 0, count, budget)
        }
        Number::TrapReturn => {
            trap_return::run(state, machine, slot, registers, &TrapReturn::decode(args)?, budget)
        }
        Number::SchedYield => sched_yield::run(state, registers),
        Number::SchedBlock => sched_block::run(state, machine, slot, registers),
        Number::Shutdown => shutdown::run(state, machine, slot, &Shutdown::decode(args)?),
        Number::Batch => Answer::Batch(BatchCursor { next: 0, count: Batch::decode(args)?.count }),
        _ => match immediate(state, machine, slot, number, || *args) {
            Some(result) => Answer::from(result),
            None => return Err(Error::UnknownCall),
        },
    })
}
