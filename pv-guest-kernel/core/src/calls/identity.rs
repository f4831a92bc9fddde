//! Calls on who a process is: users, groups, process groups, sessions.

use super::Answer;
use crate::{
    Platform,
    fs::{Errno, Pid},
    kernel::Kernel,
    process::{GROUPS_MAX, Process, Triple},
};

/// A number in a call, which has 32 bits of its argument.
fn id(argument: u64) -> u32 {
    argument as u32
}

/// Changes what a process is; then files know it as that.
fn change<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    what: impl FnOnce(&mut Process<P>, bool) -> Result<(), Errno>,
) -> Answer {
    let process = kernel.process(who);
    let privileged = process.credentials.is_privileged();
    what(process, privileged)?;
    process.ids.uid = process.credentials.user.effective;
    process.ids.gid = process.credentials.group.effective;
    Ok(0)
}

/// `getuid`.
pub(super) fn getuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).credentials.user.real.into())
}

/// `geteuid`.
pub(super) fn geteuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).credentials.user.effective.into())
}

/// `getgid`.
pub(super) fn getgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).credentials.group.real.into())
}

/// `getegid`.
pub(super) fn getegid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).credentials.group.effective.into())
}

/// `setuid`.
pub(super) fn setuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| process.credentials.user.set(id(args[0]), can))
}

/// `setgid`.
pub(super) fn setgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| process.credentials.group.set(id(args[0]), can))
}

/// `setreuid`.
pub(super) fn setreuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| {
        process.credentials.user.set_two(id(args[0]), id(args[1]), can)
    })
}

/// `setregid`.
pub(super) fn setregid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| {
        process.credentials.group.set_two(id(args[0]), id(args[1]), can)
    })
}

fn triple(args: [u64; 6]) -> Triple {
    Triple { real: id(args[0]), effective: id(args[1]), saved: id(args[2]) }
}

/// `setresuid`.
pub(super) fn setresuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| process.credentials.user.set_three(triple(args), can))
}

/// `setresgid`.
pub(super) fn setresgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    change(kernel, who, |process, can| process.credentials.group.set_three(triple(args), can))
}

fn write_triple<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
    triple: Triple,
) -> Answer {
    let mut user = kernel.user(who);
    for (at, value) in args.into_iter().zip([triple.real, triple.effective, triple.saved]) {
        user.write_u32(at, value)?;
    }
    Ok(0)
}

/// `getresuid`.
pub(super) fn getresuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let user = kernel.process(who).credentials.user;
    write_triple(kernel, who, args, user)
}

/// `getresgid`.
pub(super) fn getresgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let group = kernel.process(who).credentials.group;
    write_triple(kernel, who, args, group)
}

/// `setfsuid` answers who it was, and changes nothing: files know the effective user.
pub(super) fn setfsuid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).ids.uid.into())
}

/// `setfsgid`, as `setfsuid`.
pub(super) fn setfsgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).ids.gid.into())
}

/// `getgroups`.
pub(super) fn getgroups<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let groups = kernel.process(who).credentials.groups.clone();
    let room = args[0] as i32;
    if room == 0 {
        return Ok(groups.len() as u64);
    }
    if usize::try_from(room).map_or(true, |room| room < groups.len()) {
        return Err(Errno::EINVAL.into());
    }
    let bytes: alloc::vec::Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
    kernel.user(who).write(args[1], &bytes)?;
    Ok(groups.len() as u64)
}

/// `setgroups`.
pub(super) fn setgroups<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    if !kernel.process(who).credentials.is_privileged() {
        return Err(Errno::EPERM.into());
    }
    let count = usize::try_from(args[0] as i32).map_err(|_| Errno::EINVAL)?;
    if count > GROUPS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let mut groups = alloc::vec![0; count];
    let mut user = kernel.user(who);
    for (index, group) in groups.iter_mut().enumerate() {
        *group = user.read_u32(args[1].wrapping_add(index as u64 * 4))?;
    }
    kernel.process(who).credentials.groups = groups;
    Ok(0)
}

/// `umask`.
pub(super) fn umask<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let ids = &mut kernel.process(who).ids;
    Ok(core::mem::replace(&mut ids.umask, args[0] as u32 & 0o777).into())
}

/// The process that an argument names; 0 is the caller.
fn named<P: Platform>(kernel: &Kernel<P>, who: Pid, argument: u64) -> Result<&Process<P>, Errno> {
    let pid = if id(argument) == 0 { who } else { Pid(id(argument)) };
    kernel.processes.get(pid).ok_or(Errno::ESRCH)
}

/// `getpgid`.
pub(super) fn getpgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    Ok(named(kernel, who, args[0])?.group.0.into())
}

/// `getpgrp`.
pub(super) fn getpgrp<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).group.0.into())
}

/// `getsid`.
pub(super) fn getsid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    Ok(named(kernel, who, args[0])?.session.0.into())
}

/// `setpgid`.
pub(super) fn setpgid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    if (args[1] as i32) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let session = kernel.process(who).session;
    let process = named(kernel, who, args[0])?;
    let pid = process.pid;
    if pid != who && process.parent != who || process.has_ended() {
        return Err(Errno::ESRCH.into());
    }
    if process.session != session || process.session == pid {
        return Err(Errno::EPERM.into());
    }
    if pid != who && process.executed {
        return Err(Errno::EACCES.into());
    }
    let group = if id(args[1]) == 0 { pid } else { Pid(id(args[1])) };
    let there =
        |other: &Process<P>| other.group == group && other.session == session && !other.has_ended();
    if group != pid && !kernel.processes.iter().any(there) {
        return Err(Errno::EPERM.into());
    }
    kernel.process(pid).group = group;
    Ok(0)
}

/// `setsid`: the new session has no terminal.
pub(super) fn setsid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    if kernel.processes.iter().any(|process| process.group == who) {
        return Err(Errno::EPERM.into());
    }
    let process = kernel.process(who);
    (process.session, process.group) = (who, who);
    Ok(who.0.into())
}
