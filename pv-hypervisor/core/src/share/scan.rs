//! The scanner: goes over the pages that may be shared, at a bounded rate, and finds those that are
//! alike.
//!
//! Of each page: whether it is zeros, which is seen at the first word of most pages that are not;
//! whether it has changed since the last pass, by a hash of a few words, because what changes is not
//! worth sharing; then the hash of all of it. [`look`](super::look) is how one page is looked at.

use super::candidates::{MAX_PAIRS, Pair, Stage};
use super::hash::{HashKind, Hashing};
use super::hints::{About, Found, Hints, Record};
use super::look::Look;
use super::movable::NextPage;
use super::{PageName, Side};
use crate::domain::{MAX_DOMAINS, Slot};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::Platform;
use crate::state::State;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hypercall_abi::{Mfn, Pfn};

/// Words of the advice of a domain that one step looks at, and domains.
const WORDS_A_STEP: usize = 64;
const SLOTS_A_STEP: usize = 8;

/// Words of a page that tell whether it has changed since the last pass.
const SAMPLES: usize = 8;

/// Pairs that guests have named and that wait, at most: beyond, the scanner finds them.
const MAX_NAMED: usize = 2048;

/// How the scanner works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ScanConfig {
    /// Pages that are looked at in a second: of one domain, and of all.
    pub pages_per_second: u64,
    /// Pages of all domains.
    pub host_pages_per_second: u64,
    /// Pages and frames that are remembered, 16 bytes each.
    pub hints: usize,
    /// Nobody else knows it: from it follow the secrets of all groups, and what pages hash to.
    pub secret: [u64; 2],
    /// Bits of a hash that are used, 1 to 64. Fewer show what follows from collisions.
    pub hash_bits: u32,
}

/// What the scanner has done since the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ScanCounters {
    /// Pages looked at.
    pub scanned: u64,
    /// Of these, zeros.
    pub zero: u64,
    /// Of these, pages that have changed since the last pass.
    pub volatile: u64,
    /// Of these, pages that were hashed.
    pub hashed: u64,
    /// Hints that were met, and of these such as were not true any more.
    pub hints: u64,
    /// Hints that were out of date.
    pub stale: u64,
    /// Pairs that guests named by an identifier of their content.
    pub named: u64,
    /// Passes over all pages.
    pub passes: u64,
}

/// So many a second, and no more than a tenth of that at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Bucket {
    tokens: u64,
    /// When tokens came last.
    since: u64,
}

impl Bucket {
    /// Takes a token, if there is one at `now`.
    fn take(&mut self, now: u64, per_second: u64, ticks_per_second: u64) -> bool {
        let ticks = now.saturating_sub(self.since);
        let come = (u128::from(ticks) * u128::from(per_second)
            / u128::from(ticks_per_second.max(1)))
        .min(u128::from(u64::MAX)) as u64;
        if come > 0 {
            self.tokens = self.tokens.saturating_add(come).min((per_second / 10).max(1));
            self.since = now;
        }
        if self.tokens == 0 {
            return false;
        }
        self.tokens -= 1;
        true
    }
}

/// The scanner.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Scanner {
    config: ScanConfig,
    pub(super) hints: Hints,
    /// Of each frame, the hash of a few of its words in the last pass.
    partial: Vec<u16>,
    /// Of each domain, its bucket; the host's is the last.
    buckets: Vec<Bucket>,
    pub(super) hashing: Hashing,
    /// Where it is.
    slot: usize,
    page: u64,
    /// The page that is being looked at.
    look: Option<Look>,
    /// Pairs that guests have named, and that no batch had room for so far.
    named: VecDeque<(PageName, PageName)>,
    /// When the first pair of the batch was found.
    gathering_since: u64,
    pub(super) counters: ScanCounters,
}

impl Scanner {
    /// Whether the frame looks as it did in the last pass; remembers how it looks now.
    pub(super) fn is_steady<M: Machine>(&mut self, machine: &M, frame: Mfn, index: usize) -> bool {
        let hash = (0..SAMPLES)
            .map(|sample| machine.read(frame, sample * (FRAME_WORDS / SAMPLES) + sample))
            .fold(self.config.secret[0], mix);
        let hash = (hash >> 40) as u16;
        match self.partial.get_mut(index) {
            Some(known) => core::mem::replace(known, hash) == hash,
            None => false,
        }
    }
}

/// One word more of the quick look at a page. Whom it deceives has pages hashed in vain, at the
/// scanner's rate.
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29)
}

/// Whether a page is all zero.
pub(crate) fn is_zero<M: Machine>(machine: &M, frame: Mfn) -> bool {
    (0..FRAME_WORDS).all(|word| machine.read(frame, word) == 0)
}

impl<P: Platform> State<P> {
    /// Lets a scanner look for pages that are alike. False when the heap has no room for what it
    /// remembers.
    pub fn enable_scanner(&mut self, config: ScanConfig) -> bool {
        let (mut partial, mut buckets, mut named) = (Vec::new(), Vec::new(), VecDeque::new());
        if named.try_reserve_exact(MAX_NAMED).is_err()
            || partial.try_reserve_exact(self.frames.len()).is_err()
            || buckets.try_reserve_exact(MAX_DOMAINS + 1).is_err()
        {
            return false;
        }
        partial.resize(self.frames.len(), 0);
        buckets.resize(MAX_DOMAINS + 1, Bucket::default());
        let Some(hints) = Hints::new(config.hints, &self.frames) else { return false };
        let Some(hashing) = Hashing::new(config.secret, config.hash_bits) else { return false };
        self.sharing.scanner = Some(Scanner {
            config,
            hints,
            partial,
            buckets,
            hashing,
            slot: 0,
            page: 0,
            look: None,
            named,
            gathering_since: 0,
            counters: ScanCounters::default(),
        });
        true
    }

    /// By which function the pages of a group, 1 to [`MAX_GROUP`](crate::frame::MAX_GROUP), are
    /// hashed.
    pub fn set_group_hash(&mut self, group: u8, kind: HashKind) {
        if let Some(scanner) = &mut self.sharing.scanner {
            scanner.hashing.choose(group, kind);
        }
    }

    /// What the scanner has done.
    pub fn scan_counters(&self) -> ScanCounters {
        self.sharing.scanner.as_ref().map(|scanner| scanner.counters).unwrap_or_default()
    }

    /// What the scanner remembers, and where in its table that lies.
    pub fn scan_records(&self) -> impl Iterator<Item = (usize, Record)> + '_ {
        self.sharing.scanner.iter().flat_map(|scanner| scanner.hints.records())
    }

    /// One bounded step of sharing: a page is looked at, or pairs that were found are merged. False
    /// when there is nothing to do, or nothing yet.
    pub fn share_step<M: Machine>(&mut self, machine: &mut M) -> bool {
        let Some(mut scanner) = self.sharing.scanner.take() else {
            // Pages that are to be put away are gathered first.
            let batch = &self.sharing.candidates;
            return (!batch.is_gathering() || !batch.pairs.is_empty()) && self.merge_step(machine);
        };
        let batch = &self.sharing.candidates;
        let now = machine.now();
        let waits = now.saturating_sub(scanner.gathering_since) > self.config.ticks_per_second / 10;
        let pairs = batch.pairs.len();
        let merge = batch.stage != Stage::Gathering || pairs == MAX_PAIRS || pairs > 0 && waits;
        // What guests have named is not looked for.
        let named = if merge { None } else { scanner.named.pop_front() };
        if let Some((first, second)) = named {
            let _ = self.want_merge_of(machine, Side::Page(first), second, None);
        }
        let scanned = named.is_some()
            || !merge
                && match scanner.look.take() {
                    Some(look) => {
                        scanner.look = self.look_on(machine, &mut scanner, look).more();
                        true
                    }
                    None => self.scan_next(machine, &mut scanner, now),
                };
        if pairs == 0 {
            scanner.gathering_since = now;
        }
        self.sharing.scanner = Some(scanner);
        scanned || merge && self.merge_step(machine)
    }

    /// Looks at the next page, if its turn has come.
    fn scan_next<M: Machine>(&mut self, machine: &M, scanner: &mut Scanner, now: u64) -> bool {
        if self.sharing.records.lengths().0 == 0 && !self.has_spare_frames(1) {
            return false;
        }
        let ticks = self.config.ticks_per_second;
        for _ in 0..SLOTS_A_STEP {
            let slot = Slot(scanner.slot as u16);
            let domain = self.domains[slot.index()].as_ref().filter(|domain| domain.is_running());
            let next = domain.map_or(NextPage::End, |domain| {
                domain.movable.next_mergeable(scanner.page, WORDS_A_STEP)
            });
            let (Some(domain), true) = (domain, next != NextPage::End) else {
                scanner.page = 0;
                scanner.slot = (scanner.slot + 1) % MAX_DOMAINS;
                scanner.counters.passes += u64::from(scanner.slot == 0);
                if scanner.slot == 0 {
                    return false;
                }
                continue;
            };
            match next {
                NextPage::Later(page) => scanner.page = page,
                NextPage::Page(page) => {
                    let ScanConfig { pages_per_second, host_pages_per_second, .. } = scanner.config;
                    let (own, host) = scanner.buckets.split_at_mut(MAX_DOMAINS);
                    let may = own[slot.index()].take(now, pages_per_second, ticks)
                        && host[0].take(now, host_pages_per_second, ticks);
                    if !may {
                        // The others have their turn.
                        scanner.page = page;
                        return false;
                    }
                    scanner.page = page + 1;
                    let name = PageName { domain: domain.id, page: Pfn(page) };
                    scanner.look = self.look_at(machine, scanner, slot, name).more();
                }
                NextPage::End => {}
            }
            return true;
        }
        true
    }

    /// Two pages were merged: what has that hash is a shared frame from now on.
    pub(super) fn note_shared(&mut self, pair: Pair) {
        let (Some(hash), Some(slot)) = (pair.hash, Slot::of(pair.second.domain)) else { return };
        let Some(index) = self.sharing.records.find_page(slot, pair.second.page) else { return };
        let Some(frame) = self.sharing.records.page(index).shared_frame() else { return };
        let Some(shared) = self.frames.shared(frame) else { return };
        let sharers = shared.sharers;
        if let Some(scanner) = &mut self.sharing.scanner {
            scanner.hints.add_frame(hash, frame, sharers);
        }
    }

    /// A guest says what is in a page: it is compared with the page of the group of which the
    /// same was said last.
    pub(crate) fn note_content(&mut self, slot: Slot, page: Pfn, content: u64) {
        let Some(mut scanner) = self.sharing.scanner.take() else { return };
        let hash = scanner.hashing.of_content(self.group_of(slot), content);
        let name = PageName { domain: self.domain(slot).id, page };
        let found = scanner.hints.find(About::Content, hash, (slot, page)).next();
        let other = match found {
            Some(Found::Page(other, page, _)) => self.domains[other.index()]
                .as_ref()
                .map(|domain| PageName { domain: domain.id, page }),
            _ => None,
        };
        match other.filter(|_| scanner.named.len() < MAX_NAMED) {
            Some(other) => {
                scanner.counters.named += 1;
                scanner.named.push_back((other, name));
            }
            None => scanner.hints.add_content(hash, slot, page),
        }
        self.sharing.scanner = Some(scanner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_its_rate_is() {
        let mut bucket = Bucket::default();
        let mut taken = 0;
        for now in 0..10_000 {
            taken += u32::from(bucket.take(now, 100, 1000));
        }
        assert!((999..=1001).contains(&taken), "{taken}");
        // What was not taken for long does not come all at once.
        let burst = (0..1000).filter(|_| bucket.take(1_000_000, 100, 1000)).count();
        assert_eq!(burst, 10);
    }
}
