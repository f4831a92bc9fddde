//! Runs the domains on the core, as the hypervisor image and their guest kernels would.

use conformance::{Message, Side};
use hypercall_abi::{
    Mfn, Status, VirtAddr,
    calls::{Args, Call, TrapRegister, TrapReturn},
    start_info::VCPU_PAGE_PFN,
    trap::{Cause, CauseBits},
    vcpu_page::{
        EVENT_WORDS, EVENTS_PENDING_OFFSET, MASK_OFFSET, PENDING_OFFSET, TRAP_DEPTH_OFFSET,
        TRAP_FRAMES_OFFSET,
    },
};
use pv_core::{
    Entry, Machine, Next, Outcome, Registers, State, Trap, audit,
    frame::{COUNT_MAX, Frame},
    model::{ModelMachine, Pretence},
};

use crate::{
    cpu::Cpu,
    world::{self, CALL_SITE, CALL_TICKS, Domain, SLICE_TICKS, TRAP_ENTRY, TRAP_STACK},
};

/// Steps after which a call that has not returned never will.
const PATIENCE: u32 = 10_000;

/// The core on a model of a machine, with a domain under test and its peers.
pub struct Host<P: Cpu> {
    pub(crate) state: State<P>,
    pub(crate) machine: ModelMachine<P::Format>,
    /// In the order of their sides; the third is made when it is asked for.
    pub(crate) domains: Vec<Domain<P>>,
    /// What the core is made to believe, and of which frame. The audit sees the truth.
    pub(crate) pretended: Option<(Mfn, Pretence)>,
    pub(crate) complaint: Option<Message>,
}

/// What a trap entry found.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) cause: Option<Cause>,
    pub(crate) code: u64,
    pub(crate) address: u64,
}

impl<P: Cpu> Host<P> {
    /// A fresh machine with fresh domains.
    pub fn new() -> Host<P> {
        let (state, machine) = world::machine::<P>();
        let domains = Vec::new();
        let mut host = Host { state, machine, domains, pretended: None, complaint: None };
        host.add(Side::Own);
        host.add(Side::Peer);
        host
    }

    /// Adds the domain of the next side, with its trap entry.
    pub(crate) fn add(&mut self, side: Side) {
        assert_eq!(self.domains.len(), side.index(), "sides are added in their order");
        let domain = world::domain(&mut self.state, &mut self.machine, side);
        self.domains.push(domain);
        let entry = TrapRegister { entry: VirtAddr(TRAP_ENTRY), stack: VirtAddr(TRAP_STACK) };
        let (status, _) = self.make_call(side, TrapRegister::NUMBER as u64, &entry.encode());
        assert_eq!(status, Status::SUCCESS, "a trap entry can be registered");
    }

    pub(crate) fn complain(&mut self, arguments: std::fmt::Arguments<'_>) {
        if self.complaint.is_none() {
            self.complaint = Some(Message::new(arguments));
        }
    }

    fn audit(&mut self) {
        if let Some((frame, pretence)) = self.pretended {
            if let Ok(Frame::Owned(owned)) = self.state.frames.get(frame)
                && owned.references > COUNT_MAX
            {
                let references = owned.references;
                self.complain(format_args!("I6: {references} references to frame {:#x}", frame.0));
            }
            self.state.confess(frame, pretence);
        }
        if let Err(violation) = audit::audit(&self.state, &self.machine) {
            self.complain(format_args!("{violation}"));
        }
        if let Err(violation) = audit::audit_translations(&self.state, &self.machine) {
            self.complain(format_args!("{violation}"));
        }
        if let Some((frame, pretence)) = self.pretended {
            self.state.pretend(frame, pretence);
        }
    }

    /// Whether the domain of that side is there and runs.
    pub(crate) fn lives(&self, side: Side) -> bool {
        let domain = &self.domains[side.index()];
        self.state
            .domains()
            .any(|(slot, found)| slot == domain.slot && found.id == domain.id && found.is_running())
    }

    /// Makes a call from the domain's kernel and goes on until it has returned. The status is
    /// [`GONE`](conformance::caller::GONE) if it never will.
    pub(crate) fn make_call(&mut self, side: Side, number: u64, args: &Args) -> (Status, u64) {
        if !self.lives(side) {
            return (conformance::caller::GONE, 0);
        }
        self.turn_to(side);
        self.pass_time();
        let domain = &mut self.domains[side.index()];
        domain.registers.set_call(number, args);
        domain.registers.set_pc(CALL_SITE);
        let outcome = self.enter(side, Entry::Call);
        if !self.settle(side, outcome) {
            return (conformance::caller::GONE, 0);
        }
        self.domains[side.index()].registers.result()
    }

    /// Delivers a trap of the processor to the domain's kernel, which notes what it finds and
    /// returns with `updates` updates.
    pub(crate) fn trap(&mut self, side: Side, trap: Trap, updates: u64) -> Option<Found> {
        self.domains[side.index()].registers.set_pc(CALL_SITE);
        let outcome = self.enter(side, Entry::Trap(trap));
        if outcome != Outcome::Return || !self.is_in_trap(side) {
            self.complain(format_args!("{trap:?} was not delivered: {outcome:?}"));
            return None;
        }
        let found = self.take_trap(side, updates);
        if found.is_none() {
            self.complain(format_args!("the trap entry found no frame for {trap:?}"));
        }
        found
    }

    fn enter(&mut self, side: Side, entry: Entry) -> Outcome {
        let domain = &mut self.domains[side.index()];
        let outcome =
            self.state.enter(&mut self.machine, domain.slot, &mut domain.registers, entry);
        self.audit();
        outcome
    }

    /// Gives the processor to a domain, if another has it.
    pub(crate) fn turn_to(&mut self, side: Side) {
        let slot = self.domains[side.index()].slot;
        for _ in 0..PATIENCE {
            if self.state.scheduler.current() == Some(slot) {
                return;
            }
            self.machine.advance(SLICE_TICKS + 1);
            let _ = self.state.schedule(&mut self.machine);
        }
        self.complain(format_args!("{side:?} is never scheduled"));
    }

    /// A moment passes; if the alarm is due, its interrupt comes.
    pub(crate) fn pass_time(&mut self) {
        self.machine.advance(CALL_TICKS);
        if self.machine.now() >= self.machine.alarm {
            self.state.alarm(&mut self.machine);
        }
    }

    /// Goes on after an entry until the domain is back behind its call. `false`: it never
    /// will be.
    fn settle(&mut self, side: Side, mut outcome: Outcome) -> bool {
        let slot = self.domains[side.index()].slot;
        for _ in 0..PATIENCE {
            if outcome == Outcome::Return {
                if !self.is_in_trap(side) {
                    return true;
                }
                match self.take_trap(side, 0) {
                    Some(Found { cause: Some(Cause::Event), .. }) => continue,
                    _ => {
                        self.complain(format_args!("a trap during a call"));
                        return true;
                    }
                }
            }
            match self.state.schedule(&mut self.machine) {
                Next::Run(next) if next == slot && self.lives(side) => {
                    let domain = &mut self.domains[side.index()];
                    let registers = &mut domain.registers;
                    outcome = self.state.resume(&mut self.machine, slot, registers);
                }
                // The other domain's kernel does nothing, for as long as it may.
                Next::Run(_) => self.machine.advance(SLICE_TICKS + 1),
                Next::Idle if self.machine.alarm != u64::MAX => {
                    let wait = self.machine.alarm.saturating_sub(self.machine.now());
                    self.machine.advance(wait);
                    self.state.alarm(&mut self.machine);
                }
                Next::Busy => {}
                Next::Idle | Next::Finished => return false,
            }
            self.audit();
            if !self.lives(side) {
                return false;
            }
        }
        false
    }

    fn is_in_trap(&self, side: Side) -> bool {
        self.domains[side.index()].registers.pc() == TRAP_ENTRY
    }

    pub(crate) fn vcpu_word(&self, side: Side, offset: usize) -> u64 {
        let page = self.domains[side.index()].first_frames[VCPU_PAGE_PFN.0 as usize];
        self.machine.read(page, offset / 8)
    }

    fn set_vcpu_word(&mut self, side: Side, offset: usize, value: u64) {
        let page = self.domains[side.index()].first_frames[VCPU_PAGE_PFN.0 as usize];
        self.machine.write(page, offset / 8, value);
    }

    /// What the trap entry does: reads the frame, takes events, and leaves by `trap_return`.
    fn take_trap(&mut self, side: Side, updates: u64) -> Option<Found> {
        let depth = self.vcpu_word(side, TRAP_DEPTH_OFFSET);
        let frame_bytes = 32 + 8 * <P::Registers as Registers>::WORDS;
        let base = TRAP_FRAMES_OFFSET + depth.checked_sub(1)? as usize * frame_bytes;
        let cause = self.vcpu_word(side, base) as u32;
        let found = Found {
            cause: CauseBits(cause).decode(),
            code: self.vcpu_word(side, base + 8),
            address: self.vcpu_word(side, base + 16),
        };
        if found.cause == Some(Cause::Event) {
            self.set_vcpu_word(side, EVENTS_PENDING_OFFSET, 0);
            for word in 0..EVENT_WORDS {
                let pending = self.vcpu_word(side, PENDING_OFFSET + 8 * word);
                let masked = self.vcpu_word(side, MASK_OFFSET + 8 * word);
                self.set_vcpu_word(side, PENDING_OFFSET + 8 * word, pending & masked);
                self.domains[side.index()].taken[word] |= pending & !masked;
            }
        }
        let call = TrapReturn { count: updates };
        let domain = &mut self.domains[side.index()];
        domain.registers.set_call(TrapReturn::NUMBER as u64, &call.encode());
        let mut outcome = self.enter(side, Entry::Call);
        let slot = self.domains[side.index()].slot;
        while outcome == Outcome::Reschedule {
            self.turn_to(side);
            let registers = &mut self.domains[side.index()].registers;
            outcome = self.state.resume(&mut self.machine, slot, registers);
            self.audit();
        }
        // The return may have delivered an event at once.
        if self.is_in_trap(side) && self.vcpu_word(side, TRAP_DEPTH_OFFSET) >= depth {
            self.take_trap(side, 0)?;
        }
        Some(found)
    }
}

impl<P: Cpu> Default for Host<P> {
    fn default() -> Self {
        Host::new()
    }
}
