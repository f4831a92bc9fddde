//! Random bytes, as far as the machine has any.
//!
//! On x86-64 every eight bytes have a fresh number of `rdrand` in them, if the processor has the
//! instruction. Without it, and on riscv64, there is no source that a guest can reach: then the
//! bytes come from readings of the counter alone, mixed. How long this kernel has run when it is
//! asked, and how long processes make it wait, is hard to tell from outside, and not
//! unguessable: who needs secrets does not get them from such a machine. An emulator that
//! counts instructions makes them the same in each run.

use kernel_core::random::Pool;
use pv_guest::{arch, time};

/// The machine's random bytes.
#[derive(Debug)]
pub struct Random {
    pool: Pool,
}

impl Random {
    /// Seeded with what tells guests and boots apart.
    pub fn new(seed: u64) -> Random {
        Random { pool: Pool::new(seed) }
    }

    /// Fills bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        for chunk in to.chunks_mut(8) {
            let fresh = arch::hardware_random().unwrap_or(0) ^ time::now().rotate_left(17);
            chunk.copy_from_slice(&self.pool.next(fresh).to_le_bytes()[..chunk.len()]);
        }
    }
}
