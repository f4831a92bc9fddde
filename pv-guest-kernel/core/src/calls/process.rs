//! Calls that make processes, end them, and wait for their end.

use super::{
    Answer, Stop, Waiting,
    layout::{Resources, rusage},
};
use crate::{
    Access, Machine, PAGE, Platform, Registers,
    fs::{Errno, PATH_MAX, Pid},
    kernel::Kernel,
    memory::StringError,
    process::{
        Birth, Cause, CloneFlags, Execution, Info, Process, SIGINFO, Signal, State, exit_status,
    },
};

/// `getpid`, and `gettid`: a process has one thread.
pub(super) fn getpid<P: Platform>(_: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(who.0.into())
}

/// `getppid`.
pub(super) fn getppid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    Ok(kernel.process(who).parent.0.into())
}

/// `set_tid_address`.
pub(super) fn set_tid_address<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    kernel.process(who).clear_tid = args[0];
    Ok(who.0.into())
}

/// `fork`.
pub(super) fn fork<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    clone(kernel, who, [Signal::CHLD.number().into(), 0, 0, 0, 0, 0])
}

/// `vfork`.
pub(super) fn vfork<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    let flags = CloneFlags::VM.union(CloneFlags::VFORK).bits();
    clone(kernel, who, [flags | u64::from(Signal::CHLD.number()), 0, 0, 0, 0, 0])
}

/// `clone`: processes only, see [`Kernel::fork`].
pub(super) fn clone<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let [bits, stack, parent_tid, fourth, fifth, _] = args;
    // The order of the last two is the machine's.
    let (child_tid, tls) = match P::MACHINE {
        Machine::X86_64 => (fourth, fifth),
        Machine::Riscv64 => (fifth, fourth),
    };
    let flags = CloneFlags::from_bits(bits & !0xff).ok_or(Errno::EINVAL)?;
    let end_signal = (bits & 0xff) as u32;
    let shares = flags.contains(CloneFlags::VM) && !flags.contains(CloneFlags::VFORK);
    if shares || end_signal > 64 {
        return Err(Errno::EINVAL.into());
    }
    if flags.contains(CloneFlags::SETTLS) && tls >= kernel.settings.layout.end {
        return Err(Errno::EPERM.into());
    }
    let birth = Birth { flags, end_signal, stack, parent_tid, child_tid, tls };
    let child = kernel.fork(who, &birth)?;
    if flags.contains(CloneFlags::VFORK) {
        // The parent has its answer, and goes on with it later.
        kernel.finish_call(who);
        kernel.process(who).registers.answer(child.0.into());
        kernel.lend(who);
        return Err(Stop::Replaced);
    }
    Ok(child.0.into())
}

fn too_big(error: StringError) -> Stop {
    match error {
        StringError::TooLong => Errno::E2BIG.into(),
        StringError::Fault(fault) => fault.into(),
    }
}

/// `execve`.
pub(super) fn execve<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let most = kernel.settings.arguments;
    let mut user = kernel.user(who);
    let path = user.string(args[0], PATH_MAX)?;
    let mut arguments = user.strings(args[1], most).map_err(too_big)?;
    let taken: usize = arguments.iter().map(|string| string.len() + 9).sum();
    let environment = user.strings(args[2], most.saturating_sub(taken)).map_err(too_big)?;
    if arguments.is_empty() {
        // A program without its own name would take its environment for arguments.
        arguments.push(alloc::vec::Vec::new());
    }
    kernel.execute(who, Execution { path, arguments, environment })?;
    Err(Stop::Replaced)
}

/// `exit` and `exit_group`.
pub(super) fn exit<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    kernel.terminate(who, exit_status(args[0]));
    Err(Stop::Ended)
}

/// What a caller wants to know of its children.
struct Wanted {
    ended: bool,
    stopped: bool,
    continued: bool,
    /// It does not wait.
    now: bool,
    /// What it learns can be learnt again.
    keep: bool,
}

/// `WNOHANG`, `WUNTRACED` (`WSTOPPED`), `WEXITED`, `WCONTINUED`, `WNOWAIT`.
const NO_HANG: u64 = 1;
const STOPPED: u64 = 2;
const EXITED: u64 = 4;
const CONTINUED: u64 = 8;
const NO_WAIT: u64 = 0x100_0000;
/// `__WNOTHREAD`, `__WALL`, `__WCLONE`: of threads, which there are not.
const THREADS: u64 = 0xe000_0000;

impl Wanted {
    fn new(options: u64, ended: bool) -> Wanted {
        Wanted {
            ended,
            stopped: options & STOPPED != 0,
            continued: options & CONTINUED != 0,
            now: options & NO_HANG != 0,
            keep: options & NO_WAIT != 0,
        }
    }

    fn matches<P: Platform>(&self, child: &Process<P>) -> bool {
        use crate::process::StateChange;
        match (&child.state, child.change) {
            (State::Ended(_), _) => self.ended,
            (_, Some(StateChange::Stopped(_))) => self.stopped,
            (_, Some(StateChange::Continued)) => self.continued,
            _ => false,
        }
    }
}

/// The child that a caller learns of; `None` if there is none now and it does not wait.
fn find_child<P: Platform>(
    kernel: &Kernel<P>,
    who: Pid,
    wanted: &Wanted,
    picks: impl Fn(&Process<P>) -> bool,
) -> Result<Option<Pid>, Stop> {
    let mut some = false;
    for child in kernel.processes.iter() {
        if child.parent == who && picks(child) {
            some = true;
            if wanted.matches(child) {
                return Ok(Some(child.pid));
            }
        }
    }
    match (some, wanted.now) {
        (false, _) => Err(Errno::ECHILD.into()),
        (true, true) => Ok(None),
        (true, false) => Err(Stop::Wait(Waiting { child: true, ..Waiting::default() })),
    }
}

/// Makes what a caller learnt of a child known: an ended one is gone, and its times are its
/// parent's.
fn learn<P: Platform>(kernel: &mut Kernel<P>, who: Pid, child: Pid, keep: bool) {
    if keep {
        return;
    }
    let process = kernel.process(child);
    if !process.has_ended() {
        process.change = None;
        return;
    }
    if let Some(child) = kernel.processes.remove(child) {
        let (of, past) = (&mut kernel.process(who).times, child.times);
        of.children_user += past.user + past.children_user;
        of.children_system += past.system + past.children_system;
        of.children_faults += past.past_faults + past.children_faults;
        of.children_major_faults += past.past_major_faults + past.children_major_faults;
        of.children_peak_resident =
            of.children_peak_resident.max(past.peak_resident).max(past.children_peak_resident);
    }
}

/// What a process has used so far.
pub(super) fn resources<P: Platform>(process: &Process<P>) -> Resources {
    let usage = process.space.as_ref().map(|space| space.usage()).unwrap_or_default();
    let times = &process.times;
    Resources {
        user: times.user,
        system: times.system,
        peak_resident: times.peak_resident.max(usage.peak_resident) * (PAGE as u64 / 1024),
        minor_faults: times.past_faults + usage.faults - usage.major_faults,
        major_faults: times.past_major_faults + usage.major_faults,
        voluntary_switches: times.voluntary_switches,
        involuntary_switches: times.involuntary_switches,
    }
}

/// What a process has used and its children that were waited for.
fn resources_in_all<P: Platform>(process: &Process<P>) -> Resources {
    let own = resources(process);
    let times = &process.times;
    Resources {
        user: own.user + times.children_user,
        system: own.system + times.children_system,
        minor_faults: own.minor_faults + times.children_faults,
        major_faults: own.major_faults + times.children_major_faults,
        ..own
    }
}

/// `wait4`.
pub(super) fn wait4<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let [pid, status_at, options, rusage_at, ..] = args;
    let options = options & u64::from(u32::MAX);
    if options & !(NO_HANG | STOPPED | CONTINUED | THREADS) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let group = kernel.process(who).group;
    let pid = pid as u32 as i32;
    let picks = move |child: &Process<P>| match pid {
        -1 => true,
        0 => child.group == group,
        1.. => child.pid.0 == pid as u32,
        _ => child.group.0 == pid.unsigned_abs(),
    };
    let wanted = Wanted::new(options, true);
    let Some(child) = find_child(kernel, who, &wanted, picks)? else { return Ok(0) };
    let process = kernel.process(child);
    let status = match (&process.state, process.change) {
        (State::Ended(status), _) => *status,
        (_, Some(change)) => change.status(),
        _ => 0,
    };
    let used = rusage(&resources_in_all(process));
    let mut user = kernel.user(who);
    if status_at != 0 {
        user.write_u32(status_at, status as u32)?;
    }
    if rusage_at != 0 {
        user.write(rusage_at, used.bytes())?;
    }
    learn(kernel, who, child, false);
    Ok(child.0.into())
}

/// `waitid`.
pub(super) fn waitid<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let [kind, id, info_at, options, rusage_at, _] = args;
    let options = options & u64::from(u32::MAX);
    let known = NO_HANG | STOPPED | EXITED | CONTINUED | NO_WAIT | THREADS;
    if options & !known != 0 || options & (STOPPED | EXITED | CONTINUED) == 0 || kind > 2 {
        return Err(Errno::EINVAL.into());
    }
    let own_group = kernel.process(who).group.0;
    let id = id as u32;
    if kind == 1 && id == 0 {
        return Err(Errno::EINVAL.into());
    }
    let picks = move |child: &Process<P>| match kind {
        0 => true,
        1 => child.pid.0 == id,
        _ => child.group.0 == if id == 0 { own_group } else { id },
    };
    let wanted = Wanted::new(options, options & EXITED != 0);
    let child = find_child(kernel, who, &wanted, picks)?;
    let (mut bytes, mut used) = ([0; SIGINFO], None);
    if let Some(child) = child {
        let process = kernel.process(child);
        let nothing = Cause::Kernel;
        let info = Info { signal: Signal::CHLD, cause: process.child_info().unwrap_or(nothing) };
        bytes = info.to_bytes();
        used = Some(rusage(&resources_in_all(process)));
    }
    let mut user = kernel.user(who);
    if let Some(used) = used.filter(|_| rusage_at != 0) {
        user.write(rusage_at, used.bytes())?;
    }
    if info_at != 0 {
        user.touch(info_at, SIGINFO as u64, Access::Write)?;
        user.write(info_at, &bytes)?;
    }
    if let Some(child) = child {
        learn(kernel, who, child, wanted.keep);
    }
    Ok(0)
}
