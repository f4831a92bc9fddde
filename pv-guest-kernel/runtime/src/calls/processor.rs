//! Discovery, traps, scheduling, the timer, the console, batches.

use super::{call, partial_call};
use crate::{argument, calls::Partial, sync};
use hypercall_abi::{
    Error, VirtAddr,
    calls::{
        AbiQuery, Batch, ConsoleRead, ConsoleWrite, SchedBlock, SchedYield, Shutdown, TimerSet,
        TrapRegister, TrapReturn,
        abi_query::Query,
        batch::{BatchEntry, MAX_ENTRIES},
        console_write::{MAX_BYTES, Stream},
        shutdown::ShutdownReason,
    },
};

/// [`AbiQuery`]: what the hypervisor is and offers.
///
/// # Errors
/// None for the questions of this version.
pub fn abi_query(query: Query) -> Result<u64, Error> {
    // SAFETY: it changes nothing.
    unsafe { call(&AbiQuery { query }) }
}

/// [`TrapRegister`]: where the kernel takes its traps.
///
/// # Errors
/// As the book's page says.
///
/// # Safety
/// `entry` is code for what [`hypercall_abi::trap`] says, and `stack` the top of a stack that
/// nothing else uses.
pub unsafe fn trap_register(entry: VirtAddr, stack: VirtAddr) -> Result<(), Error> {
    // SAFETY: the caller answers for entry and stack.
    unsafe { call(&TrapRegister { entry, stack }) }.map(drop)
}

/// [`TrapReturn`]: leaves a trap, with `count` updates from the argument frame. Returns only
/// when it is refused.
///
/// # Safety
/// The topmost trap frame is a context that may go on, and the caller's stack may be given up;
/// the updates are as [`pte_update`](super::pte_update) demands.
pub unsafe fn trap_return(count: u64) -> Partial {
    // SAFETY: the caller answers for the frame and the updates.
    match unsafe { partial_call(&TrapReturn { count }) } {
        Err(partial) => partial,
        Ok(_) => unreachable!("trap_return comes back only when it is refused"),
    }
}

/// [`SchedYield`]: lets other vCPUs run first.
pub fn sched_yield() {
    // SAFETY: it changes nothing of the domain. It cannot be refused.
    let _ = unsafe { call(&SchedYield) };
}

/// [`SchedBlock`]: unmasks events and sleeps until one is pending. See
/// [`events::wait_any`](crate::events::wait_any) for a wait that misses none.
pub fn sched_block() {
    // SAFETY: it changes nothing of the domain but the event mask. It cannot be refused.
    let _ = unsafe { call(&SchedBlock) };
}

/// [`TimerSet`]: sets the timer, `u64::MAX` for none.
pub fn timer_set(deadline: u64) {
    // SAFETY: it changes no memory. It cannot be refused.
    let _ = unsafe { call(&TimerSet { deadline }) };
}

/// [`Shutdown`]: ends the domain.
pub fn shutdown(reason: ShutdownReason) -> ! {
    loop {
        // SAFETY: nothing of the domain runs any more.
        let _ = unsafe { call(&Shutdown { reason }) };
    }
}

/// [`ConsoleWrite`]: writes 1 to 1024 bytes to a stream.
///
/// # Errors
/// `BadArgument` for none or too many.
pub fn console_write(stream: Stream, bytes: &[u8]) -> Result<(), Error> {
    if bytes.is_empty() || bytes.len() as u64 > MAX_BYTES {
        return Err(Error::BadArgument);
    }
    sync::masked(|| {
        argument::store(bytes);
        // SAFETY: it reads the argument frame alone.
        unsafe { call(&ConsoleWrite { stream, length: bytes.len() as u64 }) }.map(drop)
    })
}

/// [`ConsoleRead`]: bytes from the operator, at most a page; how many came.
///
/// # Errors
/// `BadArgument` if `bytes` is empty or longer than a page.
pub fn console_read(bytes: &mut [u8]) -> Result<usize, Error> {
    sync::masked(|| {
        // SAFETY: it writes to the argument frame alone.
        let value = unsafe { call(&ConsoleRead { capacity: bytes.len() as u64 }) }?;
        let count = bytes.len().min(value as usize);
        argument::load(&mut bytes[..count]);
        Ok(count)
    })
}

/// [`Batch`]: makes 1 to 64 calls; their statuses and values stand in the entries afterwards.
/// How many were made.
///
/// # Errors
/// `BadArgument` for none or too many.
///
/// # Safety
/// Every call is as the function of its name demands.
pub unsafe fn batch(entries: &mut [BatchEntry]) -> Result<u64, Error> {
    if entries.is_empty() || entries.len() as u64 > MAX_ENTRIES {
        return Err(Error::BadArgument);
    }
    sync::masked(|| {
        argument::store(entries);
        // SAFETY: the caller answers for the calls.
        let made = unsafe { call(&Batch { count: entries.len() as u64 }) }?;
        argument::load(entries);
        Ok(made)
    })
}
