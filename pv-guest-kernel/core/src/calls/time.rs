//! Calls on time: what it is, and waiting for it.

use super::{
    Answer, Stop, Waiting,
    layout::{self, TIMESPEC},
};
use crate::{
    Platform,
    fs::{Errno, Pid},
    kernel::Kernel,
};

const REALTIME: u64 = 0;
const MONOTONIC: u64 = 1;
const PROCESS_TIME: u64 = 2;
const THREAD_TIME: u64 = 3;
const MONOTONIC_RAW: u64 = 4;
const REALTIME_COARSE: u64 = 5;
const MONOTONIC_COARSE: u64 = 6;
const BOOT_TIME: u64 = 7;

impl<P: Platform> Kernel<P> {
    /// Nanoseconds since 1970.
    pub(crate) fn wall_clock(&self) -> u64 {
        self.clock.start.saturating_add(self.platform.now())
    }

    /// What a clock says, in nanoseconds.
    fn read_clock(&self, who: Pid, clock: u64) -> Result<u64, Errno> {
        match clock & 0xffff_ffff {
            REALTIME | REALTIME_COARSE => Ok(self.wall_clock()),
            MONOTONIC | MONOTONIC_RAW | MONOTONIC_COARSE | BOOT_TIME => Ok(self.platform.now()),
            PROCESS_TIME | THREAD_TIME => {
                let times = &self.caller(who).times;
                Ok(times.user + times.system)
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// `clock_gettime`.
pub(super) fn clock_gettime<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [clock, address, ..]: [u64; 6],
) -> Answer {
    let now = kernel.read_clock(who, clock)?;
    kernel.write_bytes(who, address, layout::timespec(now).bytes())?;
    Ok(0)
}

/// `clock_getres`.
pub(super) fn clock_getres<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [clock, address, ..]: [u64; 6],
) -> Answer {
    kernel.read_clock(who, clock)?;
    kernel.write_if(who, address, layout::timespec(1).bytes())?;
    Ok(0)
}

/// `gettimeofday`. It is in no time zone.
pub(super) fn gettimeofday<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [time, zone, ..]: [u64; 6],
) -> Answer {
    let now = kernel.wall_clock();
    kernel.write_if(who, time, layout::timeval(now).bytes())?;
    kernel.write_if(who, zone, &[0; 8])?;
    Ok(0)
}

/// `time`.
pub(super) fn time<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, ..]: [u64; 6],
) -> Answer {
    let seconds = kernel.wall_clock() / 1_000_000_000;
    kernel.write_if(who, address, &seconds.to_le_bytes())?;
    Ok(seconds)
}

/// `settimeofday`, `clock_settime`: time is the machine's.
pub(super) fn set_time<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Errno::EPERM.into())
}

/// `nanosleep`.
pub(super) fn nanosleep<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [wanted, left, ..]: [u64; 6],
) -> Answer {
    let span = read_span(kernel, who, wanted)?;
    sleep(kernel, who, kernel.platform.now().saturating_add(span), left)
}

/// `clock_nanosleep`.
pub(super) fn clock_nanosleep<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [clock, flags, wanted, left, ..]: [u64; 6],
) -> Answer {
    const ABSOLUTE: u64 = 1;
    let clock = clock & 0xffff_ffff;
    if !matches!(clock, REALTIME | MONOTONIC | BOOT_TIME) {
        let known = matches!(clock, PROCESS_TIME | THREAD_TIME);
        return Err(if known { Errno::EOPNOTSUPP } else { Errno::EINVAL }.into());
    }
    let span = read_span(kernel, who, wanted)?;
    if flags & ABSOLUTE == 0 {
        return sleep(kernel, who, kernel.platform.now().saturating_add(span), left);
    }
    let start = if clock == REALTIME { kernel.clock.start } else { 0 };
    sleep(kernel, who, span.saturating_sub(start), 0)
}

/// A span of time in the memory of a process, in nanoseconds.
pub(super) fn read_span<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
) -> Result<u64, Stop> {
    let bytes: [u8; TIMESPEC] = kernel.read_bytes(who, address)?;
    Ok(layout::nanoseconds(layout::timespec_from(&bytes)?)?)
}

/// Sleeps until a time, or until the time that was set when the call was made first. A signal
/// ends it, and who wants to know gets what was left.
fn sleep<P: Platform>(kernel: &mut Kernel<P>, who: Pid, until: u64, left: u64) -> Answer {
    let now = kernel.platform.now();
    let until = *kernel.caller_mut(who).progress.until.get_or_insert(until);
    if now >= until {
        return Ok(0);
    }
    if kernel.is_interrupted(who) {
        kernel.write_if(who, left, layout::timespec(until - now).bytes())?;
        return Err(Errno::EINTR.into());
    }
    let until = Some(until);
    Err(Stop::Wait(Waiting { until, once: true, ..Waiting::default() }))
}

/// `clock_adjtime`, of the clock that `adjtimex` is for.
pub(super) fn clock_adjtime<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [clock, address, ..]: [u64; 6],
) -> Answer {
    if clock & 0xffff_ffff != REALTIME {
        return Err(Errno::EOPNOTSUPP.into());
    }
    adjtimex(kernel, who, [address, 0, 0, 0, 0, 0])
}

/// `adjtimex`: the clock is not disciplined, and nobody may do it.
pub(super) fn adjtimex<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, ..]: [u64; 6],
) -> Answer {
    /// Bytes of `struct timex`, and where in it is what is not zero.
    const TIMEX: usize = 208;
    const STATUS: usize = 40;
    const PRECISION: usize = 56;
    const TIME: usize = 72;
    const TICK: usize = 88;
    /// The clock is not synchronized: as status, and as what the call answers.
    const UNSYNCHRONIZED: u8 = 0x40;
    const ERROR: u64 = 5;
    let mut bytes: [u8; TIMEX] = kernel.read_bytes(who, address)?;
    if layout::u32_at(&bytes, 0) != 0 {
        return Err(Errno::EPERM.into());
    }
    bytes.fill(0);
    bytes[STATUS] = UNSYNCHRONIZED;
    bytes[PRECISION] = 1;
    bytes[TIME..TIME + TIMESPEC].copy_from_slice(layout::timeval(kernel.wall_clock()).bytes());
    bytes[TICK..TICK + 8].copy_from_slice(&10_000_u64.to_le_bytes());
    kernel.write_bytes(who, address, &bytes)?;
    Ok(ERROR)
}
