//! Calls on the alarm of a process: `ITIMER_REAL`.

use super::{
    Answer,
    layout::{nanoseconds, timeval, timeval_from},
};
use crate::{
    Platform,
    fs::{Errno, Pid},
    kernel::Kernel,
    process::Alarm,
};

/// What an alarm has left, and its interval, as two `timeval`.
fn left(alarm: Option<Alarm>, now: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    if let Some(alarm) = alarm {
        // One that is about to ring has not rung: it must not look like one that is off.
        let left = alarm.at.saturating_sub(now).max(1000);
        bytes[..16].copy_from_slice(timeval(alarm.interval).bytes());
        bytes[16..].copy_from_slice(timeval(left).bytes());
    }
    bytes
}

/// `ITIMER_REAL`: the others, of which the processor's time counts, are not there.
fn real(which: u64) -> Result<(), Errno> {
    if which as u32 == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `getitimer`.
pub(super) fn getitimer<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    real(args[0])?;
    let now = kernel.platform.now();
    let bytes = left(kernel.process(who).alarm, now);
    kernel.user(who).write(args[1], &bytes)?;
    Ok(0)
}

/// `setitimer`.
pub(super) fn setitimer<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    real(args[0])?;
    let now = kernel.platform.now();
    let old = left(kernel.process(who).alarm, now);
    let mut bytes = [0; 32];
    let mut user = kernel.user(who);
    if args[1] != 0 {
        user.read(args[1], &mut bytes)?;
    }
    if args[2] != 0 {
        user.write(args[2], &old)?;
    }
    let span = |bytes: &[u8]| timeval_from(bytes).and_then(nanoseconds);
    let (interval, value) = (span(&bytes[..16])?, span(&bytes[16..])?);
    let alarm = (value != 0).then(|| Alarm { at: now.saturating_add(value), interval });
    kernel.set_alarm_of(who, alarm);
    Ok(0)
}

/// `alarm`: seconds.
pub(super) fn alarm<P: Platform>(kernel: &mut Kernel<P>, who: Pid, args: [u64; 6]) -> Answer {
    const SECOND: u64 = 1_000_000_000;
    let now = kernel.platform.now();
    let old = kernel.process(who).alarm;
    let seconds = u64::from(args[0] as u32);
    let alarm = (seconds != 0).then(|| Alarm { at: now + seconds * SECOND, interval: 0 });
    kernel.set_alarm_of(who, alarm);
    Ok(old.map_or(0, |alarm| alarm.at.saturating_sub(now).div_ceil(SECOND).max(1)))
}
