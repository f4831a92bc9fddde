//! Random bytes, as far as the machine has any: those of the processor's own source on x86-64 if it
//! has one, and the moments at which the kernel asks. An emulator that counts instructions makes
//! these the same in each run, which is what it is for.

use crate::arch;
use kernel_core::random::Pool;

/// The machine's random bytes.
#[derive(Debug)]
pub struct Random {
    pool: Pool,
}

impl Random {
    /// Seeded by the clock.
    pub fn new() -> Random {
        Random { pool: Pool::new(bare_machine::arch::now()) }
    }

    /// Fills with bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        for chunk in to.chunks_mut(8) {
            let moment = bare_machine::arch::now().rotate_left(17);
            let word = self.pool.next(arch::hardware_random().unwrap_or(0) ^ moment);
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}
