//! The scanner's secret, from which follows what pages hash to: drawn at each boot from whatever
//! this machine has.
//!
//! What the processor and the firmware give is worth as much as they are. The counter and the
//! manifest's seed are mixed in: they add what somebody who knows the machine cannot know, which
//! may be nothing.

use crate::arch;
use core::hash::Hasher as _;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Numbers of the processor's that go into it.
const DRAWN: usize = 4;

/// What secrets are told apart by that come from the same bytes; no secret itself.
const PURPOSE: [u64; 2] = [0x7363_616e_6e65_722d, 0x7365_6372_6574_2d31];

/// Draws it. `firmware` are random bytes of the firmware's for this boot, `seed` is the manifest's.
pub fn draw(firmware: &[u8], seed: u64) -> [u64; 2] {
    let [first, second] = PURPOSE;
    let mut pool = SipHasher13::new_with_keys(first, second);
    let mut drawn = 0usize;
    for _ in 0..DRAWN {
        if let Some(number) = arch::hardware_random() {
            pool.write_u64(number);
            drawn += 1;
        }
        pool.write_u64(arch::now());
    }
    pool.write(firmware);
    pool.write_u64(seed);
    if drawn == 0 && firmware.is_empty() {
        defmt::warn!(
            "neither the processor nor the firmware gives random numbers: what pages hash to \
             follows from the time of the boot"
        );
    }
    let hash = pool.finish128();
    [hash.h1, hash.h2]
}
