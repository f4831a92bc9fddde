//! Calls on processes.
#![allow(unsafe_code, reason = "system calls take addresses")]

use super::{Errno, SIGCHLD, SIGKILL, kill, result};
use crate::arch::{call, number};
use core::ffi::CStr;

/// What a process may use: most memory, open files, bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Limit {
    /// Bytes that it writes to a file.
    FileSize = 1,
    /// One more than the highest descriptor.
    Descriptors = 7,
    /// Bytes of its address space.
    Memory = 9,
}

/// How a child ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By itself, with that status.
    Exit(i32),
    /// By a signal.
    Signal(usize),
    /// It has not: it was stopped.
    Stopped,
}

/// Ends the process.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: nothing comes after it.
        unsafe { call(number::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Makes a child: in it `None`, in the parent its number.
pub fn fork() -> Result<Option<i32>, Errno> {
    // SAFETY: the child has a copy of everything.
    let child = result(unsafe { call(number::CLONE, [SIGCHLD, 0, 0, 0, 0, 0]) })?;
    Ok((child != 0).then_some(child as i32))
}

/// Makes a child that does `work` and exits with what that returns; its number.
pub fn spawn(work: impl FnOnce() -> i32) -> Result<i32, Errno> {
    match fork()? {
        Some(child) => Ok(child),
        None => exit(work()),
    }
}

/// Waits for a child, -1 for any: its number, and how it ended.
pub fn wait(child: i32) -> Result<(i32, Ended), Errno> {
    wait_with(child, 0).and_then(|found| found.ok_or(Errno::EAGAIN))
}

/// Looks whether a child, -1 for any, has ended.
pub fn try_wait(child: i32) -> Result<Option<(i32, Ended)>, Errno> {
    const WNOHANG: usize = 1;
    wait_with(child, WNOHANG)
}

fn wait_with(child: i32, options: usize) -> Result<Option<(i32, Ended)>, Errno> {
    let mut status = 0_i32;
    let address = (&raw mut status) as usize;
    // SAFETY: the kernel writes one number to a variable.
    let found = result(unsafe {
        call(number::WAIT4, [child as isize as usize, address, options, 0, 0, 0])
    })?;
    let ended = match status & 0x7f {
        0 => Ended::Exit(status >> 8 & 0xff),
        0x7f => Ended::Stopped,
        signal => Ended::Signal(signal as usize),
    };
    Ok((found != 0).then_some((found as i32, ended)))
}

/// Makes a child that does `work`, and waits for it: how it ended.
pub fn run(work: impl FnOnce() -> i32) -> Ended {
    let child = spawn(work);
    crate::check!(child.is_ok(), "a child can be made: {child:?}");
    let ended = child.and_then(wait);
    crate::check!(ended.is_ok(), "a child can be waited for: {ended:?}");
    ended.map_or(Ended::Stopped, |(_, ended)| ended)
}

/// Waits for a child for as long as nothing interrupts; then it is killed: how it ended, or
/// `None` if it was killed so.
pub fn wait_or_kill(child: i32) -> Option<Ended> {
    match wait(child) {
        Ok((_, Ended::Stopped)) | Err(_) => {
            let _ = kill(child, SIGKILL);
            // A second interruption changes nothing: it is as good as dead.
            while wait(child) == Err(Errno::EINTR) {}
            None
        }
        Ok((_, ended)) => Some(ended),
    }
}

/// Executes a program with one argument, its name, and no environment. Returns only if that
/// cannot be.
pub fn exec(path: &CStr) -> Errno {
    exec_with(path, [path])
}

/// Executes a program with arguments, the first of which is its name, and no environment. Returns
/// only if that cannot be.
pub fn exec_with<const N: usize>(path: &CStr, arguments: [&CStr; N]) -> Errno {
    const MOST: usize = 8;
    const { assert!(N < MOST) };
    let mut list = [0; MOST];
    for (place, argument) in list.iter_mut().zip(arguments) {
        *place = argument.as_ptr() as usize;
    }
    let environment = [0_usize];
    let addresses = [list.as_ptr() as usize, environment.as_ptr() as usize];
    // SAFETY: the kernel reads a text and two lists that end.
    let failed = result(unsafe {
        call(number::EXECVE, [path.as_ptr() as usize, addresses[0], addresses[1], 0, 0, 0])
    });
    failed.err().unwrap_or(Errno::ENOSYS)
}

/// The process's number.
pub fn own_number() -> i32 {
    // SAFETY: no memory is touched.
    unsafe { call(number::GETPID, [0; 6]) as i32 }
}

/// The number of its parent.
pub fn parent_number() -> i32 {
    // SAFETY: no memory is touched.
    unsafe { call(number::GETPPID, [0; 6]) as i32 }
}

/// The user whose process it is.
pub fn user() -> usize {
    // SAFETY: no memory is touched.
    unsafe { call(number::GETUID, [0; 6]) as usize }
}

/// Makes the process its own group, so that signals to its group are for itself.
pub fn leave_group() -> Result<(), Errno> {
    // SAFETY: no memory is touched.
    result(unsafe { call(number::SETPGID, [0; 6]) }).map(drop)
}

/// Makes the process nobody's, for good: what it does by mistake harms nobody. Where there are
/// no users to change to it stays as it is.
pub fn become_nobody() -> Result<(), Errno> {
    const NOBODY: usize = 65534;
    const NO_NEW_PRIVILEGES: usize = 38;
    // SAFETY: no memory is touched: the list of groups is empty.
    let changes = unsafe {
        [
            call(number::PRCTL, [NO_NEW_PRIVILEGES, 1, 0, 0, 0, 0]),
            call(number::SETGROUPS, [0; 6]),
            call(number::SETRESGID, [NOBODY, NOBODY, NOBODY, 0, 0, 0]),
            call(number::SETRESUID, [NOBODY, NOBODY, NOBODY, 0, 0, 0]),
        ]
    };
    match result(changes[3]) {
        Err(error) if user() == 0 && error != Errno::ENOSYS => Err(error),
        _ => Ok(()),
    }
}

/// Lets other processes run.
pub fn give_way() {
    // SAFETY: no memory is touched.
    unsafe { call(number::SCHED_YIELD, [0; 6]) };
}

/// Limits what the process may use.
pub fn limit(what: Limit, most: u64) -> Result<(), Errno> {
    let new = [most, most];
    let address = new.as_ptr() as usize;
    // SAFETY: the kernel reads two numbers.
    result(unsafe { call(number::PRLIMIT64, [0, what as usize, address, 0, 0, 0]) }).map(drop)
}
