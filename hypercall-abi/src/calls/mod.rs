//! One file a call: its arguments, their ranges, how they lie in the registers.
//!
//! The numbered clauses that bind an implementation stand in the book, under the call's
//! name; here is what a guest author needs to make the call.

use crate::{DomainId, Error, GrantHandle, Number};

pub mod abi_query;
pub mod balloon_deflate;
pub mod balloon_inflate;
pub mod balloon_report;
pub mod batch;
pub mod console_read;
pub mod console_write;
pub mod domain_query;
pub mod event_alloc;
pub mod event_bind;
pub mod event_close;
pub mod event_mask;
pub mod event_send;
pub mod grant_map;
pub mod grant_revoke;
pub mod grant_share;
pub mod grant_unmap;
pub mod p2m_register;
pub mod pt_create;
pub mod pt_pin;
pub mod pt_switch;
pub mod pt_unpin;
pub mod pte_update;
pub mod sched_block;
pub mod sched_yield;
pub mod share_advise;
pub mod share_break;
pub mod shutdown;
pub mod spare_drop;
pub mod spare_get;
pub mod spare_put;
pub mod timer_set;
pub mod tlb_flush;
pub mod trap_register;
pub mod trap_return;

pub use abi_query::AbiQuery;
pub use balloon_deflate::BalloonDeflate;
pub use balloon_inflate::BalloonInflate;
pub use balloon_report::BalloonReport;
pub use batch::Batch;
pub use console_read::ConsoleRead;
pub use console_write::ConsoleWrite;
pub use domain_query::DomainQuery;
pub use event_alloc::EventAlloc;
pub use event_bind::EventBind;
pub use event_close::EventClose;
pub use event_mask::EventMask;
pub use event_send::EventSend;
pub use grant_map::GrantMap;
pub use grant_revoke::GrantRevoke;
pub use grant_share::GrantShare;
pub use grant_unmap::GrantUnmap;
pub use p2m_register::P2mRegister;
pub use pt_create::PtCreate;
pub use pt_pin::PtPin;
pub use pt_switch::PtSwitch;
pub use pt_unpin::PtUnpin;
pub use pte_update::PteUpdate;
pub use sched_block::SchedBlock;
pub use sched_yield::SchedYield;
pub use share_advise::ShareAdvise;
pub use share_break::ShareBreak;
pub use shutdown::Shutdown;
pub use spare_drop::SpareDrop;
pub use spare_get::SpareGet;
pub use spare_put::SparePut;
pub use timer_set::TimerSet;
pub use tlb_flush::TlbFlush;
pub use trap_register::TrapRegister;
pub use trap_return::TrapReturn;

/// The six argument registers of a call, in order.
pub type Args = [u64; 6];

/// The arguments of one call, decoded.
pub trait Call: Sized {
    /// The call's number.
    const NUMBER: Number;

    /// Reads the arguments from the registers.
    ///
    /// # Errors
    /// [`Error::BadArgument`] or [`Error::BadLevel`] when a value is outside its range.
    fn decode(args: &Args) -> Result<Self, Error>;

    /// The registers that make this call.
    fn encode(&self) -> Args;
}

/// Any call, decoded: the closed type for whoever handles calls of every kind, such as traces,
/// tests and fuzz targets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "each variant is the struct of the same name")]
pub enum Hypercall {
    AbiQuery(AbiQuery),
    PtCreate(PtCreate),
    PtPin(PtPin),
    PtUnpin(PtUnpin),
    PtSwitch(PtSwitch),
    PteUpdate(PteUpdate),
    TlbFlush(TlbFlush),
    BalloonInflate(BalloonInflate),
    BalloonDeflate(BalloonDeflate),
    GrantShare(GrantShare),
    GrantRevoke(GrantRevoke),
    GrantMap(GrantMap),
    GrantUnmap(GrantUnmap),
    EventAlloc(EventAlloc),
    EventBind(EventBind),
    EventSend(EventSend),
    EventMask(EventMask),
    EventClose(EventClose),
    TrapRegister(TrapRegister),
    TrapReturn(TrapReturn),
    SchedYield(SchedYield),
    SchedBlock(SchedBlock),
    TimerSet(TimerSet),
    Shutdown(Shutdown),
    ConsoleWrite(ConsoleWrite),
    ConsoleRead(ConsoleRead),
    DomainQuery(DomainQuery),
    Batch(Batch),
    BalloonReport(BalloonReport),
    P2mRegister(P2mRegister),
    ShareAdvise(ShareAdvise),
    ShareBreak(ShareBreak),
    SparePut(SparePut),
    SpareGet(SpareGet),
    SpareDrop(SpareDrop),
}

impl Hypercall {
    /// Decodes a call from its registers.
    ///
    /// # Errors
    /// [`Error::UnknownCall`] for a number that is not in [`Number`], else what the
    /// call's own [`Call::decode`] says.
    #[inline]
    pub fn decode(number: u64, args: &Args) -> Result<Hypercall, Error> {
        let number = Number::new(number).ok_or(Error::UnknownCall)?;
        Ok(match number {
            Number::AbiQuery => Hypercall::AbiQuery(AbiQuery::decode(args)?),
            Number::PtCreate => Hypercall::PtCreate(PtCreate::decode(args)?),
            Number::PtPin => Hypercall::PtPin(PtPin::decode(args)?),
            Number::PtUnpin => Hypercall::PtUnpin(PtUnpin::decode(args)?),
            Number::PtSwitch => Hypercall::PtSwitch(PtSwitch::decode(args)?),
            Number::PteUpdate => Hypercall::PteUpdate(PteUpdate::decode(args)?),
            Number::TlbFlush => Hypercall::TlbFlush(TlbFlush::decode(args)?),
            Number::BalloonInflate => Hypercall::BalloonInflate(BalloonInflate::decode(args)?),
            Number::BalloonDeflate => Hypercall::BalloonDeflate(BalloonDeflate::decode(args)?),
            Number::GrantShare => Hypercall::GrantShare(GrantShare::decode(args)?),
            Number::GrantRevoke => Hypercall::GrantRevoke(GrantRevoke::decode(args)?),
            Number::GrantMap => Hypercall::GrantMap(GrantMap::decode(args)?),
            Number::GrantUnmap => Hypercall::GrantUnmap(GrantUnmap::decode(args)?),
            Number::EventAlloc => Hypercall::EventAlloc(EventAlloc::decode(args)?),
            Number::EventBind => Hypercall::EventBind(EventBind::decode(args)?),
            Number::EventSend => Hypercall::EventSend(EventSend::decode(args)?),
            Number::EventMask => Hypercall::EventMask(EventMask::decode(args)?),
            Number::EventClose => Hypercall::EventClose(EventClose::decode(args)?),
            Number::TrapRegister => Hypercall::TrapRegister(TrapRegister::decode(args)?),
            Number::TrapReturn => Hypercall::TrapReturn(TrapReturn::decode(args)?),
            Number::SchedYield => Hypercall::SchedYield(SchedYield::decode(args)?),
            Number::SchedBlock => Hypercall::SchedBlock(SchedBlock::decode(args)?),
            Number::TimerSet => Hypercall::TimerSet(TimerSet::decode(args)?),
            Number::Shutdown => Hypercall::Shutdown(Shutdown::decode(args)?),
            Number::ConsoleWrite => Hypercall::ConsoleWrite(ConsoleWrite::decode(args)?),
            Number::ConsoleRead => Hypercall::ConsoleRead(ConsoleRead::decode(args)?),
            Number::DomainQuery => Hypercall::DomainQuery(DomainQuery::decode(args)?),
            Number::Batch => Hypercall::Batch(Batch::decode(args)?),
            Number::BalloonReport => Hypercall::BalloonReport(BalloonReport::decode(args)?),
            Number::P2mRegister => Hypercall::P2mRegister(P2mRegister::decode(args)?),
            Number::ShareAdvise => Hypercall::ShareAdvise(ShareAdvise::decode(args)?),
            Number::ShareBreak => Hypercall::ShareBreak(ShareBreak::decode(args)?),
            Number::SparePut => Hypercall::SparePut(SparePut::decode(args)?),
            Number::SpareGet => Hypercall::SpareGet(SpareGet::decode(args)?),
            Number::SpareDrop => Hypercall::SpareDrop(SpareDrop::decode(args)?),
        })
    }
}

fn bounded(value: u64, max: u64) -> Result<u64, Error> {
    if value >= 1 && value <= max { Ok(value) } else { Err(Error::BadArgument) }
}

fn bounded_from_zero(value: u64, max: u64) -> Result<u64, Error> {
    if value <= max { Ok(value) } else { Err(Error::BadArgument) }
}

fn narrow(value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::BadArgument)
}

fn domain(value: u64) -> Result<DomainId, Error> {
    u16::try_from(value).map(DomainId).map_err(|_| Error::BadArgument)
}

fn handle(value: u64) -> Result<GrantHandle, Error> {
    let value = narrow(value)?;
    if value & !GrantHandle::MASK == 0 { Ok(GrantHandle(value)) } else { Err(Error::BadArgument) }
}

fn flag(value: u64) -> Result<bool, Error> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::BadArgument),
    }
}
