//! Calls on the terminal: reading and writing it, `ioctl`, and who may: job control.

use super::{
    Answer, Stop, Waiting,
    layout::{self, TERMIOS, TERMIOS2},
};
use crate::{
    Access, Platform,
    fs::{DescriptionId, Errno, Fd, FileType, OpenFlags, Pid},
    kernel::Kernel,
    process::Signal,
    terminal::{LocalFlags, Ready},
};
use alloc::vec::Vec;

/// Numbers of `ioctl`, the same on both machines.
mod request {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    pub const TCSBRK: u32 = 0x5409;
    pub const TCXONC: u32 = 0x540a;
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const FIONREAD: u32 = 0x541b;
    pub const FIONBIO: u32 = 0x5421;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TCSBRKP: u32 = 0x5425;
    pub const TIOCGSID: u32 = 0x5429;
    pub const FIONCLEX: u32 = 0x5450;
    pub const FIOCLEX: u32 = 0x5451;
    pub const TCGETS2: u32 = 0x802c_542a;
    pub const TCSETS2: u32 = 0x402c_542b;
    pub const TCSETSW2: u32 = 0x402c_542c;
    pub const TCSETSF2: u32 = 0x402c_542d;
}

impl<P: Platform> Kernel<P> {
    /// Whether a process is of the terminal's session.
    fn has_terminal(&self, who: Pid) -> bool {
        self.terminal.session == Some(self.caller(who).session)
    }

    /// Whether it is in the background of its terminal.
    fn is_in_background(&self, who: Pid) -> bool {
        self.has_terminal(who) && self.terminal.foreground != Some(self.caller(who).group)
    }

    /// Whether a signal would not reach a process.
    fn shuts_out(&self, who: Pid, signal: Signal) -> bool {
        let signals = &self.caller(who).signals;
        signals.is_ignored(signal) || signals.blocked.has(signal)
    }

    /// A process in the background changes the terminal: it is stopped first, unless it does
    /// not hear of it.
    fn background_write(&mut self, who: Pid) -> Result<(), Stop> {
        if !self.is_in_background(who) || self.shuts_out(who, Signal::TTOU) {
            return Ok(());
        }
        let group = self.caller(who).group;
        if self.is_orphaned(group, None) {
            return Err(Errno::EIO.into());
        }
        self.signal_group(group, Signal::TTOU);
        Err(wait_for_input(None))
    }
}

/// It waits for the terminal; who is stopped goes on from there.
fn wait_for_input(until: Option<u64>) -> Stop {
    Stop::Wait(Waiting { terminal: true, until, ..Waiting::default() })
}

/// Reads from the terminal: how many bytes.
pub(super) fn read<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    id: DescriptionId,
    to: &mut [u8],
) -> Result<usize, Stop> {
    if kernel.is_in_background(who) {
        let group = kernel.caller(who).group;
        if kernel.shuts_out(who, Signal::TTIN) || kernel.is_orphaned(group, None) {
            return Err(Errno::EIO.into());
        }
        kernel.signal_group(group, Signal::TTIN);
        return Err(wait_for_input(None));
    }
    kernel.read_console();
    let now = kernel.platform.now();
    let until = kernel.caller(who).progress.until;
    match kernel.terminal.ready(to.len(), until, now) {
        Ready::Now => {
            let count = kernel.terminal.read(to);
            // There is room again for what has been typed.
            kernel.read_console();
            Ok(count)
        }
        Ready::Later(_) if kernel.fs.flags(id).contains(OpenFlags::NONBLOCK) => {
            Err(Errno::EAGAIN.into())
        }
        Ready::Later(until) => {
            kernel.caller_mut(who).progress.until = until;
            Err(wait_for_input(until))
        }
    }
}

/// Writes to the terminal: how many bytes.
pub(super) fn write<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    from: &[u8],
) -> Result<usize, Stop> {
    if kernel.terminal.settings().local.contains(LocalFlags::TOSTOP) {
        kernel.background_write(who)?;
    }
    let mut out = Vec::with_capacity(from.len() + 16);
    kernel.terminal.write(from, &mut out);
    kernel.platform.console_write(&out);
    Ok(from.len())
}

/// `ioctl`.
pub(super) fn ioctl<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, request, argument, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    if kernel.fs.flags(id).contains(OpenFlags::PATH) {
        return Err(Errno::EBADF.into());
    }
    match request as u32 {
        request::FIOCLEX | request::FIONCLEX => {
            let close = request as u32 == request::FIOCLEX;
            kernel.caller_mut(who).descriptors.set_close_on_exec(Fd(fd as u32), close)?;
            Ok(0)
        }
        request::FIONBIO => {
            let set = u32::from_le_bytes(kernel.read_bytes(who, argument)?) != 0;
            let mut flags = kernel.fs.flags(id);
            flags.set(OpenFlags::NONBLOCK, set);
            kernel.fs.set_flags(id, flags);
            Ok(0)
        }
        _ if kernel.is_terminal(id) => control(kernel, who, request as u32, argument),
        request::FIONREAD => match kernel.fs.kind(kernel.fs.node_of(id)) {
            FileType::File | FileType::Fifo => {
                let count = i32::try_from(kernel.fs.available(id)).unwrap_or(i32::MAX);
                give(kernel, who, argument, &count.to_le_bytes())
            }
            _ => Err(Errno::ENOTTY.into()),
        },
        _ => Err(Errno::ENOTTY.into()),
    }
}

fn give<P: Platform>(kernel: &mut Kernel<P>, who: Pid, address: u64, bytes: &[u8]) -> Answer {
    kernel.write_bytes(who, address, bytes)?;
    Ok(0)
}

/// `ioctl` of the terminal.
fn control<P: Platform>(kernel: &mut Kernel<P>, who: Pid, request: u32, argument: u64) -> Answer {
    match request {
        request::TCGETS => {
            let record = layout::termios(kernel.terminal.settings());
            give(kernel, who, argument, record.bytes())
        }
        request::TCGETS2 => {
            let record = layout::termios2(kernel.terminal.settings());
            give(kernel, who, argument, record.bytes())
        }
        request::TCSETS | request::TCSETSW | request::TCSETSF => {
            let bytes: [u8; TERMIOS] = kernel.read_bytes(who, argument)?;
            set_settings(kernel, who, &bytes, request == request::TCSETSF)
        }
        request::TCSETS2 | request::TCSETSW2 | request::TCSETSF2 => {
            let bytes: [u8; TERMIOS2] = kernel.read_bytes(who, argument)?;
            set_settings(kernel, who, &bytes, request == request::TCSETSF2)
        }
        request::TIOCGWINSZ => {
            let record = layout::winsize(kernel.terminal.size);
            give(kernel, who, argument, record.bytes())
        }
        request::TIOCSWINSZ => {
            let size = layout::window_from(&kernel.read_bytes::<8>(who, argument)?);
            if core::mem::replace(&mut kernel.terminal.size, size) != size
                && let Some(group) = kernel.terminal.foreground
            {
                kernel.signal_group(group, Signal::WINCH);
            }
            Ok(0)
        }
        request::FIONREAD => {
            let count = kernel.terminal.available() as u32;
            give(kernel, who, argument, &count.to_le_bytes())
        }
        // What is written has left at once.
        request::TIOCOUTQ => give(kernel, who, argument, &[0; 4]),
        request::TCSBRK | request::TCSBRKP => {
            kernel.background_write(who)?;
            Ok(0)
        }
        request::TCFLSH => flush(kernel, who, argument as u32),
        // Nothing stops output, so nothing starts it again.
        request::TCXONC if argument <= 3 => Ok(0),
        request::TIOCSCTTY => acquire(kernel, who, argument),
        request::TIOCNOTTY => give_up(kernel, who),
        request::TIOCGSID | request::TIOCGPGRP if !kernel.has_terminal(who) => {
            Err(Errno::ENOTTY.into())
        }
        request::TIOCGSID => {
            let session = kernel.caller(who).session.0;
            give(kernel, who, argument, &session.to_le_bytes())
        }
        request::TIOCGPGRP => {
            let group = kernel.terminal.foreground.map_or(0, |group| group.0);
            give(kernel, who, argument, &group.to_le_bytes())
        }
        request::TIOCSPGRP => set_foreground(kernel, who, argument),
        request::TCXONC => Err(Errno::EINVAL.into()),
        _ => Err(Errno::ENOTTY.into()),
    }
}

fn set_settings<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    bytes: &[u8],
    flush: bool,
) -> Answer {
    kernel.background_write(who)?;
    if flush {
        kernel.terminal.flush_input();
    }
    kernel.terminal.set_settings(layout::settings_from(bytes));
    // Who waits for a line may find bytes now.
    kernel.happened(crate::process::Event::Terminal);
    Ok(0)
}

fn flush<P: Platform>(kernel: &mut Kernel<P>, who: Pid, which: u32) -> Answer {
    const INPUT: u32 = 0;
    const OUTPUT: u32 = 1;
    const BOTH: u32 = 2;
    kernel.background_write(who)?;
    match which {
        INPUT | BOTH => kernel.terminal.flush_input(),
        OUTPUT => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `TIOCSCTTY`: the leader of a session makes it its terminal. The superuser may take it from
/// another session.
fn acquire<P: Platform>(kernel: &mut Kernel<P>, who: Pid, steal: u64) -> Answer {
    let (pid, session, group) = {
        let caller = kernel.caller(who);
        (caller.pid, caller.session, caller.group)
    };
    if kernel.terminal.session == Some(session) && pid == session {
        return Ok(0);
    }
    if pid != session {
        return Err(Errno::EPERM.into());
    }
    if kernel.terminal.session.is_some() && !(steal == 1 && kernel.is_privileged(who)) {
        return Err(Errno::EPERM.into());
    }
    kernel.terminal.acquire(session, group);
    Ok(0)
}

/// `TIOCNOTTY`: the leader of the session gives the terminal up, for all of it. Linux lets others
/// go alone, which is not known of single processes here, and does no harm.
fn give_up<P: Platform>(kernel: &mut Kernel<P>, who: Pid) -> Answer {
    if !kernel.has_terminal(who) {
        return Err(Errno::ENOTTY.into());
    }
    let leader = kernel.caller(who).session;
    if leader == who {
        kernel.terminal_loses(leader);
    }
    Ok(0)
}

/// `TIOCSPGRP`: a group of the session comes to the foreground.
fn set_foreground<P: Platform>(kernel: &mut Kernel<P>, who: Pid, address: u64) -> Answer {
    kernel.touch(who, address, 4, Access::Read)?;
    if !kernel.has_terminal(who) {
        return Err(Errno::ENOTTY.into());
    }
    kernel.background_write(who)?;
    let group = kernel.user(who).read_u32(address)? as i32;
    let group = Pid(u32::try_from(group).map_err(|_| Errno::EINVAL)?);
    let session = kernel.caller(who).session;
    let mut members = kernel.processes.iter().filter(|process| process.group == group);
    match members.next() {
        None => Err(Errno::ESRCH.into()),
        Some(member) if member.session != session => Err(Errno::EPERM.into()),
        Some(_) => {
            kernel.terminal.foreground = Some(group);
            Ok(0)
        }
    }
}
