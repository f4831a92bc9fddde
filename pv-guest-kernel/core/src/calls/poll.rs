//! `poll`, `select` and their kin: which files can be read or written without waiting.

use super::{
    Answer, Stop, Waiting,
    layout::{self, TIMESPEC},
    time::read_span,
};
use crate::{
    Access, Platform,
    fs::{DESCRIPTORS, Errno, Fd, Pid, PollEvents, Polled},
    kernel::Kernel,
    process::SignalSet,
};
use alloc::{vec, vec::Vec};

/// Bytes of `struct pollfd`.
const POLLFD: usize = 8;

/// Things that every process may wait for.
const FEW: usize = 4;

/// What is asked for and what is found without being asked.
const ALWAYS: PollEvents = PollEvents::ERR.union(PollEvents::HUP).union(PollEvents::NVAL);

/// `poll`, with milliseconds.
pub(super) fn poll<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, count, timeout, ..]: [u64; 6],
) -> Answer {
    let span = u64::try_from(timeout as i32).ok().map(|span| span * 1_000_000);
    poll_files(kernel, who, address, count, span)
}

/// `ppoll`.
pub(super) fn ppoll<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, count, timeout, mask, size, _]: [u64; 6],
) -> Answer {
    let span = if timeout == 0 { None } else { Some(read_span(kernel, who, timeout)?) };
    let mask = read_mask(kernel, who, mask, size)?;
    suspend(kernel, who, mask);
    poll_files(kernel, who, address, count, span)
}

/// `select`, with microseconds, which need not be less than a second.
pub(super) fn select<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [count, read, write, except, timeout, _]: [u64; 6],
) -> Answer {
    let mut span = None;
    if timeout != 0 {
        let bytes: [u8; TIMESPEC] = kernel.read_bytes(who, timeout)?;
        let seconds = u64::try_from(layout::i64_at(&bytes, 0)).map_err(|_| Errno::EINVAL)?;
        let micros = u64::try_from(layout::i64_at(&bytes, 8)).map_err(|_| Errno::EINVAL)?;
        let seconds = seconds.saturating_mul(1_000_000_000);
        span = Some(seconds.saturating_add(micros.saturating_mul(1000)));
    }
    select_files(kernel, who, count, [read, write, except], span)
}

/// `pselect6`. The mask is behind a pointer of its own, with its size.
pub(super) fn pselect6<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [count, read, write, except, timeout, masks]: [u64; 6],
) -> Answer {
    let span = if timeout == 0 { None } else { Some(read_span(kernel, who, timeout)?) };
    let mut mask = None;
    if masks != 0 {
        let bytes: [u8; 16] = kernel.read_bytes(who, masks)?;
        mask = read_mask(kernel, who, layout::u64_at(&bytes, 0), layout::u64_at(&bytes, 8))?;
    }
    suspend(kernel, who, mask);
    select_files(kernel, who, count, [read, write, except], span)
}

/// The signals to be blocked meanwhile, if there are any to say.
fn read_mask<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    size: u64,
) -> Result<Option<SignalSet>, Stop> {
    if address == 0 {
        return Ok(None);
    }
    if size != 8 {
        return Err(Errno::EINVAL.into());
    }
    Ok(Some(SignalSet(kernel.user(who).read_u64(address)?)))
}

fn suspend<P: Platform>(kernel: &mut Kernel<P>, who: Pid, mask: Option<SignalSet>) {
    if let Some(mask) = mask {
        kernel.caller_mut(who).signals.suspend(mask);
    }
}

impl<P: Platform> Kernel<P> {
    /// What can be done with a descriptor, and what to wait for if that is not enough.
    fn poll_one(&mut self, who: Pid, fd: u32, waiting: &mut Waiting) -> PollEvents {
        let Ok(id) = self.caller(who).descriptors.get(Fd(fd)) else { return PollEvents::NVAL };
        match self.fs.poll(id) {
            Polled::File { events, waits } => {
                waiting.files.extend(waits.into_iter().flatten());
                events
            }
            Polled::Terminal => {
                self.read_console();
                waiting.terminal = true;
                let mut events = PollEvents::OUT | PollEvents::WRNORM;
                let read = PollEvents::IN | PollEvents::RDNORM;
                events.set(read, self.terminal.is_readable());
                events
            }
        }
    }

    /// Waits for files, unless the time is over: then there is nothing to tell of them.
    fn wait_for(&mut self, who: Pid, span: Option<u64>, mut waiting: Waiting) -> Result<(), Stop> {
        let now = self.platform.now();
        if let Some(span) = span {
            let until = &mut self.caller_mut(who).progress.until;
            let until = *until.get_or_insert(now.saturating_add(span));
            if now >= until {
                return Ok(());
            }
            waiting.until = Some(until);
        }
        waiting.once = true;
        waiting.files.sort_unstable();
        waiting.files.dedup();
        waiting.files.shrink_to_fit();
        // Who waits for little can always wait: others' long lists are not to stop a shell.
        let more = waiting.files.len();
        if more > FEW && self.scheduler.sleeping() + more > self.settings.waits {
            return Err(Errno::ENOMEM.into());
        }
        Err(Stop::Wait(waiting))
    }
}

fn poll_files<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    count: u64,
    span: Option<u64>,
) -> Answer {
    let count = u32::try_from(count).ok().filter(|count| *count <= DESCRIPTORS);
    let mut files = vec![0; count.ok_or(Errno::EINVAL)? as usize * POLLFD];
    kernel.touch(who, address, files.len(), Access::Write)?;
    kernel.user(who).read(address, &mut files)?;
    let mut waiting = Waiting::default();
    let mut ready = 0;
    for file in files.chunks_exact_mut(POLLFD) {
        let fd = layout::u32_at(file, 0);
        let asked = PollEvents::from_bits_truncate(u16::from_le_bytes([file[4], file[5]]));
        let mut events = PollEvents::empty();
        if (fd as i32) >= 0 {
            events = kernel.poll_one(who, fd, &mut waiting) & (asked | ALWAYS);
        }
        ready += u64::from(!events.is_empty());
        file[6..].copy_from_slice(&events.bits().to_le_bytes());
    }
    if ready == 0 {
        kernel.wait_for(who, span, waiting)?;
    }
    kernel.user(who).write(address, &files)?;
    Ok(ready)
}

fn select_files<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    count: u64,
    addresses: [u64; 3],
    span: Option<u64>,
) -> Answer {
    /// What makes a descriptor stay in the set of those that read, that write, and the third.
    const MEANING: [PollEvents; 3] = [
        PollEvents::IN.union(PollEvents::HUP).union(PollEvents::ERR),
        PollEvents::OUT.union(PollEvents::ERR),
        PollEvents::empty(),
    ];
    let count = u32::try_from(count as i32).map_err(|_| Errno::EINVAL)?.min(DESCRIPTORS);
    let words = count.div_ceil(64) as usize;
    let mut sets: [Vec<u64>; 3] = core::array::from_fn(|_| vec![0; words]);
    for (set, address) in sets.iter_mut().zip(addresses) {
        if address != 0 {
            kernel.touch(who, address, words * 8, Access::Write)?;
            kernel.user(who).read_words(address, set)?;
        }
    }
    let mut waiting = Waiting::default();
    let mut found: [Vec<u64>; 3] = core::array::from_fn(|_| vec![0; words]);
    let mut ready = 0;
    for fd in 0..count {
        let (word, bit) = (fd as usize / 64, 1 << (fd % 64));
        if sets.iter().all(|set| set[word] & bit == 0) {
            continue;
        }
        let events = kernel.poll_one(who, fd, &mut waiting);
        if events.contains(PollEvents::NVAL) {
            return Err(Errno::EBADF.into());
        }
        for ((set, found), meaning) in sets.iter().zip(&mut found).zip(MEANING) {
            if set[word] & bit != 0 && events.intersects(meaning) {
                found[word] |= bit;
                ready += 1;
            }
        }
    }
    if ready == 0 {
        kernel.wait_for(who, span, waiting)?;
    }
    for (found, address) in found.iter().zip(addresses) {
        if address != 0 {
            kernel.user(who).write_words(address, found)?;
        }
    }
    Ok(ready)
}
