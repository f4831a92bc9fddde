//! A page is put away: its entries are marked, and its frame is the guest's no more.
//!
//! The order is that of a merge. Nothing that was found out before is believed; the entries go
//! first, processors forget what they have cached, and from then on nobody can write the frame.
//! What is in it stays there until it is packed: a page that is used meanwhile has it back at once.

use super::MAX_WANTED;
use crate::format::Format;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::{Away, Backing, Candidates, PageName, is_zero};
use crate::state::State;
use hypercall_abi::Mfn;

/// Why a page stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stays {
    /// It was used lately.
    Used,
    /// It cannot be moved, or there is no room to keep record of it.
    Refused,
}

impl<P: Platform> State<P> {
    /// Puts away a page whose entries were found, if it may be.
    pub(crate) fn put_away<M: Machine>(
        &mut self,
        machine: &mut M,
        candidates: &Candidates,
        name: PageName,
    ) {
        match self.try_put_away(machine, candidates, name) {
            Ok(()) => self.reclaim.counters.put_away += 1,
            Err(Stays::Used) => self.reclaim.counters.used += 1,
            Err(Stays::Refused) => self.reclaim.counters.refused += 1,
        }
    }

    fn try_put_away<M: Machine>(
        &mut self,
        machine: &mut M,
        candidates: &Candidates,
        name: PageName,
    ) -> Result<(), Stays> {
        let candidate = candidates.find(name).ok_or(Stays::Refused)?;
        let own = self.own(machine, candidate).map_err(|_| Stays::Refused)?;
        let mut used = false;
        for place in own.places {
            let bits = !P::Format::ACCESSED;
            let old = machine.fetch_and(place.table, usize::from(place.index), bits);
            used |= old & P::Format::ACCESSED != 0;
        }
        if used {
            return Err(Stays::Used);
        }
        let room = self.sharing.records.make_room(1, own.places.len());
        if !room || self.reclaim.waiting.len() >= MAX_WANTED {
            return Err(Stays::Refused);
        }
        let mut writable = 0u32;
        for (at, place) in own.places.iter().enumerate() {
            let word = usize::from(place.index);
            // The processor may set bits of an entry until it is not present.
            let old = machine.fetch_and(place.table, word, !1);
            machine.exchange(place.table, word, P::Format::away(old));
            writable |= u32::from(old & P::Format::WRITE != 0) << at;
        }
        self.tlb.flush(machine);
        let zeros = is_zero(machine, own.frame);
        self.give_up_entries(own.frame);
        let group = self.group_of(own.slot);
        self.frames.begin_sharing(own.frame, group, zeros);
        let away = if zeros { Away::Zeros } else { Away::Frame(own.frame) };
        let index = self.sharing.records.add_page(own.slot, own.page, Backing::Away(away));
        for (at, place) in own.places.iter().enumerate() {
            self.sharing.records.add_entry(index, *place, writable >> at & 1 != 0);
        }
        self.now_shares(own.slot);
        self.domain(own.slot).movable.write_slot(machine, own.page, Mfn::AWAY);
        if zeros {
            self.reclaim.counters.zeros += 1;
            self.reclaim.fruitless = 0;
            self.frames.drop_sharer(own.frame);
        } else {
            self.reclaim.waiting.push(name);
        }
        Ok(())
    }
}
