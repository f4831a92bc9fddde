//! The core, the modelled machine under it, and two domains: one state of the search, and how
//! a step leads to another.

use crate::action::{Action, Came, Made, Side};
use hypercall_abi::registers::Riscv64Registers;
use hypercall_abi::trap::Cause;
use hypercall_abi::vcpu_page::{MASK_OFFSET, PENDING_OFFSET};
use hypercall_abi::{Features, Mfn, Status};
use pv_core::format::Toy;
use pv_core::frame::Frame;
use pv_core::model::canonical::{Merge, canonical};
use pv_core::model::{ModelMachine, SMALL_FIXED, SmallDomain};
use pv_core::vcpu::RunState;
use pv_core::{
    Bug, Config, EndReason, Entry, Machine, Outcome, Region, RegionKind, Slot, State, ToyPlatform,
    Trap, audit,
};
use std::fmt;
use std::sync::Arc;

mod arguments;

/// A frame of the hypervisor's: the first of the machine.
pub const HYPERVISOR: u8 = 0;
/// A number that no frame has.
pub const NO_FRAME: u8 = 200;
/// Where a guest kernel is when it makes a call, and its stack.
const KERNEL_PC: u64 = 0x100;
const KERNEL_SP: u64 = 0x800;
/// Ticks of a slice, and until a timer fires.
const SLICE: u64 = 20;
const SOON: u64 = 10;

/// What is in the machine at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Pages of each domain, beside its interface frames and its two tables.
    pub pages: [u64; 2],
    /// Frames that nobody owns.
    pub free: u64,
}

impl Size {
    /// Frames that can change hands or type: tables, pages, free ones.
    pub fn frames_in_play(self) -> u64 {
        self.pages.iter().sum::<u64>() + 2 * 2 + self.free
    }
}

/// An invariant that does not hold, or a panic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Its name: `I16`.
    pub invariant: String,
    /// What is wrong.
    pub what: String,
}

impl Broken {
    /// A call that goes on and does nothing.
    pub fn no_progress() -> Broken {
        Broken::new("I43", "the call makes no progress")
    }

    fn new(invariant: &str, what: impl fmt::Display) -> Broken {
        Broken { invariant: invariant.to_owned(), what: what.to_string() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// One state.
#[derive(Clone)]
pub struct World {
    /// The core's.
    pub state: State<ToyPlatform>,
    /// The machine's.
    pub machine: ModelMachine<Toy>,
    /// Where things were in the domains at the start.
    pub domains: Arc<[SmallDomain; 2]>,
    registers: [Riscv64Registers; 2],
}

impl World {
    /// A machine of that size with two domains, one unit of work an entry.
    ///
    /// # Panics
    /// When the core does not build it.
    pub fn new(size: Size, bug: Option<Bug>) -> World {
        let config = Config {
            ticks_per_second: 1000,
            slice_ticks: SLICE,
            scatter_stride: 1,
            features: Features::empty(),
        };
        let owned = size.pages.map(|pages| pages + SMALL_FIXED);
        let all = owned.iter().sum::<u64>() + size.free;
        let memory = [
            Region { start: Mfn(HYPERVISOR.into()), count: 1, kind: RegionKind::Hypervisor },
            Region { start: Mfn(u64::from(HYPERVISOR) + 1), count: all, kind: RegionKind::Free },
        ];
        let mut state = State::new(config, &memory).expect("the memory is usable");
        let mut machine = ModelMachine::default();
        let domains = size.pages.map(|pages| {
            // A domain may own every page there is.
            let built = state.create_small_domain(&mut machine, pages, all);
            built.expect("the domains fit")
        });
        state.set_budget(1);
        if let Some(bug) = bug {
            state.plant(bug);
        }
        let registers = [Self::at_rest(), Self::at_rest()];
        let mut world = World { state, machine, domains: Arc::new(domains), registers };
        world.state.switch_to(&mut world.machine, world.domains[0].slot);
        world.machine.cache_all();
        world
    }

    fn at_rest() -> Riscv64Registers {
        Riscv64Registers { pc: KERNEL_PC, sp: KERNEL_SP, ..Default::default() }
    }

    /// Makes this world equal to another.
    pub fn copy_from(&mut self, other: &World) {
        let World { state, machine, domains, registers } = other;
        self.state.copy_from(state);
        self.machine.clone_from(machine);
        self.domains.clone_from(domains);
        self.registers.clone_from(registers);
    }

    /// The bytes of the state, as far as it matters.
    pub fn canonical(&self, merge: Merge, out: &mut Vec<u8>) {
        canonical(&self.state, &self.machine, merge, out);
    }

    /// The place of a domain.
    pub fn slot(&self, side: Side) -> Slot {
        self.domains[side].slot
    }

    /// Whether a domain has not ended.
    pub fn is_running(&self, side: Side) -> bool {
        self.state.domain_of(self.domains[side].id).is_some_and(|domain| domain.is_running())
    }

    /// Domains that have ended so far.
    pub fn ended(&self) -> usize {
        (0..2).filter(|side| !self.is_running(*side)).count()
    }

    /// Whether the vCPU of a domain could run now.
    pub fn is_runnable(&self, side: Side) -> bool {
        self.is_running(side) && self.state.vcpu(self.slot(side)).state == RunState::Runnable
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Broken`], when it shows a domain what another has left.
    pub fn step(&mut self, action: Action) -> Result<Came, Broken> {
        let before = self.owners();
        let came = self.act(action);
        for (frame, owner) in self.owners().iter().enumerate() {
            if *owner != 0 && before[frame] == 0 && !self.machine.is_zero(Mfn(frame as u64)) {
                let what = format_args!("frame {frame} has a new owner and old content");
                return Err(Broken::new("I29", what));
            }
        }
        self.machine.cache_all();
        Ok(came)
    }

    /// The owner of each frame, 0 for nobody.
    fn owners(&self) -> [u16; 32] {
        let mut owners = [0; 32];
        for (owner, (_, frame)) in owners.iter_mut().zip(self.state.frames.iter()) {
            if let Frame::Owned(owned) = frame {
                *owner = owned.owner.0;
            }
        }
        owners
    }

    fn act(&mut self, action: Action) -> Came {
        match action {
            Action::Call(by, call) => self.call(by.into(), call),
            Action::GoOn(by) => {
                let side = Side::from(by);
                let slot = self.slot(side);
                self.state.switch_to(&mut self.machine, slot);
                let registers = &mut self.registers[side];
                let outcome = self.state.resume(&mut self.machine, slot, registers);
                self.after(side, outcome)
            }
            Action::Write { by, frame, word, value } => {
                if self.turn_to(by.into()) {
                    self.machine.write(Mfn(frame.into()), word.into(), value.0.into());
                }
                Came::Nothing
            }
            Action::Scribble { of, word, value } => {
                let arguments = self.domains[Side::from(of)].arguments;
                self.machine.write(arguments, word.into(), value.0.into());
                Came::Nothing
            }
            Action::ForgeTrapFrame(by) => {
                if self.turn_to(by.into()) {
                    self.forge_trap_frame(by.into());
                }
                Came::Nothing
            }
            Action::Trap(by) => {
                let side = Side::from(by);
                if !self.turn_to(side) {
                    return Came::Left;
                }
                self.registers[side] = Self::at_rest();
                let (slot, registers) = (self.slot(side), &mut self.registers[side]);
                let trap = Trap { cause: Cause::SystemCall, code: 0, address: 0 };
                let outcome =
                    self.state.enter(&mut self.machine, slot, registers, Entry::Trap(trap));
                if outcome == Outcome::Return { Came::Nothing } else { Came::Left }
            }
            Action::End(of) => {
                let id = self.domains[Side::from(of)].id;
                self.state.end_domain(&mut self.machine, id, EndReason::Destroyed);
                Came::Nothing
            }
            Action::Schedule => {
                let _ = self.state.schedule(&mut self.machine);
                Came::Nothing
            }
            Action::Alarm => {
                let wait = self.machine.alarm.saturating_sub(self.machine.now());
                self.machine.advance(wait);
                self.state.alarm(&mut self.machine);
                Came::Nothing
            }
        }
    }

    /// Gives the processor to a domain that is not in a call; what is due is delivered first.
    /// False when the domain is no longer there to use it.
    fn turn_to(&mut self, side: Side) -> bool {
        let slot = self.slot(side);
        if self.state.scheduler.current() != Some(slot) {
            self.state.switch_to(&mut self.machine, slot);
            self.registers[side] = Self::at_rest();
            let registers = &mut self.registers[side];
            let _ = self.state.resume(&mut self.machine, slot, registers);
        }
        self.is_runnable(side)
    }

    fn call(&mut self, side: Side, call: Made) -> Came {
        if !self.turn_to(side) {
            return Came::Left;
        }
        let args = self.arguments(side, call);
        let [a0, a1, a2, a3, a4, a5] = args;
        let a7 = call.number() as u64;
        self.registers[side] = Riscv64Registers { a0, a1, a2, a3, a4, a5, a7, ..Self::at_rest() };
        let (slot, registers) = (self.slot(side), &mut self.registers[side]);
        let outcome = self.state.enter(&mut self.machine, slot, registers, Entry::Call);
        self.after(side, outcome)
    }

    /// After an entry by a call: what it came to. The argument frame of a call that is over is
    /// cleared, as a tidy guest would, so that it is the same state again.
    fn after(&mut self, side: Side, outcome: Outcome) -> Came {
        if !self.is_running(side) {
            return Came::Left;
        }
        let vcpu = self.state.vcpu(self.slot(side));
        if vcpu.is_in_call() {
            return Came::GoesOn;
        }
        let arguments = vcpu.arguments;
        for word in 0..16 {
            if self.machine.read(arguments, word) != 0 {
                self.machine.write(arguments, word, 0);
            }
        }
        if outcome == Outcome::Reschedule {
            return Came::Left;
        }
        let registers = &self.registers[side];
        Came::Returned(Status(registers.a0), registers.a1)
    }

    /// Recomputes every invariant.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn audit(&self) -> Result<(), Broken> {
        let state = audit::audit(&self.state, &self.machine);
        let cached = || audit::audit_translations(&self.state, &self.machine);
        if let Err(violation) = state.and_then(|()| cached()) {
            let invariant = format!("I{}", violation.invariant);
            let named = violation.frame.map(|frame| format!(", frame {}", frame.0));
            let named = named.or(violation.domain.map(|domain| format!(", dom{}", domain.0)));
            let what = format!("{}{}", violation.what, named.unwrap_or_default());
            return Err(Broken::new(&invariant, what));
        }
        for (frame, entry) in self.state.frames.iter() {
            if matches!(entry, Frame::Free { .. }) && !self.machine.is_zero(frame) {
                let what = format_args!("frame {} is free and not filled with zeros", frame.0);
                return Err(Broken::new("I17", what));
            }
        }
        for (slot, vcpu) in self.state.vcpus() {
            if vcpu.state == RunState::Blocked && self.is_event_pending(vcpu.page) {
                let domain = self.state.domain(slot).id.0;
                let what = format_args!("dom{domain} sleeps and an event for it is pending");
                return Err(Broken::new("I34", what));
            }
        }
        Ok(())
    }

    fn is_event_pending(&self, page: Mfn) -> bool {
        let word = |offset: usize| self.machine.read(page, offset / 8);
        word(PENDING_OFFSET) & !word(MASK_OFFSET) != 0
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, domain) in self.domains.iter().enumerate() {
            let pages: Vec<String> = domain.pages.iter().map(|page| page.0.to_string()).collect();
            let SmallDomain { page, arguments, root, table, .. } = domain;
            write!(f, "dom{}: root {}, table {}, ", side + 1, root.0, table.0)?;
            write!(f, "pages {}, ", pages.join(" "))?;
            write!(f, "vCPU page {}, argument frame {}; ", page.0, arguments.0)?;
        }
        write!(f, "frame {HYPERVISOR} is the hypervisor's")
    }
}
