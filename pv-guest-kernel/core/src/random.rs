//! A pool that mixes what little chance a machine has: [`Pool`].
//!
//! What comes out is as hard to guess as what goes in, and no harder: without a source of chance
//! it only looks random.

/// A pool of 128 bits.
#[derive(Clone, Debug)]
pub struct Pool([u64; 2]);

impl Pool {
    /// Seeded with what tells machines and boots apart.
    pub fn new(seed: u64) -> Pool {
        Pool([seed, !seed])
    }

    /// Stirs something in that was not known before, and takes a word out.
    pub fn next(&mut self, fresh: u64) -> u64 {
        self.0[0] = mix(self.0[0].wrapping_add(0x9e37_79b9_7f4a_7c15) ^ fresh);
        self.0[1] = mix(self.0[1] ^ self.0[0].rotate_left(29));
        mix(self.0[0].wrapping_add(self.0[1]))
    }
}

/// A permutation in which every bit depends on every bit: the finaliser of SplitMix64 (Steele, Lea,
/// Flood, 2014).
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn words_do_not_repeat_and_bits_are_even() {
        let mut pool = Pool::new(0);
        let words: BTreeSet<u64> = (0..10_000).map(|_| pool.next(0)).collect();
        assert_eq!(words.len(), 10_000);
        for bit in 0..64 {
            let ones = words.iter().filter(|word| *word >> bit & 1 == 1).count();
            assert!((4_700..5_300).contains(&ones), "bit {bit} is set {ones} times");
        }
    }

    #[test]
    fn what_is_stirred_in_changes_everything_after_it() {
        let (mut one, mut other) = (Pool::new(1), Pool::new(1));
        assert_eq!(one.next(5), other.next(5));
        assert_ne!(one.next(6), other.next(7));
        assert_ne!(one.next(8), other.next(8));
    }
}
