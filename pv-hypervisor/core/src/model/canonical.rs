//! A state as bytes, the same for states that differ only in what no decision depends on: for
//! a search that visits each state once.
//!
//! Left out is what only counts (calls, refusals, traps, ticks, peaks), what never changes in
//! a search (configuration, names, limits), registers, and how far clocks and generations have
//! run: an epoch is whether a flush is still due, a deadline is a distance from now. Every
//! struct is taken apart field by field, so that a new field is a compile error here.
//!
//! What is written otherwise can be *renamed*: frames are numbered in the order in which they
//! are met, domains in whichever order gives the smaller bytes. Equal bytes mean that one
//! state becomes the other by renaming; the book's page on checking says when such states
//! behave alike.

use super::ModelMachine;
use crate::call::BatchCursor;
use crate::domain::{Domain, Life, Slot};
use crate::event::PortState;
use crate::frame::Frame;
use crate::grant::{Grant, Handle};
use crate::machine::Machine;
use crate::platform::{Platform, Registers};
use crate::sched::Scheduler;
use crate::state::State;
use crate::teardown::Teardown;
use crate::vcpu::{Mode, RunState, Vcpu};
use alloc::vec::Vec;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::trap::{TRAP_FRAMES, TrapHeader};
use hypercall_abi::vcpu_page::{MASK_OFFSET, PENDING_OFFSET, TRAP_FRAMES_OFFSET};
use hypercall_abi::{DomainId, Mfn};

mod frames;
mod work;

/// Frames that a machine may have.
const MAX_FRAMES: usize = 64;
/// Slots that are looked at: a search has two domains.
const SLOTS: usize = 2;
/// Words of an argument frame that calls of a search use.
const ARGUMENT_WORDS: usize = 32;
const NO_LABEL: u8 = 0xff;

/// Which states are taken for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Merge {
    /// Those that differ in which domain is which. Only where at most one of them ends: the
    /// core takes ended domains apart in the order of their slots.
    pub domains: bool,
    /// Those that differ in which frame is which. Only where no domain ends: the core meets
    /// the frames of an ended domain in the order of their numbers.
    pub frames: bool,
}

impl Merge {
    /// Every state is its own.
    pub const NONE: Merge = Merge { domains: false, frames: false };
}

/// Writes the bytes of a state of at most two domains, in the first two slots, into `out`.
///
/// # Panics
/// When the state is larger, or merges what it must not.
pub fn canonical<P: Platform>(
    state: &State<P>,
    machine: &ModelMachine<P::Format>,
    merge: Merge,
    out: &mut Vec<u8>,
) {
    assert!(state.frames.len() <= MAX_FRAMES, "a search has few frames");
    assert!(state.ending == 0 || !merge.frames, "frames are merged and a domain ends");
    out.clear();
    let encode = |place: [u8; SLOTS], bytes| {
        let mut encoder = Encoder::new(state, machine, merge.frames, place, bytes);
        encoder.state();
        encoder.out
    };
    let bytes = core::mem::take(out);
    *out = match state.scheduler.current {
        // The domain that has the processor comes first.
        Some(Slot(1)) if merge.domains => encode([1, 0], bytes),
        Some(_) => encode([0, 1], bytes),
        None if merge.domains => encode([0, 1], bytes).min(encode([1, 0], Vec::new())),
        None => encode([0, 1], bytes),
    };
}

struct Encoder<'a, P: Platform> {
    state: &'a State<P>,
    machine: &'a ModelMachine<P::Format>,
    /// Places of the two slots in the bytes.
    place: [u8; SLOTS],
    /// By index into the frame table.
    labels: [u8; MAX_FRAMES],
    /// Frames in the order of their labels.
    met: heapless::Vec<u8, MAX_FRAMES>,
    out: Vec<u8>,
}

impl<'a, P: Platform> Encoder<'a, P> {
    fn new(
        state: &'a State<P>,
        machine: &'a ModelMachine<P::Format>,
        merge_frames: bool,
        place: [u8; SLOTS],
        out: Vec<u8>,
    ) -> Self {
        let labels = [NO_LABEL; MAX_FRAMES];
        let mut encoder = Encoder { state, machine, place, labels, met: heapless::Vec::new(), out };
        for (frame, entry) in state.frames.iter() {
            if !merge_frames || matches!(entry, Frame::Hypervisor | Frame::Reserved) {
                let _ = encoder.label(frame);
            }
        }
        encoder
    }

    fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    fn flag(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    fn number(&mut self, value: u64) {
        // Nearly every number is small.
        match u8::try_from(value) {
            Ok(small) if small < 0xff => self.out.push(small),
            _ => {
                self.out.push(0xff);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    fn length(&mut self, value: usize) {
        self.number(value as u64);
    }

    fn index(&self, frame: Mfn) -> Option<usize> {
        let index = frame.0.checked_sub(self.state.frames.base().0)?;
        usize::try_from(index).ok().filter(|index| *index < self.state.frames.len())
    }

    /// The label of a frame, which gets one if it has none.
    fn label(&mut self, frame: Mfn) -> Option<u8> {
        let index = self.index(frame)?;
        if self.labels[index] == NO_LABEL {
            self.labels[index] = self.met.len() as u8;
            let _ = self.met.push(index as u8);
        }
        Some(self.labels[index])
    }

    fn frame(&mut self, frame: Mfn) {
        match self.label(frame) {
            Some(label) => self.byte(label),
            None => {
                self.byte(NO_LABEL);
                self.number(frame.0);
            }
        }
    }

    fn optional_frame(&mut self, frame: Option<Mfn>) {
        self.flag(frame.is_some());
        if let Some(frame) = frame {
            self.frame(frame);
        }
    }

    /// A word that may be an entry: a frame from bit 8 on.
    fn word(&mut self, value: u64) {
        self.byte(value as u8);
        self.frame(Mfn(value >> 8));
    }

    fn slot(&mut self, slot: Option<Slot>) {
        let place = slot.map(|slot| self.place.get(slot.index()).copied().unwrap_or(SLOTS as u8));
        self.byte(place.unwrap_or(NO_LABEL));
    }

    fn domain_id(&mut self, id: DomainId) {
        self.slot(Slot::of(id));
    }

    fn distance(&mut self, deadline: u64) {
        self.number(deadline.saturating_sub(self.machine.now()));
    }

    fn state(&mut self) {
        let State {
            config: _,
            frames,
            tlb,
            scheduler,
            domains,
            vcpus,
            used_slots: _,
            identities: _,
            initial_frames: _,
            earliest_deadline,
            gone: _,
            ending,
            budget: _,
            sharing,
            reclaim: _,
            planted: _,
            platform: _,
        } = self.state;
        assert!(sharing.records.is_empty(), "nothing is shared in a search");
        let mut order = [0, 1];
        order.sort_by_key(|slot: &usize| self.place[*slot]);
        for slot in order {
            self.flag(domains[slot].is_some());
            if let Some(domain) = &domains[slot] {
                self.domain(domain);
            }
            self.flag(vcpus[slot].is_some());
            if let Some(vcpu) = &vcpus[slot] {
                self.vcpu(vcpu);
            }
        }
        self.scheduler(scheduler);
        self.distance(*earliest_deadline);
        self.length(*ending);
        self.optional_frame(tlb.root());
        for free in [true, false] {
            self.length(frames.walk_list(free).count());
            frames.walk_list(free).for_each(|frame| self.frame(frame));
        }
        self.frames();
        self.cache();
    }

    fn scheduler(&mut self, scheduler: &Scheduler) {
        let Scheduler { queue, current, slice_end, slice_ticks: _, started: _, alarm } = scheduler;
        self.length(queue.len());
        for slot in queue {
            self.slot(Some(*slot));
        }
        self.slot(*current);
        self.distance(*slice_end);
        self.distance(*alarm);
        self.distance(self.machine.alarm);
    }

    fn domain(&mut self, domain: &Domain) {
        let Domain {
            id: _,
            name: _,
            life,
            frames,
            max_frames: _,
            tables,
            pinned,
            grants,
            handles,
            ports,
            balloon,
            console_input,
            watchdog_ticks: _,
            movable,
            counters: _,
        } = domain;
        // Advice decides nothing where nothing is shared.
        self.length(movable.p2m().len());
        movable.p2m().iter().for_each(|frame| self.frame(*frame));
        for count in [frames, tables, pinned] {
            self.number(*count);
        }
        // Nothing depends on what a guest was told or says of its memory.
        self.number(balloon.reported_frames);
        self.length(grants.len());
        for (number, Grant { grantee, frame, access, mapped }) in grants.iter() {
            self.number(u64::from(number.0));
            self.domain_id(*grantee);
            self.frame(*frame);
            self.flag(*access == Access::ReadWrite);
            self.flag(*mapped);
        }
        self.length(handles.len());
        for (name, Handle { granter, grant, frame, access, entries }) in handles.iter() {
            self.number(u64::from(name.slot()));
            self.domain_id(*granter);
            self.number(u64::from(grant.0));
            self.frame(*frame);
            self.flag(*access == Access::ReadWrite);
            self.number(u64::from(*entries));
        }
        self.length(ports.len());
        for (port, end) in ports.iter() {
            self.number(u64::from(port.0));
            match end {
                PortState::Closed => self.byte(0),
                PortState::WellKnown => self.byte(1),
                PortState::Unbound(binder) => {
                    self.byte(2);
                    self.domain_id(binder);
                }
                PortState::Bound(other, port) => {
                    self.byte(3);
                    self.domain_id(other);
                    self.number(u64::from(port.0));
                }
            }
        }
        self.length(console_input.len());
        self.out.extend(console_input);
        match life {
            Life::Running => self.byte(0),
            Life::Ending { reason: _, teardown } => self.teardown(teardown),
        }
    }

    fn teardown(&mut self, teardown: &Teardown) {
        match teardown {
            Teardown::Call => self.byte(1),
            Teardown::Roots(roots) => {
                self.byte(2);
                self.length(roots.0.len());
                roots.0.iter().for_each(|walk| self.walk(walk));
            }
            Teardown::Pins { cursor, walk } => {
                self.byte(3);
                self.length(*cursor);
                self.optional_walk(walk.0.as_ref());
            }
            Teardown::Links => self.byte(4),
            Teardown::Frames { cursor } => {
                self.byte(5);
                self.length(*cursor);
            }
            Teardown::Names { cursor } => {
                self.byte(7);
                self.length(*cursor);
            }
            Teardown::Shares { cursor } => {
                self.byte(8);
                self.length(*cursor);
            }
            Teardown::Lingering => self.byte(6),
            Teardown::Spare { .. } => unreachable!("nothing is kept in a search"),
        }
    }

    fn vcpu(&mut self, vcpu: &Vcpu) {
        let Vcpu {
            state,
            mode,
            kernel_root,
            user_root,
            page,
            arguments,
            traps,
            deadline,
            waits_for_frame,
            work,
            batch,
            calls: _,
            calls_before: _,
            quiet_ticks: _,
        } = vcpu;
        self.byte(match state {
            RunState::Runnable => 0,
            RunState::Blocked => 1,
            RunState::Stopped => 2,
        });
        self.flag(*mode == Mode::User);
        self.flag(*waits_for_frame);
        self.frame(*page);
        self.frame(*arguments);
        self.optional_frame(*kernel_root);
        self.optional_frame(*user_root);
        self.flag(traps.is_some());
        self.flag(deadline.is_some());
        self.distance(deadline.unwrap_or(0));
        self.vcpu_page(*page);
        self.flag(batch.is_some());
        if let Some(BatchCursor { next, count }) = batch {
            self.number(*next);
            self.number(*count);
        }
        self.flag(work.is_some());
        if let Some(work) = work {
            self.work(*arguments, work, batch.is_some());
        }
    }

    /// What the core reads of a vCPU page: its header, the bits of its first ports, and where
    /// the frames below the depth return to.
    fn vcpu_page(&mut self, page: Mfn) {
        for word in [0, 1, 2, PENDING_OFFSET / 8, MASK_OFFSET / 8] {
            let value = self.machine.read(page, word);
            self.number(value);
        }
        let depth = self.machine.read(page, 2).min(u64::from(TRAP_FRAMES)) as usize;
        let words = size_of::<TrapHeader>() / 8 + <P::Registers as Registers>::WORDS;
        for frame in 0..depth {
            let header = self.machine.read(page, TRAP_FRAMES_OFFSET / 8 + frame * words);
            self.number(header >> 32);
        }
    }
}
