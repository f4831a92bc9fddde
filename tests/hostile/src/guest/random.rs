//! Random numbers, the same for the same seed. The state is a static, because the hostile guest
//! loses its stack at every trap.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static STATE: AtomicU64 = AtomicU64::new(1);

/// Begins anew.
pub fn seed(seed: u64) {
    STATE.store(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, Relaxed);
}

/// The next number: xorshift64*.
pub fn next() -> u64 {
    let mut state = STATE.load(Relaxed);
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    STATE.store(state, Relaxed);
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// A number below that.
pub fn below(end: u64) -> u64 {
    next() % end
}

/// Whether one in so many.
pub fn one_in(many: u64) -> bool {
    below(many) == 0
}

/// One of these.
pub fn one_of<T: Copy>(list: &[T]) -> T {
    list[below(list.len() as u64) as usize]
}
