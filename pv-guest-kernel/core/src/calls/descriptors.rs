//! Calls on descriptors themselves: closing, copying, flags, pipes, locks.

use super::{Answer, Stop, arguments::Table};
use crate::{
    Access, Platform,
    fs::{Errno, Fd, FileType, OpenFlags, Pid},
    kernel::{Files, Kernel},
};

/// What programs see of every file's flags: offsets have 64 bits.
const LARGE_FILE: u64 = 0o100_000;

/// `close`.
pub(super) fn close<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [fd, ..]: [u64; 6]) -> Answer {
    let Table { descriptors, fs, mut store } = kernel.table(who);
    descriptors.close(fs, Fd(fd as u32), &mut store)?;
    Ok(0)
}

/// `close_range`.
pub(super) fn close_range<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [first, last, flags, ..]: [u64; 6],
) -> Answer {
    /// The process gets descriptors of its own, as it has them anyway.
    const UNSHARE: u64 = 2;
    const CLOEXEC: u64 = 4;
    super::arguments::only(flags, UNSHARE | CLOEXEC)?;
    let (first, last) = (first as u32, last as u32);
    if first > last {
        return Err(Errno::EINVAL.into());
    }
    let Table { descriptors, fs, mut store } = kernel.table(who);
    let mut next = descriptors.first_from(Fd(first));
    while let Some((fd, _)) = next.filter(|(fd, _)| fd.0 <= last) {
        if flags & CLOEXEC == 0 {
            descriptors.close(fs, fd, &mut store)?;
        } else {
            descriptors.set_close_on_exec(fd, true)?;
        }
        next = descriptors.first_from(Fd(fd.0 + 1));
    }
    Ok(0)
}

/// `dup`.
pub(super) fn dup<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [fd, ..]: [u64; 6]) -> Answer {
    duplicate(kernel, who, fd, 0, false)
}

/// The lowest free descriptor from a number on, for the same file.
fn duplicate<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    fd: u64,
    least: u64,
    close_on_exec: bool,
) -> Answer {
    let least = u32::try_from(least).map_err(|_| Errno::EINVAL)?;
    let Table { descriptors, fs, .. } = kernel.table(who);
    Ok(descriptors.dup(fs, Fd(fd as u32), least, close_on_exec)?.0.into())
}

/// `dup2`.
pub(super) fn dup2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, to, ..]: [u64; 6],
) -> Answer {
    duplicate_to(kernel, who, fd, to, false)
}

/// `dup3`.
pub(super) fn dup3<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, to, flags, ..]: [u64; 6],
) -> Answer {
    let close_on_exec = u64::from(OpenFlags::CLOEXEC.bits());
    super::arguments::only(flags, close_on_exec)?;
    if fd as u32 == to as u32 {
        return Err(Errno::EINVAL.into());
    }
    duplicate_to(kernel, who, fd, to, flags & close_on_exec != 0)
}

fn duplicate_to<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    fd: u64,
    to: u64,
    close_on_exec: bool,
) -> Answer {
    let Table { descriptors, fs, mut store } = kernel.table(who);
    let (fd, to) = (Fd(fd as u32), Fd(to as u32));
    Ok(descriptors.dup_to(fs, fd, to, close_on_exec, &mut store)?.0.into())
}

/// `pipe`.
pub(super) fn pipe<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, ..]: [u64; 6],
) -> Answer {
    make_pipe(kernel, who, address, OpenFlags::empty())
}

/// `pipe2`.
pub(super) fn pipe2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, flags, ..]: [u64; 6],
) -> Answer {
    let flags = OpenFlags::from_bits_retain(flags as u32);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    make_pipe(kernel, who, address, flags)
}

fn make_pipe<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    flags: OpenFlags,
) -> Answer {
    kernel.touch(who, address, 8, Access::Write)?;
    kernel.caller(who).descriptors.room_for(2)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let (read, write) = fs.pipe(&ids.caller(&view), flags)?;
    let descriptors = &mut kernel.caller_mut(who).descriptors;
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let (read, write) =
        (descriptors.insert(read, close_on_exec)?, descriptors.insert(write, close_on_exec)?);
    let both = u64::from(write.0) << 32 | u64::from(read.0);
    kernel.user(who).write_u64(address, both)?;
    Ok(0)
}

/// `fcntl`. There are no locks: who wants one learns so (`ENOLCK`).
pub(super) fn fcntl<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, command, argument, ..]: [u64; 6],
) -> Answer {
    const DUPFD: u32 = 0;
    const GETFD: u32 = 1;
    const SETFD: u32 = 2;
    const GETFL: u32 = 3;
    const SETFL: u32 = 4;
    const GETLK: u32 = 5;
    const SETLK: u32 = 6;
    const SETLKW: u32 = 7;
    const OFD_GETLK: u32 = 36;
    const OFD_SETLK: u32 = 37;
    const OFD_SETLKW: u32 = 38;
    const DUPFD_CLOEXEC: u32 = 1030;
    const GETPIPE_SZ: u32 = 1032;
    /// `FD_CLOEXEC`.
    const CLOSE_ON_EXEC: u64 = 1;

    let id = kernel.description(who, fd)?;
    let command = command as u32;
    let of_place = matches!(command, DUPFD | DUPFD_CLOEXEC | GETFD | SETFD | GETFL);
    if kernel.fs.flags(id).contains(OpenFlags::PATH) && !of_place {
        return Err(Errno::EBADF.into());
    }
    match command {
        DUPFD | DUPFD_CLOEXEC => {
            duplicate(kernel, who, fd, argument & 0xffff_ffff, command == DUPFD_CLOEXEC)
        }
        GETFD => Ok(kernel.caller(who).descriptors.close_on_exec(Fd(fd as u32))?.into()),
        SETFD => {
            let close = argument & CLOSE_ON_EXEC != 0;
            kernel.caller_mut(who).descriptors.set_close_on_exec(Fd(fd as u32), close)?;
            Ok(0)
        }
        GETFL => Ok(u64::from(kernel.fs.flags(id).bits()) | LARGE_FILE),
        SETFL => {
            kernel.fs.set_flags(id, OpenFlags::from_bits_truncate(argument as u32));
            Ok(0)
        }
        GETLK | OFD_GETLK => no_lock_there(kernel, who, argument),
        SETLK | SETLKW | OFD_SETLK | OFD_SETLKW => set_lock(kernel, who, argument),
        GETPIPE_SZ if kernel.fs.kind(kernel.fs.node_of(id)) == FileType::Fifo => {
            Ok(kernel.fs.capacity(id))
        }
        GETPIPE_SZ => Err(Errno::EBADF.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Kinds of locks, in `struct flock`.
const READ_LOCK: u16 = 0;
const WRITE_LOCK: u16 = 1;
const UNLOCK: u16 = 2;
/// Bytes of `struct flock`.
const LOCK: usize = 32;

/// `F_GETLK`: nobody has a lock, so none is in the way of another.
fn no_lock_there<P: Platform>(kernel: &mut Kernel<P>, who: Pid, address: u64) -> Answer {
    let lock: [u8; LOCK] = kernel.read_bytes(who, address)?;
    match u16::from_le_bytes([lock[0], lock[1]]) {
        READ_LOCK | WRITE_LOCK => {
            kernel.write_bytes(who, address, &UNLOCK.to_le_bytes())?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `F_SETLK`: nobody gets a lock.
fn set_lock<P: Platform>(kernel: &mut Kernel<P>, who: Pid, address: u64) -> Answer {
    let lock: [u8; LOCK] = kernel.read_bytes(who, address)?;
    match u16::from_le_bytes([lock[0], lock[1]]) {
        UNLOCK => Ok(0),
        READ_LOCK | WRITE_LOCK => Err(Errno::ENOLCK.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `flock`. There are no locks.
pub(super) fn flock<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, operation, ..]: [u64; 6],
) -> Answer {
    const NONBLOCK: u64 = 4;
    kernel.description(who, fd)?;
    match operation & 0xffff_ffff & !NONBLOCK {
        1 | 2 => Err(Errno::ENOLCK.into()),
        8 => Ok(0),
        _ => Err(Stop::Errno(Errno::EINVAL)),
    }
}
