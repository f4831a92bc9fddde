//! XXH3 of 64 bits, of one page and under a seed.
//!
//! A hash by the book, and not a crate's, because of what it reads: the crates that do XXH3
//! (`xxhash-rust`, `twox-hash`) take bytes, and where a processor is not known to load words that
//! are not aligned they put each word together from eight bytes: a page would take longer than one
//! entry of the hypervisor may. A page is words here. `cargo xtask run --demo sharing` shows the longest
//! step. The tests hold it against `xxhash-rust`.
//!
//! Source: the XXH3 specification, `doc/xxhash_spec.md` of xxHash, "XXH3 Algorithm: large inputs".

use crate::machine::FRAME_WORDS;

/// Words of a stripe, each of which has a lane.
const LANES: usize = 8;

/// Stripes after which the lanes are scrambled: the secret has a word more for each.
const STRIPES: usize = SECRET_WORDS - LANES;

const SECRET_WORDS: usize = 24;

const PRIME32: [u64; 3] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d];

const PRIME64: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// What a seed is added to and taken from, in turn.
#[rustfmt::skip]
const SECRET: [u64; SECRET_WORDS] = [
    0xbe4b_a423_396c_feb8, 0x1cad_21f7_2c81_017c, 0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072, 0x78e5_c0cc_4ee6_79cb, 0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8, 0x4c26_3a81_e690_35e0, 0xcb00_c391_bb52_283c,
    0xa32e_531b_8b65_d088, 0x4ef9_0da2_9748_6471, 0xd8ac_dea9_46ef_1938,
    0x3f34_9ce3_3f76_faa8, 0x1d4f_0bc7_c7bb_dcf9, 0x3159_b4cd_4be0_518a,
    0x6473_78d9_c97e_9fc8, 0xc3eb_d334_83ac_c5ea, 0xeb63_13fa_ffa0_81c5,
    0x49da_f0b7_51dd_0d17, 0x9e68_d429_2655_16d3, 0xfca1_477d_58be_162b,
    0xce31_d07a_d1b8_f88f, 0x2804_1695_8f3a_cb45, 0x7e40_4bbb_cafb_d7af,
];

/// What a page hashes to under a seed; `read` reads a word of it.
pub(super) fn of_page(seed: u64, read: impl Fn(usize) -> u64) -> u64 {
    let mut hash = Hash::new(seed);
    for stripe in 0..FRAME_WORDS / LANES {
        hash.take(stripe, &core::array::from_fn(|lane| read(stripe * LANES + lane)));
    }
    hash.finish()
}

struct Hash {
    lanes: [u64; LANES],
    secret: [u64; SECRET_WORDS],
}

impl Hash {
    fn new(seed: u64) -> Hash {
        let mut secret = SECRET;
        let (pairs, _) = secret.as_chunks_mut::<2>();
        for [low, high] in pairs {
            *low = low.wrapping_add(seed);
            *high = high.wrapping_sub(seed);
        }
        let [a, b, c] = PRIME32;
        let [p, q, r, s, t] = PRIME64;
        Hash { lanes: [c, p, q, r, s, b, t, a], secret }
    }

    /// Takes a stripe of the page.
    #[inline(always)]
    fn take(&mut self, stripe: usize, words: &[u64; LANES]) {
        if stripe == FRAME_WORDS / LANES - 1 {
            // The last has words of its own, of the secret's end.
            let secret = self.secret;
            return accumulate(&mut self.lanes, words, |lane| {
                joined(&secret, STRIPES - 1 + lane, 1)
            });
        }
        let within = stripe % STRIPES;
        let secret = &self.secret[within..within + LANES];
        accumulate(&mut self.lanes, words, |lane| secret[lane]);
        if within == STRIPES - 1 {
            for (lane, secret) in self.lanes.iter_mut().zip(&self.secret[STRIPES..]) {
                *lane = (*lane ^ *lane >> 47 ^ secret).wrapping_mul(PRIME32[0]);
            }
        }
    }

    fn finish(&self) -> u64 {
        let mut hash = (FRAME_WORDS as u64 * 8).wrapping_mul(PRIME64[0]);
        let (pairs, _) = self.lanes.as_chunks::<2>();
        for (index, [low, high]) in pairs.iter().enumerate() {
            let secret = |word| joined(&self.secret, 1 + 2 * index + word, 3);
            let product = u128::from(low ^ secret(0)) * u128::from(high ^ secret(1));
            hash = hash.wrapping_add(product as u64 ^ (product >> 64) as u64);
        }
        hash = (hash ^ hash >> 37).wrapping_mul(0x1656_6791_9e37_79f9);
        hash ^ hash >> 32
    }
}

#[inline(always)]
fn accumulate(lanes: &mut [u64; LANES], words: &[u64; LANES], secret: impl Fn(usize) -> u64) {
    for (lane, &word) in words.iter().enumerate() {
        let keyed = word ^ secret(lane);
        lanes[lane ^ 1] = lanes[lane ^ 1].wrapping_add(word);
        lanes[lane] = lanes[lane].wrapping_add((keyed & u64::from(u32::MAX)) * (keyed >> 32));
    }
}

/// The word of the secret that begins so many bytes, 1 to 7, after the start of one.
fn joined(secret: &[u64; SECRET_WORDS], word: usize, bytes: u32) -> u64 {
    secret[word] >> (8 * bytes) | secret[word + 1] << (64 - 8 * bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64_with_seed;
    use zerocopy::IntoBytes;

    fn hash(page: &[u64; FRAME_WORDS], seed: u64) -> u64 {
        of_page(seed, |word| page[word])
    }

    #[test]
    fn it_is_what_the_crate_says() {
        let mut number = 1u64;
        let mut next = || {
            number = number.wrapping_mul(PRIME64[2]).wrapping_add(PRIME64[4]);
            number ^ number >> 29
        };
        for round in 0..100 {
            let seed = if round == 0 { 0 } else { next() };
            let mut page = [0; FRAME_WORDS];
            assert_eq!(hash(&page, seed), xxh3_64_with_seed(page.as_bytes(), seed), "zeros");
            page.fill_with(&mut next);
            assert_eq!(hash(&page, seed), xxh3_64_with_seed(page.as_bytes(), seed), "{round}");
        }
    }

    #[test]
    fn every_word_counts() {
        let page = [7; FRAME_WORDS];
        let mut seen = alloc::vec::Vec::from([hash(&page, 5), hash(&page, 6)]);
        for word in 0..FRAME_WORDS {
            let mut other = page;
            other[word] ^= 1 << (word % 64);
            seen.push(hash(&other, 5));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), FRAME_WORDS + 2);
    }

    /// Words of one lane whose lower halves are those of the secret add nothing by multiplication,
    /// whatever their upper halves are; and what one of those gains another may lose. It takes the
    /// lower half of the seed to know them.
    #[test]
    fn who_does_not_know_the_seed_does_not_make_these_collide() {
        let seed = 0x0123_4567_89ab_cdef;
        let secret = Hash::new(seed).secret;
        let mut page = [7; FRAME_WORDS];
        let (first, second) = (0, 1);
        for stripe in [first, second] {
            page[stripe * LANES] = secret[stripe] & u64::from(u32::MAX);
        }
        let mut other = page;
        other[first * LANES] += 0x1234_5678 << 32;
        other[second * LANES] += 0x2bad_c0de << 32;
        page[first * LANES] += 0x2bad_c0de << 32;
        page[second * LANES] += 0x1234_5678 << 32;
        assert_ne!(page, other);
        assert_eq!(hash(&page, seed), hash(&other, seed));
        for bit in 0..32 {
            assert_ne!(hash(&page, seed ^ 1 << bit), hash(&other, seed ^ 1 << bit), "bit {bit}");
        }
    }
}
