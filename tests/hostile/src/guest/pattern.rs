//! What honest guests fill pages with, and where the words lie by which the two of them agree.

use hypercall_abi::{GrantRef, PAGE_SIZE, Port};

/// Words of a page.
pub const WORDS: usize = PAGE_SIZE as usize / 8;

/// The grant of the page of words, and the port: the first of each that the honest guest makes.
pub const GRANT: GrantRef = GrantRef(0);
/// The port.
pub const PORT: Port = Port::FIRST_DYNAMIC;

/// Words of the shared page: the round that is asked for, and its grant; [`STOP`] as a round
/// ends the partner.
pub const ASKED: usize = 0;
/// The grant of the round's page.
pub const PAGE_GRANT: usize = 1;
/// The round that is answered.
pub const ANSWERED: usize = 2;
/// The last round.
pub const STOP: u64 = u64::MAX;

/// What a word holds that is filled in a round, by a purpose of that number.
pub fn word(round: u64, purpose: u64, index: usize) -> u64 {
    (round << 32 | purpose << 16 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
