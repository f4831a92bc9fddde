//! What a page hashes to: by which function, and under whose secret.
//!
//! A hash says where to look and nothing more: what is alike by its hash is compared in full. Who
//! can make two pages that differ hash to the same makes the hypervisor compare in vain, and may
//! keep a page from meeting its like; who knows what a page of somebody else's hashes to learns
//! nothing by it. So the usual function is a quick one, XXH3 under a seed that only the hypervisor
//! knows. It is no cryptographic function: that nobody finds what collides without the seed is not
//! claimed by those who made it. SipHash does claim that, and takes longer.

use super::xxh3;
use crate::domain::MAX_DOMAINS;
use crate::frame::{GroupKey, MAX_GROUP};
use crate::machine::{FRAME_WORDS, Machine};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use hypercall_abi::Mfn;
use siphasher::sip::SipHasher13;

/// Words of a page that one step has time to hash by SipHash; by XXH3 it has time for all.
const PIECE: usize = FRAME_WORDS / 2;

/// By which function the pages of a group are hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum HashKind {
    /// XXH3, seeded: for guests that do not try to find collisions.
    #[default]
    Xxh3,
    /// SipHash-1-3, keyed: for guests that may.
    SipHash,
}

/// The functions of all groups.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hashing {
    /// Of each group, its secret.
    secrets: Vec<[u64; 2]>,
    /// Groups whose pages are hashed by [`HashKind::SipHash`], as bits.
    keyed: u128,
    /// Bits of a hash that are used, 1 to 64.
    bits: u32,
}

impl Hashing {
    /// Each group gets a secret of its own, of which the others' cannot be told. `None` when the
    /// heap has no room.
    pub(super) fn new([first, second]: [u64; 2], bits: u32) -> Option<Hashing> {
        let groups = MAX_DOMAINS as u64 + u64::from(MAX_GROUP) + 1;
        let mut secrets = Vec::new();
        secrets.try_reserve_exact(groups as usize).ok()?;
        let derive = |number: u64| {
            let mut hasher = SipHasher13::new_with_keys(first, second);
            hasher.write(&number.to_le_bytes());
            hasher.finish()
        };
        secrets.extend((0..groups).map(|group| [derive(2 * group), derive(2 * group + 1)]));
        Some(Hashing { secrets, keyed: 0, bits: bits.clamp(1, 64) })
    }

    /// Chooses the function of a group, 1 to [`MAX_GROUP`].
    pub(super) fn choose(&mut self, group: u8, kind: HashKind) {
        let bit = 1u128 << (group % 128);
        match kind {
            HashKind::Xxh3 => self.keyed &= !bit,
            HashKind::SipHash => self.keyed |= bit,
        }
    }

    /// Begins to hash a page of that group.
    pub(super) fn begin(&self, group: GroupKey) -> Digest {
        let [first, second] = self.secret(group);
        if self.is_keyed(group) {
            Digest::Keyed(Keyed(SipHasher13::new_with_keys(first, second)), 0)
        } else {
            Digest::Seeded(first)
        }
    }

    /// Hashes the next piece of the page in that frame: what all of it hashes to, when it was the last.
    pub(super) fn go_on<M: Machine>(
        &self,
        digest: &mut Digest,
        machine: &M,
        frame: Mfn,
    ) -> Option<u64> {
        let read = |word| machine.read(frame, word);
        let hash = match digest {
            Digest::Seeded(seed) => xxh3::of_page(*seed, read),
            Digest::Keyed(Keyed(hasher), done) => {
                // Word by word: of bytes the crate makes words first, one by one where a processor
                // is not known to load words that are not aligned.
                (*done..*done + PIECE).for_each(|word| hasher.write_u64(read(word)));
                *done += PIECE;
                if *done < FRAME_WORDS {
                    return None;
                }
                hasher.finish()
            }
        };
        Some(hash & u64::MAX >> (64 - self.bits))
    }

    /// What an identifier is remembered by: guests cannot know where it lies.
    pub(super) fn of_content(&self, group: GroupKey, content: u64) -> u64 {
        let [first, second] = self.secret(group);
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(&content.to_le_bytes());
        hasher.finish()
    }

    fn secret(&self, group: GroupKey) -> [u64; 2] {
        self.secrets.get(usize::from(group.number())).copied().unwrap_or_default()
    }

    fn is_keyed(&self, group: GroupKey) -> bool {
        let bit = u32::from(group.number()).checked_sub(MAX_DOMAINS as u32);
        bit.is_some_and(|bit| self.keyed >> bit & 1 != 0)
    }
}

/// A page's hash that is being made.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Digest {
    /// By XXH3 under that seed, in one piece.
    Seeded(u64),
    /// By SipHash: how many words have been taken.
    Keyed(Keyed, usize),
}

/// SipHash on its way. Two are the same when they would end the same.
#[derive(Clone, Debug)]
pub(super) struct Keyed(SipHasher13);

impl PartialEq for Keyed {
    fn eq(&self, other: &Keyed) -> bool {
        self.0.finish() == other.0.finish()
    }
}

impl Eq for Keyed {}

impl Hash for Keyed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.finish().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slot;
    use crate::format::X86_64;
    use crate::model::ModelMachine;
    use zerocopy::IntoBytes;

    /// Pieces change nothing, and no word is left out.
    #[test]
    fn a_page_of_a_keyed_group_hashes_to_what_the_crate_says() {
        let mut hashing = Hashing::new([1, 2], 64).expect("there is room");
        hashing.choose(7, HashKind::SipHash);
        let group = GroupKey::of_group(7);
        let [first, second] = hashing.secret(group);
        let (mut machine, frame) = (ModelMachine::<X86_64>::default(), Mfn(2));
        let mut words =
            core::array::from_fn::<u64, FRAME_WORDS, _>(|word| machine.read(frame, word));
        for round in 0..FRAME_WORDS {
            words[round] = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            machine.write(frame, round, words[round]);
            let mut digest = hashing.begin(group);
            assert_eq!(hashing.go_on(&mut digest, &machine, frame), None);
            let mut whole = SipHasher13::new_with_keys(first, second);
            whole.write(words.as_bytes());
            assert_eq!(hashing.go_on(&mut digest, &machine, frame), Some(whole.finish()));
        }
    }

    #[test]
    fn every_group_has_a_secret_of_its_own() {
        let hashing = Hashing::new([1, 2], 64).expect("there is room");
        let groups = (1..=MAX_GROUP).map(GroupKey::of_group);
        let alone = (0..MAX_DOMAINS as u16).map(|slot| GroupKey::alone(Slot(slot)));
        let mut halves: Vec<u64> =
            groups.chain(alone).flat_map(|group| hashing.secret(group)).collect();
        let all = halves.len();
        halves.sort_unstable();
        halves.dedup();
        assert_eq!((all, halves.len()), (2 * 255, 2 * 255));
        assert!(!halves.contains(&0), "no group lies beyond the table");
        let other = Hashing::new([1, 3], 64).expect("there is room");
        assert!(!halves.contains(&other.secret(GroupKey::of_group(1))[0]));
    }
}
