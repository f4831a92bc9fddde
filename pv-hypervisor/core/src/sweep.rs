//! Which frames of the domains are in use: a sample of them is watched by the accessed bits of the
//! entries that map them.
//!
//! A sweep is a bounded walk that goes on where it was. It knows nothing of a domain's own numbers: it
//! counts the frames that each owns, in the order of the frame table, and watches those whose count
//! was picked. Then it clears the accessed bits of all entries that map them, by an atomic step, as the
//! processor may write the entry at the same time; and a while later it looks which are set.
//!
//! ```text
//!   Picking --all frames--> Clearing --all level-1 tables, flush--> Watching
//!   Watching --look--> Looking --all level-1 tables--> Over
//! ```

use crate::domain::{MAX_DOMAINS, Slot};
use crate::format::{Entry, Format};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use alloc::vec::Vec;
use hypercall_abi::addr::Level;
use hypercall_abi::{DomainId, Mfn};

/// Frames that one step looks at, or entries of one table.
const STEP: usize = 1024;
const ENTRIES: usize = 256;

/// One frame that is to be watched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Watched {
    /// Whose.
    pub domain: DomainId,
    /// Which of its frames, counted from 0 in the order of the frame table.
    pub rank: u64,
    /// The frame, once it was met.
    pub frame: Option<Mfn>,
    /// Whether it was used since its accessed bits were cleared.
    pub touched: bool,
}

impl Watched {
    /// A frame of that rank, of nothing known yet.
    pub const fn new(domain: DomainId, rank: u64) -> Watched {
        Watched { domain, rank, frame: None, touched: false }
    }
}

/// How far a sweep is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Frames of the ranks are looked for.
    Picking,
    /// Accessed bits are cleared.
    Clearing,
    /// Nothing is to be done until [`Sweep::look`].
    Watching,
    /// Accessed bits are looked at.
    Looking,
    /// It is known what was touched.
    Over,
}

/// A sample under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sweep {
    watched: Vec<Watched>,
    /// Indices of `watched` by frame, as the frames become known.
    by_frame: Vec<u32>,
    phase: Phase,
    frame: usize,
    entry: usize,
    /// Frames of each domain that were met, and the next of `watched` that it waits for.
    met: Vec<(u64, usize)>,
}

impl Sweep {
    /// A sweep for these frames. `None`: the heap has no room.
    pub fn new(mut watched: Vec<Watched>) -> Option<Sweep> {
        watched.sort_unstable_by_key(|watched| (watched.domain.0, watched.rank));
        let mut by_frame = Vec::new();
        by_frame.try_reserve_exact(watched.len()).ok()?;
        let mut met = Vec::new();
        met.try_reserve_exact(MAX_DOMAINS).ok()?;
        met.resize(MAX_DOMAINS, (0, usize::MAX));
        for (index, one) in watched.iter().enumerate().rev() {
            if let Some(slot) = Slot::of(one.domain) {
                met[slot.index()].1 = index;
            }
        }
        Some(Sweep { watched, by_frame, phase: Phase::Picking, frame: 0, entry: 0, met })
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The frames, and what is known of them.
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// Ends the watching: the next steps look at what was touched.
    pub fn look(&mut self) {
        if self.phase == Phase::Watching {
            self.begin(Phase::Looking);
        }
    }

    fn begin(&mut self, phase: Phase) {
        (self.phase, self.frame, self.entry) = (phase, 0, 0);
    }

    /// A domain's frame was met.
    fn pick(&mut self, frame: Mfn, owner: DomainId) {
        let Some(slot) = Slot::of(owner) else { return };
        let (count, next) = &mut self.met[slot.index()];
        while let Some(one) = self.watched.get_mut(*next)
            && one.domain == owner
            && one.rank == *count
        {
            one.frame = Some(frame);
            self.by_frame.push(*next as u32);
            *next += 1;
        }
        *count += 1;
    }

    /// The places in `by_frame` at which a frame stands.
    fn places(&self, frame: Mfn) -> core::ops::Range<usize> {
        let of = |index: &u32| self.watched[*index as usize].frame;
        let start = self.by_frame.partition_point(|index| of(index) < Some(frame));
        let length = self.by_frame[start..].iter().take_while(|index| of(index) == Some(frame));
        start..start + length.count()
    }
}

impl<P: Platform> State<P> {
    /// Does a bounded piece of a sweep: at most some 10,000 instructions. Whether there is more to do
    /// now.
    pub fn sweep<M: Machine>(&mut self, machine: &mut M, sweep: &mut Sweep) -> bool {
        match sweep.phase {
            Phase::Picking => {
                let end = (sweep.frame + STEP).min(self.frames.len());
                let base = self.frames.base();
                for index in sweep.frame..end {
                    let frame = Mfn(base.0 + index as u64);
                    if let Ok(Frame::Owned(owned)) = self.frames.get(frame) {
                        sweep.pick(frame, owned.owner);
                    }
                }
                sweep.frame = end;
                if end == self.frames.len() {
                    // They were met in the order of the table.
                    debug_assert!(
                        sweep.by_frame.is_sorted_by_key(|at| sweep.watched[*at as usize].frame)
                    );
                    sweep.begin(Phase::Clearing);
                }
            }
            Phase::Clearing | Phase::Looking => {
                if !self.sweep_tables(machine, sweep) {
                    if sweep.phase == Phase::Clearing {
                        // A cached translation would hide that a page is used.
                        self.tlb.flush(machine);
                        sweep.begin(Phase::Watching);
                    } else {
                        sweep.begin(Phase::Over);
                    }
                }
            }
            Phase::Watching | Phase::Over => {}
        }
        !matches!(sweep.phase, Phase::Watching | Phase::Over)
    }

    /// A piece of the level-1 tables; whether there are more.
    fn sweep_tables<M: Machine>(&self, machine: &mut M, sweep: &mut Sweep) -> bool {
        let (base, end) = (self.frames.base(), self.frames.len());
        let stop = (sweep.frame + STEP).min(end);
        while sweep.frame < stop {
            let table = Mfn(base.0 + sweep.frame as u64);
            let is_table = matches!(
                self.frames.get(table),
                Ok(Frame::Owned(owned)) if owned.is_leaf_table()
            );
            if !is_table {
                sweep.frame += 1;
                continue;
            }
            let entries = P::Format::ENTRIES;
            let to = (sweep.entry + ENTRIES).min(entries);
            for index in sweep.entry..to {
                Self::sweep_entry(machine, sweep, table, index);
            }
            sweep.entry = to % entries;
            sweep.frame += usize::from(to == entries);
            // One piece of a table is as much as many frames that are none.
            return sweep.frame < end;
        }
        sweep.frame < end
    }

    fn sweep_entry<M: Machine>(machine: &mut M, sweep: &mut Sweep, table: Mfn, index: usize) {
        let value = machine.read(table, index);
        if !P::Format::is_present(value) {
            return;
        }
        let clears = sweep.phase == Phase::Clearing;
        if !clears && value & P::Format::ACCESSED == 0 {
            return;
        }
        let Ok(Entry::Leaf(leaf)) = P::Format::decode(value, Level::L1) else { return };
        for place in sweep.places(leaf.frame) {
            let watched = sweep.by_frame[place] as usize;
            if clears {
                machine.fetch_and(table, index, !P::Format::ACCESSED);
            } else {
                sweep.watched[watched].touched = true;
            }
        }
    }
}
