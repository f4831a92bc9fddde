//! Random bytes, as far as the machine has any.
//!
//! On x86-64 every eight bytes have a fresh number of `rdrand` in them, if the processor has the
//! instruction. Without it, and on riscv64, there is no source that a guest can reach: then the
//! bytes come from readings of the counter alone, mixed. How long this kernel has run when it is
//! asked, and how long processes make it wait, is hard to tell from outside, and not
//! unguessable: who needs secrets does not get them from such a machine. An emulator that
//! counts instructions makes them the same in each run.

use pv_guest::{arch, time};

/// A pool of 128 bits, stirred with whatever there is.
#[derive(Debug)]
pub struct Random {
    pool: [u64; 2],
}

impl Random {
    /// Seeded with what tells guests and boots apart.
    pub fn new(seed: u64) -> Random {
        let mut random = Random { pool: [seed, time::now()] };
        random.next();
        random
    }

    /// Fills bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        for chunk in to.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    fn next(&mut self) -> u64 {
        let fresh = arch::hardware_random().unwrap_or(0) ^ time::now().rotate_left(17);
        self.pool[0] = mix(self.pool[0].wrapping_add(0x9e37_79b9_7f4a_7c15) ^ fresh);
        self.pool[1] = mix(self.pool[1] ^ self.pool[0].rotate_left(29));
        mix(self.pool[0].wrapping_add(self.pool[1]))
    }
}

/// A permutation in which every bit depends on every bit: the finalizer of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
