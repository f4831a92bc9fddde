//! Small domains on the model machine, and the calls they make: what the tests of the core in
//! `tests/` stand on, those of what processors share as well, and, by path, the seeded faults of
//! the audit inside the core.
//!
//! The tests are not in the core's own package, because there they would be compiled as the core
//! is, optimized, which takes four times as long. What they call of the core is optimized still:
//! the core compiles itself over the model (`pv_core::model`).

pub mod recorder;

use std::vec::Vec;

use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::{Target, Update};
use hypercall_abi::calls::{Call, PteUpdate};
use hypercall_abi::trap::{Cause, FaultAccess};
use hypercall_abi::{Error, Mfn, PAGE_SIZE, Status, VirtAddr};
use pv_core::format::Format;
use pv_core::model::ModelMachine;
use pv_core::{
    Config, DomainSpec, Entry, Image, Machine, Next, Outcome, Platform, Region, RegionKind,
    Registers, Segment, Slot, State, Trap, audit,
};

/// Where a domain's memory begins, in its own addresses.
pub const PHYSMAP: u64 = 0x4000_0000;

/// A machine, the state over it, and the domains in the order in which they were made.
#[derive(Clone)]
pub struct World<P: Platform> {
    /// The state.
    pub state: State<P>,
    /// The machine.
    pub machine: ModelMachine<P::Format>,
    /// The slot of each domain.
    pub slots: Vec<Slot>,
    /// The registers of each domain's vCPU.
    pub registers: Vec<P::Registers>,
    inside: Vec<bool>,
    /// Frames that nobody owned before the first domain.
    pub free_at_start: u64,
}

impl<P: Platform> World<P> {
    /// So many domains of so many frames each, on a machine of 1,024 frames.
    pub fn new(domains: usize, frames: u64) -> Self {
        Self::with_memory(domains, frames, 0x400)
    }

    /// As [`new`](Self::new), on a machine of so many frames.
    pub fn with_memory(domains: usize, frames: u64, memory: u64) -> Self {
        let config = Config {
            ticks_per_second: 1_000_000_000,
            slice_ticks: 1000,
            scatter_stride: 37,
            features: hypercall_abi::Features::empty(),
        };
        let memory = [
            Region { start: Mfn(0x100), count: memory, kind: RegionKind::Free },
            Region { start: Mfn(0x110), count: 4, kind: RegionKind::Hypervisor },
            Region { start: Mfn(0x120), count: 2, kind: RegionKind::Reserved },
        ];
        let mut world = World {
            state: State::new(config, &memory).unwrap(),
            machine: ModelMachine::default(),
            slots: Vec::new(),
            registers: Vec::new(),
            inside: Vec::new(),
            free_at_start: 0,
        };
        world.free_at_start = world.state.frames.unowned();
        for _ in 0..domains {
            world.create(frames).unwrap();
        }
        world.audit();
        world
    }

    /// One domain more, of so many frames, which may have 16 more.
    pub fn create(&mut self, frames: u64) -> Result<Slot, pv_core::BuildError> {
        self.create_with(frames, None)
    }

    /// As [`create`](Self::create), with a module.
    pub fn create_with(
        &mut self,
        frames: u64,
        module: Option<&[u8]>,
    ) -> Result<Slot, pv_core::BuildError> {
        self.create_as(frames, frames + 16, false, module)
    }

    /// A domain whose memory is made of aligned runs.
    pub fn create_contiguous(
        &mut self,
        frames: u64,
        max_frames: u64,
    ) -> Result<Slot, pv_core::BuildError> {
        self.create_as(frames, max_frames, true, None)
    }

    fn create_as(
        &mut self,
        frames: u64,
        max_frames: u64,
        contiguous: bool,
        module: Option<&[u8]>,
    ) -> Result<Slot, pv_core::BuildError> {
        let text = [1u8, 2, 3];
        let segment = Segment {
            address: VirtAddr(0x1000_0000),
            memory_size: 0x1800,
            data: &text,
            writable: false,
            executable: true,
        };
        let spec = DomainSpec {
            name: "test",
            frames,
            max_frames,
            contiguous,
            command_line: "a=b",
            watchdog_ticks: 0,
            image: Image {
                entry: VirtAddr(0x1000_0000),
                physmap_base: PHYSMAP,
                segments: &[segment],
            },
            module,
        };
        let (slot, registers) = self.state.create_domain(&mut self.machine, &spec)?;
        self.slots.push(slot);
        self.registers.push(registers);
        self.inside.push(false);
        Ok(slot)
    }

    /// Forgets the domain made last, which is gone.
    pub fn forget_last(&mut self) {
        self.slots.pop();
        self.registers.pop();
        self.inside.pop();
    }

    /// Panics, if an invariant does not hold.
    pub fn audit(&self) {
        if let Err(violation) = audit::audit(&self.state, &self.machine) {
            panic!("{violation}");
        }
        if let Err(violation) = audit::audit_translations(&self.state, &self.machine) {
            panic!("{violation}");
        }
    }

    /// Makes a raw call and goes on with it to its end, with an audit after every step.
    pub fn raw(&mut self, domain: usize, number: u64, args: [u64; 6]) -> (Status, u64) {
        self.begin(domain, number, args);
        while self.is_inside(domain) {
            self.step(domain);
        }
        self.registers[domain].result()
    }

    /// Begins a raw call: one step of it.
    pub fn begin(&mut self, domain: usize, number: u64, args: [u64; 6]) {
        self.switch_to(domain);
        let registers = &mut self.registers[domain];
        registers.set_call(number, &args);
        let slot = self.slots[domain];
        self.inside[domain] = true;
        let outcome = self.state.enter(&mut self.machine, slot, registers, Entry::Call);
        self.inside[domain] = outcome == Outcome::Reschedule;
        self.audit();
    }

    /// One more step of the call that a domain is in, or of its being taken apart.
    pub fn step(&mut self, domain: usize) {
        if !self.is_running(domain) {
            let _ = self.state.schedule(&mut self.machine);
            self.inside[domain] = false;
        } else if self.inside[domain] {
            self.switch_to(domain);
            let (slot, registers) = (self.slots[domain], &mut self.registers[domain]);
            let outcome = self.state.resume(&mut self.machine, slot, registers);
            self.inside[domain] = outcome == Outcome::Reschedule;
        }
        self.audit();
    }

    /// A page fault of a domain's, of that access to that address.
    pub fn fault(&mut self, domain: usize, address: VirtAddr, access: FaultAccess) -> Outcome {
        let trap = Trap { cause: Cause::PageFault, code: access.bits(), address: address.0 };
        let (slot, registers) = (self.slots[domain], &mut self.registers[domain]);
        let outcome = self.state.enter(&mut self.machine, slot, registers, Entry::Trap(trap));
        self.audit();
        outcome
    }

    /// What the last call of a domain came back with.
    pub fn result(&self, domain: usize) -> (Status, u64) {
        self.registers[domain].result()
    }

    /// Whether a domain is in the middle of a call.
    pub fn is_inside(&self, domain: usize) -> bool {
        self.inside[domain]
    }

    /// Whether a domain is there and was not ended.
    pub fn is_running(&self, domain: usize) -> bool {
        let slot = self.slots[domain];
        self.state.domains().any(|(found, domain)| found == slot && domain.is_running())
    }

    /// Gives a domain the processor.
    pub fn switch_to(&mut self, domain: usize) {
        self.state.switch_to(&mut self.machine, self.slots[domain]);
    }

    /// Makes a call to its end without an audit: for long preparations.
    pub fn quiet<C: Call>(&mut self, domain: usize, call: &C) {
        self.switch_to(domain);
        let (slot, registers) = (self.slots[domain], &mut self.registers[domain]);
        registers.set_call(C::NUMBER as u64, &call.encode());
        let mut outcome = self.state.enter(&mut self.machine, slot, registers, Entry::Call);
        while outcome == Outcome::Reschedule {
            self.state.switch_to(&mut self.machine, slot);
            outcome = self.state.resume(&mut self.machine, slot, registers);
        }
    }

    /// Makes a call to its end: its value, or the error beside the value.
    pub fn call<C: Call>(&mut self, domain: usize, call: &C) -> Result<u64, (Error, u64)> {
        self.raw(domain, C::NUMBER as u64, call.encode());
        self.answer(domain)
    }

    /// What the last call of a domain came back with.
    pub fn answer(&self, domain: usize) -> Result<u64, (Error, u64)> {
        let (status, value) = self.registers[domain].result();
        match status.decode().expect("a status of the closed set") {
            Ok(()) => Ok(value),
            Err(error) => Err((error, value)),
        }
    }

    /// One update of an entry.
    pub fn update(&mut self, domain: usize, target: Target, value: u64) -> Result<u64, Error> {
        let update = PteUpdate::One(Update::new(target, value));
        self.call(domain, &update).map_err(|(error, _)| error)
    }

    /// The machine frame of a page, as the domain's P2M has it.
    pub fn p2m(&self, domain: usize, pfn: u64) -> Mfn {
        let id = self.state.domain(self.slots[domain]).id;
        let first = self
            .state
            .frames
            .iter()
            .find(|(frame, entry)| {
                matches!(entry, pv_core::frame::Frame::Owned(owned) if owned.owner == id)
                    && self.machine.read(*frame, 0) == hypercall_abi::start_info::MAGIC
            })
            .map(|(frame, _)| frame)
            .unwrap();
        // The map begins at pfn 3; each of its pages holds the numbers of 512.
        let root = Mfn(self.machine.read(first, 9));
        let map = self.walk(root, PHYSMAP + (3 + pfn / 512) * PAGE_SIZE);
        Mfn(self.machine.read(map, (pfn % 512) as usize))
    }

    /// The machine frame that the domain's own map of memory maps a page to.
    pub fn mapped(&self, domain: usize, pfn: u64) -> Mfn {
        self.walk(self.kernel_root(domain), self.physmap(pfn).0)
    }

    /// The entry of a level by which the domain reaches a page in its own map of memory: its table, its
    /// index there, and its value.
    pub fn entry(&self, domain: usize, pfn: u64, wanted: Level) -> (Mfn, usize, u64) {
        self.entry_below(self.kernel_root(domain), self.physmap(pfn), wanted)
    }

    fn kernel_root(&self, domain: usize) -> Mfn {
        self.state.vcpu(self.slots[domain]).kernel_root.unwrap()
    }

    fn walk(&self, root: Mfn, address: u64) -> Mfn {
        let (_, _, value) = self.entry_below(root, VirtAddr(address), Level::L1);
        match P::Format::decode(value, Level::L1) {
            Ok(pv_core::format::Entry::Leaf(leaf)) => leaf.frame,
            other => panic!("{other:?} at {address:#x}"),
        }
    }

    fn entry_below(&self, root: Mfn, address: VirtAddr, wanted: Level) -> (Mfn, usize, u64) {
        let (mut table, mut level) = (root, P::Format::ROOT);
        loop {
            let index = P::Format::index(address, level);
            let value = self.machine.read(table, index);
            if level == wanted {
                return (table, index, value);
            }
            match P::Format::decode(value, level) {
                Ok(pv_core::format::Entry::Table(below)) => {
                    table = below;
                    level = level.below().unwrap();
                }
                other => panic!("{other:?} at {:#x}", address.0),
            }
        }
    }

    /// The address at which a domain has its page.
    pub fn physmap(&self, pfn: u64) -> VirtAddr {
        VirtAddr(PHYSMAP + pfn * PAGE_SIZE)
    }

    /// Destroys the domain in a place and has it taken apart, with much time for that.
    pub fn destroy(&mut self, slot: Slot) {
        let id = self.state.domain(slot).id;
        self.state.end_domain(&mut self.machine, id, pv_core::EndReason::Destroyed);
        for _ in 0..2000 {
            let _ = self.state.schedule(&mut self.machine);
        }
        self.audit();
    }

    /// Destroys every domain and checks that every frame came back.
    pub fn finish(mut self) {
        self.finish_all();
    }

    /// As [`finish`](Self::finish), where the world is not to be had whole.
    pub fn finish_all(&mut self) {
        let ids: Vec<_> = self.state.domains().map(|(_, domain)| domain.id).collect();
        for id in ids {
            self.state.end_domain(&mut self.machine, id, pv_core::EndReason::Destroyed);
        }
        // The walks of whole trees come later; looked at after each step they would take the
        // most time of all.
        let mut steps = 0u32;
        while self.state.schedule(&mut self.machine) != Next::Finished {
            steps += 1;
            if steps < 32 || steps.is_multiple_of(8) {
                self.audit();
            }
        }
        self.audit();
        assert_eq!(self.state.frames.unowned(), self.free_at_start);
    }
}
