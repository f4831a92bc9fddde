//! One file a hypercall: its checks, in the order that the book numbers them, and its effect.

use crate::budget::Budget;
use crate::call::{Answer, BatchCursor};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::{
    AbiQuery, Args, BalloonDeflate, BalloonInflate, BalloonReport, Batch, Call, ConsoleRead,
    ConsoleWrite, DomainQuery, EventAlloc, EventBind, EventClose, EventMask, EventSend, GrantMap,
    GrantRevoke, GrantShare, GrantUnmap, P2mRegister, PtCreate, PtPin, PtSwitch, PtUnpin,
    PteUpdate, ShareAdvise, ShareBreak, Shutdown, SpareDrop, SpareGet, SparePut, TimerSet,
    TlbFlush, TrapRegister, TrapReturn,
};
use hypercall_abi::{Error, Number};

mod abi_query;
mod balloon_deflate;
mod balloon_inflate;
mod balloon_report;
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
mod p2m_register;
mod pt_create;
mod pt_pin;
mod pt_switch;
mod pt_unpin;
pub(crate) mod pte_update;
mod sched_block;
mod sched_yield;
mod share_advise;
pub(crate) mod share_break;
mod shutdown;
mod spare_drop;
mod spare_get;
mod spare_put;
mod timer_set;
mod tlb_flush;
mod trap_register;
pub(crate) mod trap_return;

/// Who makes a call that is answered at once.
pub(crate) trait Immediate<P: Platform, M: Machine> {
    /// What it makes of the answer.
    type Answer;

    /// Makes a call, by decoding its arguments and running it.
    fn made<F>(self, run: F) -> Self::Answer
    where
        F: FnOnce(&mut State<P>, &mut M, Slot, &Args) -> Result<u64, Error>;

    /// The call is another one.
    fn not_immediate(self, number: Number) -> Self::Answer;
}

/// Makes a call that is always answered at once and touches no register but the two of its
/// answer.
#[inline(always)]
pub(crate) fn immediate<P: Platform, M: Machine, I: Immediate<P, M>>(
    number: Number,
    by: I,
) -> I::Answer {
    match number {
        Number::AbiQuery => {
            by.made(|state, _, _, args| abi_query::run(state, &AbiQuery::decode(args)?))
        }
        Number::PtCreate => by.made(|state, machine, slot, args| {
            pt_create::run(state, machine, slot, &PtCreate::decode(args)?)
        }),
        Number::TlbFlush => by.made(|state, machine, _, args| {
            tlb_flush::run(state, machine, &TlbFlush::decode(args)?)
        }),
        Number::GrantShare => by.made(|state, machine, slot, args| {
            grant_share::run(state, machine, slot, &GrantShare::decode(args)?)
        }),
        Number::GrantRevoke => by.made(|state, _, slot, args| {
            grant_revoke::run(state, slot, &GrantRevoke::decode(args)?)
        }),
        Number::GrantMap => {
            by.made(|state, _, slot, args| grant_map::run(state, slot, &GrantMap::decode(args)?))
        }
        Number::GrantUnmap => by.made(|state, machine, slot, args| {
            grant_unmap::run(state, machine, slot, &GrantUnmap::decode(args)?)
        }),
        Number::EventAlloc => by
            .made(|state, _, slot, args| event_alloc::run(state, slot, &EventAlloc::decode(args)?)),
        Number::EventBind => by.made(|state, machine, slot, args| {
            event_bind::run(state, machine, slot, &EventBind::decode(args)?)
        }),
        Number::EventSend => by.made(|state, machine, slot, args| {
            event_send::run(state, machine, slot, &EventSend::decode(args)?)
        }),
        Number::EventMask => by.made(|state, machine, slot, args| {
            event_mask::run(state, machine, slot, &EventMask::decode(args)?)
        }),
        Number::EventClose => by.made(|state, machine, slot, args| {
            event_close::run(state, machine, slot, &EventClose::decode(args)?)
        }),
        Number::TrapRegister => by.made(|state, _, slot, args| {
            trap_register::run(state, slot, &TrapRegister::decode(args)?)
        }),
        Number::TimerSet => by.made(|state, machine, slot, args| {
            timer_set::run(state, machine, slot, &TimerSet::decode(args)?)
        }),
        Number::ConsoleWrite => by.made(|state, machine, slot, args| {
            console_write::run(state, machine, slot, &ConsoleWrite::decode(args)?)
        }),
        Number::ConsoleRead => by.made(|state, machine, slot, args| {
            console_read::run(state, machine, slot, &ConsoleRead::decode(args)?)
        }),
        Number::DomainQuery => by.made(|state, machine, slot, args| {
            domain_query::run(state, machine, slot, &DomainQuery::decode(args)?)
        }),
        Number::P2mRegister => by.made(|state, machine, slot, args| {
            p2m_register::run(state, machine, slot, &P2mRegister::decode(args)?)
        }),
        Number::ShareAdvise => by.made(|state, _, slot, args| {
            share_advise::run(state, slot, &ShareAdvise::decode(args)?)
        }),
        Number::PteUpdate
        | Number::PtPin
        | Number::PtUnpin
        | Number::PtSwitch
        | Number::BalloonInflate
        | Number::BalloonDeflate
        | Number::BalloonReport
        | Number::TrapReturn
        | Number::SchedYield
        | Number::SchedBlock
        | Number::Shutdown
        | Number::ShareBreak
        | Number::SparePut
        | Number::SpareGet
        | Number::SpareDrop
        | Number::Batch => by.not_immediate(number),
    }
}

/// A call from a batch, or one that is made with all registers saved.
struct Plain<'a, P: Platform, M> {
    state: &'a mut State<P>,
    machine: &'a mut M,
    slot: Slot,
    args: &'a Args,
}

impl<P: Platform, M: Machine> Immediate<P, M> for Plain<'_, P, M> {
    type Answer = Result<u64, Error>;

    #[inline(always)]
    fn made<F>(self, run: F) -> Result<u64, Error>
    where
        F: FnOnce(&mut State<P>, &mut M, Slot, &Args) -> Result<u64, Error>,
    {
        run(self.state, self.machine, self.slot, self.args)
    }

    fn not_immediate(self, _: Number) -> Result<u64, Error> {
        Err(Error::UnknownCall)
    }
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
            balloon_inflate::run(state, machine, slot, &BalloonInflate::decode(args)?, budget)
        }
        Number::BalloonDeflate => {
            balloon_deflate::run(state, machine, slot, &BalloonDeflate::decode(args)?, budget)
        }
        Number::BalloonReport => {
            balloon_report::run(state, machine, slot, &BalloonReport::decode(args)?, budget)
        }
        Number::TrapReturn => {
            trap_return::run(state, machine, slot, registers, &TrapReturn::decode(args)?, budget)
        }
        Number::SchedYield => sched_yield::run(state, registers),
        Number::SchedBlock => sched_block::run(state, machine, slot, registers),
        Number::Shutdown => shutdown::run(state, machine, slot, &Shutdown::decode(args)?),
        Number::ShareBreak => {
            let ShareBreak { first, count } = ShareBreak::decode(args)?;
            share_break::run(state, machine, slot, first, count, budget)
        }
        // A page that is copied takes longer than to save all registers.
        Number::SparePut => {
            Answer::from(spare_put::run(state, machine, slot, &SparePut::decode(args)?))
        }
        Number::SpareGet => {
            Answer::from(spare_get::run(state, machine, slot, &SpareGet::decode(args)?))
        }
        Number::SpareDrop => Answer::from(spare_drop::run(state, slot, &SpareDrop::decode(args)?)),
        Number::Batch => Answer::Batch(BatchCursor { next: 0, count: Batch::decode(args)?.count }),
        other => Answer::from(immediate(other, Plain { state, machine, slot, args })),
    })
}
