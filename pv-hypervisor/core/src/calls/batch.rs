//! `batch`. Checks of each entry: the call may stand in a batch (`NotInBatch`), then its own.
//! Effect: each call's, and its status and value in its entry. Each entry is copied once,
//! before anything is decided about it.

use crate::machine::Machine;
use hypercall_abi::calls::Args;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::{Mfn, Number, Status};

const ENTRY_WORDS: usize = size_of::<BatchEntry>() / 8;

/// Copies the number and the arguments of an entry.
pub(crate) fn read_entry(machine: &impl Machine, arguments: Mfn, index: u64) -> (u64, Args) {
    let base = index as usize * ENTRY_WORDS;
    let number = machine.read(arguments, base);
    let mut args = [0; 6];
    for (word, arg) in args.iter_mut().enumerate() {
        *arg = machine.read(arguments, base + 1 + word);
    }
    (number, args)
}

/// Writes the result of an entry.
pub(crate) fn write_result(
    machine: &mut impl Machine,
    arguments: Mfn,
    index: u64,
    status: Status,
    value: u64,
) {
    let base = index as usize * ENTRY_WORDS;
    machine.write(arguments, base, status.0);
    machine.write(arguments, base + 1, value);
}

/// Cost of a call in a batch, what it walks apart: tables that are full may be searched or moved.
pub(crate) fn units(number: u64) -> u32 {
    match Number::new(number) {
        Some(Number::SparePut | Number::SpareGet) => 400,
        Some(Number::PtCreate | Number::GrantMap) => 480,
        Some(Number::GrantUnmap) => 220,
        Some(Number::ShareAdvise) => 300,
        Some(Number::GrantShare | Number::EventAlloc | Number::EventBind) => 180,
        Some(Number::PteUpdate) => 120,
        Some(Number::PtPin | Number::PtUnpin | Number::PtSwitch) => 60,
        _ => 30,
    }
}

/// Whether a call may stand in a batch: it neither uses the argument frame, where the batch
/// lies, nor leaves the vCPU's context. An unknown number may: it gets its own error.
pub(crate) fn may_contain(number: u64, args: &Args) -> bool {
    match Number::new(number) {
        Some(Number::PteUpdate) => args[0] == 0,
        Some(
            Number::Batch
            | Number::BalloonInflate
            | Number::BalloonDeflate
            | Number::BalloonReport
            | Number::ConsoleRead
            | Number::ConsoleWrite
            | Number::DomainQuery
            | Number::P2mRegister
            | Number::SchedBlock
            | Number::SchedYield
            | Number::Shutdown
            | Number::TrapReturn,
        ) => false,
        Some(
            Number::AbiQuery
            | Number::PtCreate
            | Number::PtPin
            | Number::PtUnpin
            | Number::PtSwitch
            | Number::TlbFlush
            | Number::GrantShare
            | Number::GrantRevoke
            | Number::GrantMap
            | Number::GrantUnmap
            | Number::EventAlloc
            | Number::EventBind
            | Number::EventSend
            | Number::EventMask
            | Number::EventClose
            | Number::TrapRegister
            | Number::TimerSet
            | Number::ShareAdvise
            | Number::ShareBreak
            | Number::SparePut
            | Number::SpareGet
            | Number::SpareDrop,
        )
        | None => true,
    }
}
