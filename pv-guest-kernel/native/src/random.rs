//! Bytes that differ: a generator stirred by the moment at which it is asked. Neither machine has a
//! source of chance that an emulator repeats, so that a run can be repeated: who watches the
//! clock can guess these bytes.

use bare_machine::arch;

/// Splitmix64 (Steele, Lea, Flood, 2014).
#[derive(Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Seeded by the clock.
    pub fn new() -> Random {
        Random { state: arch::now() }
    }

    /// Fills with bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        self.state ^= arch::now().rotate_left(32);
        for chunk in to.chunks_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state;
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ word >> 31).to_le_bytes()[..chunk.len()]);
        }
    }
}
