//! Calls on signals.

use super::{
    Answer, Stop, Waiting,
    layout::{nanoseconds, timespec_from},
};
use crate::{
    Access, FLOAT_BYTES, Machine, Platform, Registers,
    fs::{Errno, Pid},
    kernel::Kernel,
    memory::Fault,
    process::{
        Action, ActionFlags, AlternateStack, Cause, Context, Float, INIT, Info, SI_TKILL, SI_USER,
        SIGINFO, Signal, SignalSet, context_of, sanitised,
    },
};
use alloc::vec;

/// Sets of signals have eight bytes.
fn sized(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Where in `struct sigaction` its mask is: riscv64 has no restorer before it.
const fn mask_at(machine: Machine) -> usize {
    match machine {
        Machine::X86_64 => 3,
        Machine::Riscv64 => 2,
    }
}

/// `rt_sigaction`.
pub(super) fn rt_sigaction<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    let [number, new_at, old_at, size, ..] = args;
    sized(size)?;
    let signal = Signal::with_number(number).ok_or(Errno::EINVAL)?;
    if new_at != 0 && SignalSet::ALWAYS.has(signal) {
        return Err(Errno::EINVAL.into());
    }
    let old = kernel.process(who).signals.action(signal);
    let mask = mask_at(P::MACHINE);
    let mut words = [0; 4];
    let words = &mut words[..mask + 1];
    let mut user = kernel.user(who);
    let mut new = None;
    if new_at != 0 {
        user.read_words(new_at, words)?;
        new = Some(Action {
            handler: words[0],
            flags: ActionFlags::from_bits_truncate(words[1]),
            restorer: if mask == 3 { words[2] } else { 0 },
            mask: SignalSet(words[mask]),
        });
    }
    if old_at != 0 {
        words[2] = old.restorer;
        (words[0], words[1], words[mask]) = (old.handler, old.flags.bits(), old.mask.0);
        user.write_words(old_at, words)?;
    }
    if let Some(new) = new {
        kernel.process(who).signals.set_action(signal, new);
    }
    Ok(0)
}

/// `rt_sigprocmask`.
pub(super) fn rt_sigprocmask<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    /// `SIG_BLOCK`, `SIG_UNBLOCK`, `SIG_SETMASK`.
    const BLOCK: u64 = 0;
    const UNBLOCK: u64 = 1;
    const SET: u64 = 2;
    let [how, new_at, old_at, size, ..] = args;
    sized(size)?;
    let old = kernel.process(who).signals.blocked;
    let mut user = kernel.user(who);
    let mut new = old;
    if new_at != 0 {
        let set = SignalSet(user.read_u64(new_at)?);
        new = match how & u64::from(u32::MAX) {
            BLOCK => old.and(set),
            UNBLOCK => old.without(set),
            SET => set,
            _ => return Err(Errno::EINVAL.into()),
        };
    }
    if old_at != 0 {
        user.write_u64(old_at, old.0)?;
    }
    kernel.process(who).signals.blocked = new.without(SignalSet::ALWAYS);
    Ok(0)
}

/// `rt_sigpending`.
pub(super) fn rt_sigpending<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    if args[1] > 8 {
        return Err(Errno::EINVAL.into());
    }
    let signals = &kernel.process(who).signals;
    let pending = signals.pending().common(signals.blocked).0.to_le_bytes();
    kernel.user(who).write(args[0], &pending[..args[1] as usize])?;
    Ok(0)
}

/// `rt_sigsuspend`.
pub(super) fn rt_sigsuspend<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    sized(args[1])?;
    let set = SignalSet(kernel.user(who).read_u64(args[0])?);
    kernel.process(who).signals.suspend(set);
    Err(Stop::Wait(Waiting { once: true, ..Waiting::default() }))
}

/// `pause`.
pub(super) fn pause<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Stop::Wait(Waiting { once: true, ..Waiting::default() }))
}

/// `rt_sigtimedwait`.
pub(super) fn rt_sigtimedwait<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    let [set_at, info_at, timeout_at, size, ..] = args;
    sized(size)?;
    let mut user = kernel.user(who);
    let set = SignalSet(user.read_u64(set_at)?).without(SignalSet::ALWAYS);
    let mut length = None;
    if timeout_at != 0 {
        let mut bytes = [0; 16];
        user.read(timeout_at, &mut bytes)?;
        length = Some(nanoseconds(timespec_from(&bytes)?)?);
    }
    if info_at != 0 {
        user.touch(info_at, SIGINFO as u64, Access::Write)?;
    }
    if let Some(info) = kernel.process(who).signals.take(set) {
        if info_at != 0 {
            kernel.user(who).write(info_at, &info.to_bytes())?;
        }
        return Ok(info.signal.number().into());
    }
    let now = kernel.platform.now();
    let progress = &mut kernel.process(who).progress;
    let until = progress.until.or_else(|| length.map(|length| now.saturating_add(length)));
    progress.until = until;
    if until.is_some_and(|until| until <= now) {
        return Err(Errno::EAGAIN.into());
    }
    Err(Stop::Wait(Waiting { until, signals: set, once: true, ..Waiting::default() }))
}

/// `sigaltstack`.
pub(super) fn sigaltstack<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let process = kernel.process(who);
    let (old, sp) = (process.signals.stack, process.registers.sp());
    let words = [old.start, old.flags(Some(sp)).into(), old.size];
    let mut user = kernel.user(who);
    let mut new = None;
    if args[0] != 0 {
        let mut words = [0; 3];
        user.read_words(args[0], &mut words)?;
        let stack = AlternateStack { start: words[0], size: words[2] };
        new = Some(checked(stack, words[1] as u32, old, sp)?);
    }
    if args[1] != 0 {
        user.write_words(args[1], &words)?;
    }
    if let Some(new) = new {
        kernel.process(who).signals.stack = new;
    }
    Ok(0)
}

/// A stack for handlers that a process wants in place of another.
fn checked(
    stack: AlternateStack,
    flags: u32,
    old: AlternateStack,
    sp: u64,
) -> Result<AlternateStack, Errno> {
    if old.size != 0 && old.has(sp) {
        return Err(Errno::EPERM);
    }
    match flags {
        AlternateStack::DISABLE => Ok(AlternateStack::default()),
        0 | AlternateStack::ON if stack.size < AlternateStack::LEAST => Err(Errno::ENOMEM),
        0 | AlternateStack::ON => Ok(stack),
        _ => Err(Errno::EINVAL),
    }
}

/// `rt_sigreturn`: the registers are as a frame on the stack says. The frame could be anything.
pub(super) fn rt_sigreturn<P: Platform>(kernel: &mut Kernel<P>, who: Pid, _: [u64; 6]) -> Answer {
    let sp = kernel.process(who).registers.sp();
    let (address, length) = context_of(P::MACHINE, sp);
    let mut bytes = vec![0; length];
    let mut state = [0; FLOAT_BYTES];
    let read = (|| {
        let mut user = kernel.user(who);
        user.read(address, &mut bytes)?;
        if let Float::At(address) = Context::new(P::MACHINE, &bytes).float() {
            user.read(address, &mut state)?;
        }
        Ok(())
    })();
    match read {
        Ok(()) => (),
        Err(Fault::NoMemory) => return Err(Stop::NoMemory),
        Err(_) => {
            kernel.force(who, Info { signal: Signal::SEGV, cause: Cause::Kernel });
            return Err(Stop::Replaced);
        }
    }
    let clean = kernel.platform.clean_float();
    if kernel.float_owner == Some(who) {
        kernel.float_owner = None;
    }
    let context = Context::new(P::MACHINE, &bytes);
    let process = kernel.process(who);
    process.float = match context.float() {
        Float::None => clean,
        Float::Here(bytes) => sanitised(P::MACHINE, bytes, &clean),
        Float::At(_) => sanitised(P::MACHINE, &state, &clean),
    };
    let words = context.registers(process.registers.signal_words().len());
    process.registers.set_signal_words(&words);
    process.signals.blocked = context.blocked().without(SignalSet::ALWAYS);
    let (stack, flags) = context.stack();
    let sp = process.registers.sp();
    if let Ok(stack) = checked(stack, flags, process.signals.stack, sp) {
        process.signals.stack = stack;
    }
    Err(Stop::Replaced)
}

/// A signal that a process sends with these numbers; `None` for 0, which only asks.
fn signal_of(number: u64) -> Result<Option<Signal>, Errno> {
    match number as u32 {
        0 => Ok(None),
        number => Signal::with_number(number.into()).map(Some).ok_or(Errno::EINVAL),
    }
}

/// Sends a signal to one process, if the caller may.
fn send_to<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    to: Pid,
    signal: Option<Signal>,
    cause: Cause,
) -> Result<(), Errno> {
    let other = kernel.processes.get(to).ok_or(Errno::ESRCH)?;
    let (session, theirs) = (other.session, other.credentials.clone());
    let own = kernel.process(who);
    let continues = signal == Some(Signal::CONT) && own.session == session;
    if !own.credentials.may_signal(&theirs) && !continues {
        return Err(Errno::EPERM);
    }
    match signal {
        Some(signal) => kernel.send(to, Info { signal, cause }).map_err(|_| Errno::EAGAIN),
        None => Ok(()),
    }
}

/// Who sends, for `siginfo`.
fn sender<P: Platform>(kernel: &mut Kernel<P>, who: Pid, code: i32) -> Cause {
    let uid = kernel.process(who).credentials.user.real;
    Cause::Process { code, pid: who, uid, value: 0 }
}

/// `kill`.
pub(super) fn kill<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let signal = signal_of(args[1])?;
    let cause = sender(kernel, who, SI_USER);
    let group = kernel.process(who).group;
    let targets = match args[0] as i32 {
        pid @ 1.. => {
            send_to(kernel, who, Pid(pid as u32), signal, cause)?;
            return Ok(0);
        }
        i32::MIN => return Err(Errno::ESRCH.into()),
        0 => kernel.processes.which(|process| process.group == group),
        -1 => kernel.processes.which(|process| process.pid != who && process.pid != INIT),
        group => kernel.processes.which(|process| process.group.0 == group.unsigned_abs()),
    };
    // One that can be reached is enough; the errors of others are not told.
    let mut result = Err(Errno::ESRCH);
    for to in targets {
        let sent = send_to(kernel, who, to, signal, cause);
        if result.is_err() {
            result = sent;
        }
    }
    result?;
    Ok(0)
}

/// `tkill`: a process has one thread, with its own number.
pub(super) fn tkill<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let to = u32::try_from(args[0] as i32).ok().filter(|pid| *pid != 0).ok_or(Errno::EINVAL)?;
    let signal = signal_of(args[1])?;
    let cause = sender(kernel, who, SI_TKILL);
    send_to(kernel, who, Pid(to), signal, cause)?;
    Ok(0)
}

/// `tgkill`.
pub(super) fn tgkill<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    let [group, thread, signal, ..] = args;
    if (group as i32) <= 0 || (thread as i32) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if group as u32 != thread as u32 {
        return Err(Errno::ESRCH.into());
    }
    tkill(kernel, who, [thread, signal, 0, 0, 0, 0])
}

/// `rt_sigqueueinfo`: the sender says all of `siginfo`, but cannot pretend to be the kernel or
/// `kill` to another.
pub(super) fn rt_sigqueueinfo<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    args: [u64; 6],
) -> Answer {
    let mut bytes = [0; SIGINFO];
    kernel.user(who).read(args[2], &mut bytes)?;
    let signal = signal_of(args[1])?;
    let info = Info::from_bytes(signal.unwrap_or(Signal::HUP), &bytes);
    let Cause::Process { code, .. } = info.cause else { return Err(Errno::EINVAL.into()) };
    let to = Pid(args[0] as u32);
    if to != who && (code >= 0 || code == SI_TKILL) {
        return Err(Errno::EPERM.into());
    }
    send_to(kernel, who, to, signal, info.cause)?;
    Ok(0)
}
