//! Calls on what a process may have and has had: limits, times, priorities; and small ones that
//! libraries make at a start.

use super::{
    Answer, Stop, Waiting,
    layout::{Resources, nanoseconds, rusage, timespec_from},
    process::resources,
};
use crate::{
    PAGE, Platform, Registers,
    fs::{Errno, Pid},
    kernel::Kernel,
    process::{Limit, Process, Resource, TICK},
};

/// The process that an argument names, if the caller may look after it; 0 is the caller.
fn mine<P: Platform>(kernel: &mut Kernel<P>, who: Pid, argument: u64) -> Result<Pid, Errno> {
    let pid = if argument as u32 == 0 { who } else { Pid(argument as u32) };
    let other = kernel.processes.get(pid).ok_or(Errno::ESRCH)?.credentials.user.real;
    let credentials = &kernel.process(who).credentials;
    if pid == who || credentials.is_privileged() || credentials.user.real == other {
        Ok(pid)
    } else {
        Err(Errno::EPERM)
    }
}

/// `prlimit64`.
pub(super) fn prlimit64<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let [pid, resource, new_at, old_at, ..] = args;
    let pid = mine(kernel, who, pid)?;
    let resource = Resource::with_number(resource).ok_or(Errno::EINVAL)?;
    let old = kernel.process(pid).limits.get(resource);
    let mut new = [0; 2];
    let mut user = kernel.user(who);
    if new_at != 0 {
        user.read_words(new_at, &mut new)?;
    }
    if old_at != 0 {
        user.touch(old_at, 16, crate::Access::Write)?;
    }
    if new_at != 0 {
        let privileged = kernel.process(who).credentials.is_privileged();
        let process = kernel.process(pid);
        let to = Limit { soft: new[0], hard: new[1] };
        process.limits.set(resource, to, privileged)?;
        apply(process)?;
    }
    if old_at != 0 {
        kernel.user(who).write_words(old_at, &[old.soft, old.hard])?;
    }
    Ok(0)
}

/// Lets the limits of a process hold for its memory and its files.
fn apply<P: Platform>(process: &mut Process<P>) -> Result<(), Errno> {
    let files = process.limits.get(Resource::OpenFiles).soft;
    process.descriptors.set_limit(u32::try_from(files).unwrap_or(u32::MAX))?;
    if let Some(space) = &mut process.space {
        space.set_limits(process.limits.of_memory());
    }
    Ok(())
}

/// `getrlimit`.
pub(super) fn getrlimit<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    prlimit64(kernel, who, [0, args[0], 0, args[1], 0, 0])
}

/// `setrlimit`.
pub(super) fn setrlimit<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    // At address 0 there is nothing: that is no limit to set.
    let new_at = if args[1] == 0 { 1 } else { args[1] };
    prlimit64(kernel, who, [0, args[0], new_at, 0, 0, 0])
}

/// `getrusage`.
pub(super) fn getrusage<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let process = kernel.process(who);
    let times = process.times;
    let used = match args[0] as i32 {
        0 | 1 => resources(process),
        -1 => Resources {
            user: times.children_user,
            system: times.children_system,
            peak_resident: times.children_peak_resident * (PAGE as u64 / 1024),
            minor_faults: times.children_faults,
            major_faults: times.children_major_faults,
            ..Resources::default()
        },
        _ => return Err(Errno::EINVAL.into()),
    };
    kernel.user(who).write(args[1], rusage(&used).bytes())?;
    Ok(0)
}

/// `times`.
pub(super) fn times<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let times = kernel.process(who).times;
    let all = [times.user, times.system, times.children_user, times.children_system];
    if args[0] != 0 {
        kernel.user(who).write_words(args[0], &all.map(|time| time / TICK))?;
    }
    Ok(kernel.platform.now() / TICK)
}

/// The processes that `getpriority` and `setpriority` mean.
fn meant<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    kind: u64,
    id: u64,
) -> Result<alloc::vec::Vec<Pid>, Errno> {
    let own = kernel.process(who);
    let (group, user) = (own.group, own.credentials.user.real);
    let or = |own: u32| if id as u32 == 0 { own } else { id as u32 };
    let (pid, group, user) = (or(who.0), or(group.0), or(user));
    let found = kernel.processes.which(|process| match kind as u32 {
        0 => process.pid.0 == pid,
        1 => process.group.0 == group,
        _ => process.credentials.user.real == user,
    });
    match (kind as u32, found.is_empty()) {
        (3.., _) => Err(Errno::EINVAL),
        (_, true) => Err(Errno::ESRCH),
        _ => Ok(found),
    }
}

/// `getpriority`: the answer is 20 less the niceness.
pub(super) fn getpriority<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let found = meant(kernel, who, args[0], args[1])?;
    let least = found.into_iter().map(|pid| kernel.process(pid).nice).min().unwrap_or(0);
    Ok((20 - least) as u64)
}

/// `setpriority`.
pub(super) fn setpriority<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let nice = (args[2] as i32).clamp(-20, 19);
    let own = kernel.process(who).credentials.clone();
    for pid in meant(kernel, who, args[0], args[1])? {
        let process = kernel.process(pid);
        if !own.is_privileged() && process.credentials.user.real != own.user.effective {
            return Err(Errno::EPERM.into());
        }
        if !own.is_privileged() && nice < process.nice {
            return Err(Errno::EACCES.into());
        }
        process.nice = nice;
    }
    Ok(0)
}

/// `sched_yield`.
pub(super) fn sched_yield<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    kernel.give_way(who);
    Ok(0)
}

/// `sched_getaffinity`: there is one processor.
pub(super) fn sched_getaffinity<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    mine(kernel, who, args[0])?;
    if args[1] < 8 || !args[1].is_multiple_of(8) {
        return Err(Errno::EINVAL.into());
    }
    kernel.user(who).write_u64(args[2], 1)?;
    Ok(8)
}

/// `sched_setaffinity`: to the one processor.
pub(super) fn sched_setaffinity<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    mine(kernel, who, args[0])?;
    let mut mask = [0; 1];
    let length = args[1].min(1) as usize;
    kernel.user(who).read(args[2], &mut mask[..length])?;
    if mask[0] & 1 == 0 { Err(Errno::EINVAL.into()) } else { Ok(0) }
}

/// `sched_getscheduler`, `sched_get_priority_max` and `_min`: all processes are `SCHED_OTHER`.
pub(super) fn sched_other<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Ok(0)
}

/// `prctl`: the name of the process.
pub(super) fn prctl<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    /// `PR_SET_NAME` and `PR_GET_NAME`.
    const SET_NAME: u64 = 15;
    const GET_NAME: u64 = 16;
    let mut bytes = [0; 16];
    match args[0] {
        SET_NAME => {
            // A name that ends before its place does may end before its memory does, too.
            let (count, done) = kernel.user(who).read_some(args[1], &mut bytes);
            let end = bytes[..count].iter().position(|byte| *byte == 0);
            if end.is_none() {
                done?;
            }
            kernel.process(who).name = bytes[..end.unwrap_or(15)].to_vec();
        }
        GET_NAME => {
            let name = &kernel.process(who).name;
            bytes[..name.len()].copy_from_slice(name);
            kernel.user(who).write(args[1], &bytes)?;
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `arch_prctl`, of x86-64: the base of thread-local storage.
pub(super) fn arch_prctl<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    /// `ARCH_SET_FS` and `ARCH_GET_FS`.
    const SET: u64 = 0x1002;
    const GET: u64 = 0x1003;
    match args[0] {
        // An address that the processor cannot have would fault in the kernel.
        SET if args[1] >= kernel.settings.layout.end => Err(Errno::EPERM.into()),
        SET => {
            let process = kernel.process(who);
            process.thread_base = args[1];
            process.registers.set_thread_base(args[1]);
            Ok(0)
        }
        GET => {
            let base = kernel.process(who).thread_base;
            kernel.user(who).write_u64(args[1], base)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `personality`: Linux's own, and no other.
pub(super) fn personality<P: Platform>(_: &mut Kernel<P>, _: Pid, args: [u64; 6]) -> Answer {
    match args[0] as u32 {
        0 | u32::MAX => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `set_robust_list`: a process has one thread, and no other waits for its locks.
pub(super) fn set_robust_list<P: Platform>(_: &mut Kernel<P>, _: Pid, args: [u64; 6]) -> Answer {
    if args[1] == 24 { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

/// `riscv_flush_icache`: there is one processor, and programs fence for themselves.
pub(super) fn riscv_flush_icache<P: Platform>(_: &mut Kernel<P>, _: Pid, args: [u64; 6]) -> Answer {
    if args[2] & !1 == 0 { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

/// Calls that libraries do without: no word of it on the console.
pub(super) fn not_there<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Errno::ENOSYS.into())
}

/// `futex`, for processes of one thread: nobody wakes, and nobody is to be woken.
pub(super) fn futex<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    /// `FUTEX_WAIT`, `FUTEX_WAKE`, and what they are without.
    const WAIT: u64 = 0;
    const WAKE: u64 = 1;
    const OPERATION: u64 = 0x7f;
    let [address, operation, value, timeout, ..] = args;
    match operation & OPERATION {
        WAKE => Ok(0),
        WAIT => {
            let mut user = kernel.user(who);
            if user.read_u32(address)? != value as u32 {
                return Err(Errno::EAGAIN.into());
            }
            let mut length = None;
            if timeout != 0 {
                let mut bytes = [0; 16];
                user.read(timeout, &mut bytes)?;
                length = Some(nanoseconds(timespec_from(&bytes)?)?);
            }
            let now = kernel.platform.now();
            let progress = &mut kernel.process(who).progress;
            let until = progress.until.or_else(|| length.map(|length| now.saturating_add(length)));
            progress.until = until;
            if until.is_some_and(|until| until <= now) {
                return Err(Errno::ETIMEDOUT.into());
            }
            Err(Stop::Wait(Waiting { until, ..Waiting::default() }))
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}
