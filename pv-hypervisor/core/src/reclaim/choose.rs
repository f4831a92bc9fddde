//! Which pages are taken: of the domains over their limits, in turn, pages at random. One that was
//! used since it was chosen last is passed over.

use super::MAX_WANTED;
use crate::domain::{MAX_DOMAINS, Slot};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::{Looked, NextPage, PageName};
use crate::state::State;
use hypercall_abi::Pfn;

/// Words of a domain's advice that one choice looks at.
const WORDS: usize = 64;

/// After so many choices of which nothing came the next waits for a hundredth of a second.
const FRUITLESS: u32 = 4 * MAX_WANTED as u32;

impl<P: Platform> State<P> {
    /// One bounded step of taking frames by force. False when there is nothing to do, or nothing
    /// yet.
    pub fn reclaim_step<M: Machine>(&mut self, machine: &mut M) -> bool {
        if self.end_transfers(machine) || self.pack_step(machine) {
            return true;
        }
        if !self.reclaim.is_on {
            return false;
        }
        if self.sharing.candidates.is_gathering() {
            if self.choose_page(machine) {
                return true;
            }
            // The batch is full, or nobody is over the limit any more.
            if !self.sharing.candidates.wants_any() {
                return false;
            }
        }
        self.merge_step(machine)
    }

    /// Chooses the next page. False when none is wanted, or none now.
    fn choose_page<M: Machine>(&mut self, machine: &mut M) -> bool {
        let now = machine.now();
        if now < self.reclaim.rests_until || !self.sharing.candidates.has_room_for_want() {
            return false;
        }
        if let Some(look) = self.reclaim.look.take() {
            let name = look.name;
            let looked = self.share_further(machine, look);
            self.share_or_put_away(machine, name, looked);
            return true;
        }
        if self.reclaim.fruitless >= FRUITLESS {
            self.reclaim.fruitless = 0;
            self.reclaim.rests_until = now.saturating_add(self.config.ticks_per_second / 100);
            return false;
        }
        let mut limited = false;
        for turn in 0..MAX_DOMAINS {
            let slot = Slot(((self.reclaim.turn + turn) % MAX_DOMAINS) as u16);
            let Some(domain) = self.domains[slot.index()].as_ref() else { continue };
            let Some(limit) = domain.movable.limit.filter(|_| domain.is_running()) else {
                continue;
            };
            limited = true;
            let going = self.sharing.candidates.wanted_of(domain.id) as u64;
            if domain.frames.saturating_sub(going) <= limit || domain.movable.pages() == 0 {
                continue;
            }
            let (id, pages) = (domain.id, domain.movable.pages());
            let from = next_random(&mut self.reclaim.random) % pages;
            let found = domain.movable.next_mergeable(from, WORDS);
            self.reclaim.turn = (slot.index() + 1) % MAX_DOMAINS;
            self.reclaim.fruitless += 1;
            if let NextPage::Page(page) = found {
                let name = PageName { domain: id, page: Pfn(page) };
                let looked = self.share_now(machine, slot, name);
                self.share_or_put_away(machine, name, looked);
            }
            return true;
        }
        self.reclaim.is_on = limited;
        false
    }

    /// A page that cannot be shared is put away.
    fn share_or_put_away<M: Machine>(&mut self, machine: &M, name: PageName, looked: Looked) {
        match looked {
            Looked::More(look) => self.reclaim.look = Some(look),
            Looked::Pair => {}
            Looked::Nothing => self.want_away(machine, name),
        }
    }
}

/// The next number of a generator: Marsaglia's xorshift of 64 bits.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
