//! Calls on signals and timers.
#![allow(unsafe_code, reason = "system calls take addresses")]

use super::{Errno, result};
use crate::arch::{Action, call, number};

/// The terminal's interrupt.
pub const SIGINT: usize = 2;
/// An instruction that there is not.
pub const SIGILL: usize = 4;
/// The end, at once.
pub const SIGKILL: usize = 9;
/// The first that means nothing by itself.
pub const SIGUSR1: usize = 10;
/// A fault of memory.
pub const SIGSEGV: usize = 11;
/// The second that means nothing by itself.
pub const SIGUSR2: usize = 12;
/// A write to a pipe that nobody reads.
pub const SIGPIPE: usize = 13;
/// A timer.
pub const SIGALRM: usize = 14;
/// A request to end.
pub const SIGTERM: usize = 15;
/// A child has ended.
pub const SIGCHLD: usize = 17;

/// The handler gets the second and third argument.
pub const SA_SIGINFO: usize = 4;
/// Calls that the handler interrupted are made again.
pub const SA_RESTART: usize = 0x1000_0000;
/// The signal may come again while its handler runs.
pub const SA_NODEFER: usize = 0x4000_0000;
/// The handler is for one signal; then the default comes back.
pub const SA_RESETHAND: usize = 0x8000_0000;

/// Bytes of a set of signals.
const SET: usize = 8;

/// What a handler is told.
#[repr(C)]
pub struct Info {
    /// The signal.
    pub signal: i32,
    error: i32,
    /// Why it came.
    pub code: i32,
    pad: i32,
    /// The address of the fault.
    pub address: usize,
    rest: [u64; 13],
}

const _: () = assert!(size_of::<Info>() == 128);

/// A handler.
pub type Handler = extern "C" fn(usize, &Info, usize);

/// What a signal does.
#[derive(Clone, Copy)]
pub enum Reaction {
    /// What it does without anybody's doing.
    Default,
    /// Nothing.
    Ignore,
    /// It runs a handler, with these flags and while these signals are held back.
    Handle(Handler, usize, u64),
}

/// The set of one signal.
pub const fn set_of(signal: usize) -> u64 {
    1 << (signal - 1)
}

/// Sets what a signal does.
pub fn react(signal: usize, reaction: Reaction) -> Result<(), Errno> {
    let action = match reaction {
        Reaction::Default => Action::new(0, 0, 0),
        Reaction::Ignore => Action::new(1, 0, 0),
        Reaction::Handle(handler, flags, mask) => {
            Action::new(handler as usize, flags | SA_SIGINFO, mask)
        }
    };
    let address = (&raw const action) as usize;
    // SAFETY: the kernel reads one action; a handler is a function of the right type.
    result(unsafe { call(number::RT_SIGACTION, [signal, address, 0, SET, 0, 0]) }).map(drop)
}

/// Sets which signals are held back: those that were.
pub fn hold_back(set: u64) -> Result<u64, Errno> {
    const SETMASK: usize = 2;
    let mut old = 0_u64;
    let (new, old_at) = ((&raw const set) as usize, (&raw mut old) as usize);
    // SAFETY: the kernel reads one set and writes one.
    result(unsafe { call(number::RT_SIGPROCMASK, [SETMASK, new, old_at, SET, 0, 0]) })?;
    Ok(old)
}

/// Signals that have come and are held back.
pub fn pending() -> Result<u64, Errno> {
    let mut set = 0_u64;
    // SAFETY: the kernel writes one set.
    result(unsafe { call(number::RT_SIGPENDING, [(&raw mut set) as usize, SET, 0, 0, 0, 0]) })?;
    Ok(set)
}

/// Holds back only these signals until a handler has run.
pub fn wait_for_signal(set: u64) -> Errno {
    // SAFETY: the kernel reads one set.
    let ended = result(unsafe {
        call(number::RT_SIGSUSPEND, [(&raw const set) as usize, SET, 0, 0, 0, 0])
    });
    ended.err().unwrap_or(Errno::ENOSYS)
}

/// Sends a signal to a process.
pub fn kill(process: i32, signal: usize) -> Result<(), Errno> {
    // SAFETY: no memory is touched.
    result(unsafe { call(number::KILL, [process as isize as usize, signal, 0, 0, 0, 0]) }).map(drop)
}

/// Has [`SIGALRM`] sent in that many milliseconds, once; 0 for never.
pub fn alarm(milliseconds: usize) -> Result<(), Errno> {
    let timer = [0, 0, milliseconds / 1000, milliseconds % 1000 * 1000];
    let address = timer.as_ptr() as usize;
    // SAFETY: the kernel reads two intervals.
    result(unsafe { call(number::SETITIMER, [0, address, 0, 0, 0, 0]) }).map(drop)
}

/// Sleeps for that many milliseconds: `EINTR` and what was left, if a signal came.
pub fn sleep(milliseconds: usize) -> Result<(), (Errno, usize)> {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    let mut left = [0_usize; 2];
    let (time_at, left_at) = (time.as_ptr() as usize, left.as_mut_ptr() as usize);
    // SAFETY: the kernel reads one interval and writes one.
    result(unsafe { call(number::NANOSLEEP, [time_at, left_at, 0, 0, 0, 0]) })
        .map(drop)
        .map_err(|error| (error, left[0] * 1000 + left[1] / 1_000_000))
}
