//! The counter and the vCPU's timer.

use crate::{arch, calls, events};
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{Port, start_info::StartInfo};

static TICKS_PER_SECOND: AtomicU64 = AtomicU64::new(1);

pub(crate) fn init(info: &StartInfo) {
    TICKS_PER_SECOND.store(info.ticks_per_second.max(1), Ordering::Relaxed);
}

/// Now, in ticks.
pub fn now() -> u64 {
    arch::counter()
}

/// Ticks in that many microseconds, rounded up.
pub fn ticks(microseconds: u64) -> u64 {
    let per_second = TICKS_PER_SECOND.load(Ordering::Relaxed) as u128;
    (microseconds as u128 * per_second).div_ceil(1_000_000).min(u64::MAX as u128) as u64
}

/// Microseconds in that many ticks, rounded down.
pub fn microseconds(ticks: u64) -> u64 {
    let per_second = TICKS_PER_SECOND.load(Ordering::Relaxed) as u128;
    (ticks as u128 * 1_000_000 / per_second).min(u64::MAX as u128) as u64
}

/// Sets the timer: an event on [`Port::TIMER`] in that many microseconds.
pub fn set_timer(microseconds: u64) {
    calls::timer_set(now().saturating_add(ticks(microseconds)));
}

/// Takes the timer back, and an event of it that was not handled.
pub fn clear_timer() {
    calls::timer_set(u64::MAX);
    events::take(Port::TIMER);
}

/// Sleeps that long, the vCPU blocked. The timer port has no handler meanwhile.
pub fn sleep(microseconds: u64) {
    let deadline = now().saturating_add(ticks(microseconds));
    while now() < deadline {
        calls::timer_set(deadline);
        events::wait_any(&[Port::TIMER]);
    }
}
