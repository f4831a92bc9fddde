//! Decoding: of a call's registers, and of a page-table entry, which the oracle reads too.

use crate::{Found, ensure};
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::TargetBits;
use hypercall_abi::calls::*;
use oracle::{Entry, Layout};
use pv_core::format::{Format, Sv39, Sv48, X86_64};
use std::fmt::Debug;

pub(crate) fn run(bytes: &[u8]) -> Found {
    let word = |at: usize| {
        let word = bytes.get(8 * at..8 * at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(word.unwrap_or_default())
    };
    let args: Args = std::array::from_fn(|at| word(1 + at));
    let _ = Hypercall::decode(word(0), &args);
    every_call(&args)?;
    target(args[0])?;
    for value in args {
        entry::<X86_64>(value)?;
        entry::<Sv39>(value)?;
        entry::<Sv48>(value)?;
    }
    Ok(())
}

/// The registers as the arguments of each call there is.
fn every_call(args: &Args) -> Found {
    call::<AbiQuery>(args)?;
    call::<PtCreate>(args)?;
    call::<PtPin>(args)?;
    call::<PtUnpin>(args)?;
    call::<PtSwitch>(args)?;
    call::<PteUpdate>(args)?;
    call::<TlbFlush>(args)?;
    call::<BalloonInflate>(args)?;
    call::<BalloonDeflate>(args)?;
    call::<GrantShare>(args)?;
    call::<GrantRevoke>(args)?;
    call::<GrantMap>(args)?;
    call::<GrantUnmap>(args)?;
    call::<EventAlloc>(args)?;
    call::<EventBind>(args)?;
    call::<EventSend>(args)?;
    call::<EventMask>(args)?;
    call::<EventClose>(args)?;
    call::<TrapRegister>(args)?;
    call::<TrapReturn>(args)?;
    call::<SchedYield>(args)?;
    call::<SchedBlock>(args)?;
    call::<TimerSet>(args)?;
    call::<Shutdown>(args)?;
    call::<ConsoleWrite>(args)?;
    call::<ConsoleRead>(args)?;
    call::<DomainQuery>(args)?;
    call::<Batch>(args)?;
    call::<BalloonReport>(args)?;
    call::<P2mRegister>(args)?;
    call::<ShareAdvise>(args)?;
    call::<ShareBreak>(args)?;
    call::<SparePut>(args)?;
    call::<SpareGet>(args)?;
    call::<SpareDrop>(args)
}

/// What is decoded is encoded as registers that mean the same again.
fn call<C: Call + PartialEq + Debug>(args: &Args) -> Found {
    let Ok(call) = C::decode(args) else { return Ok(()) };
    let again = C::decode(&call.encode());
    ensure(again.as_ref() == Ok(&call), || format!("{call:x?} is encoded as {again:x?}"))
}

fn target(bits: u64) -> Found {
    let Ok(target) = TargetBits(bits).decode() else { return Ok(()) };
    let again = target.encode().decode();
    ensure(again == Ok(target), || format!("{target:x?} is encoded as {again:x?}"))
}

/// The core and the oracle read an entry alike, at every level that the format has.
fn entry<F: Format>(value: u64) -> Found {
    for number in 1..=F::ROOT.number().into() {
        let Some(level) = Level::new(number) else { continue };
        let core = match F::decode(value, level) {
            Err(_) => None,
            Ok(pv_core::format::Entry::Absent) => Some(Entry::Absent),
            Ok(pv_core::format::Entry::Table(frame)) => Some(Entry::Table(frame)),
            Ok(pv_core::format::Entry::Leaf(leaf)) => {
                Some(Entry::Leaf { frame: leaf.frame, write: leaf.writable })
            }
        };
        let book = Layout(F::ID).read(number, value);
        ensure(core == book, || {
            format!("{value:#x} at {level:?}: {core:x?} in the core, {book:x?} by the book")
        })?;
    }
    Ok(())
}
