//! System calls, as Linux defines them for each machine.
//!
//! # How a call waits
//!
//! A call that cannot go on returns [`Stop::Wait`], having changed nothing. Its process sleeps
//! with its registers behind the call, and makes the whole call again when something of what it
//! waits for has happened. What must last over that (the end of a `nanosleep`) lies in the
//! process, as its [`Progress`](crate::process::Progress), until the call is answered. The same
//! holds for [`Stop::NoMemory`]: the kernel makes room, and the call is made again; so a call
//! first makes sure of the memory that it reads and writes
//! ([`UserMemory::touch`](crate::memory::UserMemory::touch)), and only then has its effect.
//!
//! # How a signal ends the wait
//!
//! A signal that is to be delivered wakes the process. The call is made again; if it would
//! still wait, a handler runs, and the call fails with `EINTR`, or is made again behind the
//! handler if that was installed with `SA_RESTART` and the call is not [`Waiting::once`].
//! Without a handler the wait goes on. A call that must know (because it has moved something
//! already, or says how much time was left) asks
//! [`Kernel::is_interrupted`](crate::kernel::Kernel::is_interrupted) before it waits.

mod alarm;
mod arguments;
mod attributes;
mod descriptors;
mod dispatch;
mod files;
mod identity;
pub mod layout;
mod limits;
mod memory;
mod names;
pub mod number;
mod poll;
mod process;
mod signal;
mod sizes;
mod system;
mod terminal;
mod time;
mod transfer;

#[cfg(test)]
mod tests;

pub(crate) use dispatch::dispatch;
pub use layout::device_number;
pub use number::{Call, decode};
pub use system::HostName;
pub(crate) use system::{RELEASE, SYSTEM, VERSION};

use crate::{
    fs::{Errno, Wait},
    memory::{Fault, StringError},
    process::SignalSet,
};
use alloc::vec::Vec;

/// What a system call answers.
pub type Answer = Result<u64, Stop>;

/// Why a system call gives no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It failed.
    Errno(Errno),
    /// It waits, and is made again.
    Wait(Waiting),
    /// No page was free: it is made again when some are.
    NoMemory,
    /// The registers are as they are to be: a program began, a signal handler returned.
    Replaced,
    /// The process has ended.
    Ended,
}

/// What a process waits for: the first of these.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// Things that happen to files.
    pub files: Vec<Wait>,
    /// Something to read from the terminal.
    pub terminal: bool,
    /// A change of a child.
    pub child: bool,
    /// That time, in nanoseconds since the start.
    pub until: Option<u64>,
    /// One of these signals, although it is blocked.
    pub signals: SignalSet,
    /// A signal handler ends the call with `EINTR`, whether or not it has `SA_RESTART`.
    pub once: bool,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Errno(errno)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        match fault {
            Fault::NoMemory => Stop::NoMemory,
            Fault::NotMapped | Fault::NotAllowed | Fault::Bus => Stop::Errno(Errno::EFAULT),
        }
    }
}

impl From<StringError> for Stop {
    fn from(error: StringError) -> Stop {
        match error {
            StringError::Fault(fault) => fault.into(),
            StringError::TooLong => Stop::Errno(Errno::ENAMETOOLONG),
        }
    }
}

/// The time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clock {
    /// Nanoseconds since 1970 when the machine started; 0 if it does not know.
    pub start: u64,
}
