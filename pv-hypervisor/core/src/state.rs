//! The state of the hypervisor, and the ways into it.

use crate::domain::{CONSOLE_INPUT_BYTES, Domain, DomainSummary, EndReason, MAX_DOMAINS, Slot};
use crate::frame::{FrameTable, Region};
use crate::machine::Machine;
use crate::planted::Planted;
use crate::platform::Platform;
use crate::quick::{Borrowed, Quick, quick_call};
use crate::reclaim::Reclaim;
use crate::sched::Scheduler;
use crate::share::Sharing;
use crate::tlb::Tlb;
use crate::vcpu::Vcpu;
use crate::{Entry, Outcome};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use hypercall_abi::{DomainId, Error, Features};

/// What the hypervisor is started with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Ticks of the counter in a second.
    pub ticks_per_second: u64,
    /// Ticks that a vCPU runs before another has its turn.
    pub slice_ticks: u64,
    /// How far apart successive free frames lie; 1 hands memory out in order.
    pub scatter_stride: u64,
    /// What the image offers to guests.
    pub features: Features,
}

/// Why there is no hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConfigError {
    /// No region is free, or they span more than the frame table can describe.
    NoUsableMemory,
    /// The hypervisor's heap has no room for its tables.
    NoHeap,
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            ConfigError::NoUsableMemory => {
                "the machine has no usable memory (none free, or beyond 2^32 frames), or the \
                 heap has no room for the frame table: give it more memory"
            }
            ConfigError::NoHeap => {
                "the heap has no room for the hypervisor's tables: give the machine more memory"
            }
        })
    }
}

/// The whole state of the hypervisor: plain data.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State<P: Platform> {
    /// What it was started with.
    pub config: Config,
    /// Every machine frame.
    pub frames: FrameTable,
    /// What processors may have cached.
    pub tlb: Tlb,
    /// Who runs.
    pub scheduler: Scheduler,
    pub(crate) domains: SlotTable<Option<Domain>>,
    pub(crate) vcpus: SlotTable<Option<Vcpu>>,
    pub(crate) identities: SlotTable<Option<DomainId>>,
    pub(crate) initial_frames: SlotTable<u64>,
    pub(crate) earliest_deadline: u64,
    pub(crate) gone: Vec<DomainSummary>,
    pub(crate) ending: usize,
    pub(crate) budget: u32,
    /// Pages that share a frame.
    pub sharing: Sharing,
    /// Pages that were put away. Elsewhere, so that what every call looks at lies close together.
    pub reclaim: Box<Reclaim>,
    /// How many slots, from the first on, have had a domain: the others are empty.
    pub(crate) used_slots: usize,
    pub(crate) planted: Planted,
    pub(crate) platform: PhantomData<P>,
}

impl<P: Platform> State<P> {
    /// A hypervisor over that memory, without domains.
    ///
    /// # Errors
    /// [`ConfigError`], when it cannot run on such a machine.
    pub fn new(config: Config, memory: &[Region]) -> Result<State<P>, ConfigError> {
        let frames =
            FrameTable::new(memory, config.scatter_stride).ok_or(ConfigError::NoUsableMemory)?;
        let no_heap = ConfigError::NoHeap;
        Ok(State {
            config,
            frames,
            tlb: Tlb::new(),
            scheduler: Scheduler::new(config.slice_ticks).ok_or(no_heap)?,
            domains: table(None).ok_or(no_heap)?,
            vcpus: table(None).ok_or(no_heap)?,
            used_slots: 0,
            identities: table(None).ok_or(no_heap)?,
            initial_frames: table(0).ok_or(no_heap)?,
            earliest_deadline: u64::MAX,
            gone: Vec::new(),
            ending: 0,
            budget: crate::budget::UNITS,
            sharing: Sharing::OFF,
            reclaim: Box::new(Reclaim::OFF),
            planted: Planted::default(),
            platform: PhantomData,
        })
    }

    /// Sets how many units of work one entry does before it looks at the clock again; at least
    /// one. Fewer show more of the states between two steps of a call.
    pub fn set_budget(&mut self, units: u32) {
        self.budget = units.max(1);
    }

    /// A vCPU has entered the hypervisor; its registers are saved in `registers`.
    #[inline(always)]
    pub fn enter<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        entry: Entry,
    ) -> Outcome {
        let outcome = match entry {
            Entry::Call => match quick_call(Borrowed { state: self, machine, slot, registers }) {
                Quick::NotMade => return self.after_unmade_call(machine, slot, registers),
                _ => Outcome::Return,
            },
            // In its handler events are masked, and the handler lies where it can be returned to:
            // nothing comes before the return.
            Entry::Trap(trap) if self.sharing.records.is_empty() => {
                return self.deliver_trap(machine, slot, registers, trap);
            }
            Entry::Trap(trap) => match self.fault_on_shared(machine, slot, trap) {
                Some(outcome) => outcome,
                None => return self.deliver_trap(machine, slot, registers, trap),
            },
            Entry::Interrupt => Outcome::Reschedule,
        };
        self.before_return(machine, slot, registers, outcome)
    }

    /// A byte of the operator's for a domain. Bytes that find no room are dropped.
    pub fn console_input<M: Machine>(&mut self, machine: &mut M, domain: DomainId, byte: u8) {
        let Ok(slot) = self.slot_of(domain) else { return };
        let input = &mut self.domain_mut(slot).console_input;
        if input.len() < CONSOLE_INPUT_BYTES {
            input.push_back(byte);
            self.raise(machine, slot, hypercall_abi::Port::CONSOLE);
        }
    }

    /// Ends a domain, if there is one of that identity.
    pub fn end_domain<M: Machine>(&mut self, machine: &mut M, domain: DomainId, reason: EndReason) {
        if let Ok(slot) = self.slot_of(domain) {
            self.end(machine, slot, reason);
        }
    }

    /// The domains that exist, those that are being taken apart included.
    pub fn domains(&self) -> impl Iterator<Item = (Slot, &Domain)> {
        self.domains[..self.used_slots]
            .iter()
            .enumerate()
            .filter_map(|(index, domain)| Some((Slot(index as u16), domain.as_ref()?)))
    }

    /// The domain of that identity, if it exists.
    pub fn domain_of(&self, id: DomainId) -> Option<&Domain> {
        let domain = self.domains[Slot::of(id)?.index()].as_ref()?;
        (domain.id == id).then_some(domain)
    }

    /// The vCPUs that exist.
    pub fn vcpus(&self) -> impl Iterator<Item = (Slot, &Vcpu)> {
        self.vcpus[..self.used_slots]
            .iter()
            .enumerate()
            .filter_map(|(index, vcpu)| Some((Slot(index as u16), vcpu.as_ref()?)))
    }

    /// Takes the account of one domain that is wholly gone.
    pub fn take_summary(&mut self) -> Option<DomainSummary> {
        if self.gone.is_empty() { None } else { Some(self.gone.remove(0)) }
    }

    /// The domain in a slot whose vCPU has entered: it exists.
    #[inline(always)]
    pub fn domain(&self, slot: Slot) -> &Domain {
        match &self.domains[slot.index()] {
            Some(domain) => domain,
            None => unreachable!("a slot whose vCPU entered has a domain"),
        }
    }

    #[inline(always)]
    pub(crate) fn domain_mut(&mut self, slot: Slot) -> &mut Domain {
        match &mut self.domains[slot.index()] {
            Some(domain) => domain,
            None => unreachable!("a slot whose vCPU entered has a domain"),
        }
    }

    /// The vCPU of a domain that exists.
    #[inline(always)]
    pub fn vcpu(&self, slot: Slot) -> &Vcpu {
        match &self.vcpus[slot.index()] {
            Some(vcpu) => vcpu,
            None => unreachable!("a domain that runs has a vCPU"),
        }
    }

    #[inline(always)]
    pub(crate) fn vcpu_mut(&mut self, slot: Slot) -> &mut Vcpu {
        match &mut self.vcpus[slot.index()] {
            Some(vcpu) => vcpu,
            None => unreachable!("a domain that runs has a vCPU"),
        }
    }

    /// Calls that a vCPU has made, those of unknown numbers included.
    pub(crate) fn total_calls(&self, slot: Slot) -> u64 {
        let unknown = self.domain(slot).counters.refusals[Error::UnknownCall as usize - 1];
        self.vcpu(slot).calls.iter().sum::<u64>() + unknown
    }

    /// The slot of a running domain that a guest names.
    pub(crate) fn slot_of(&self, domain: DomainId) -> Result<Slot, Error> {
        let slot = Slot::of(domain).ok_or(Error::NoDomain)?;
        match &self.domains[slot.index()] {
            Some(found) if found.id == domain && found.is_running() => Ok(slot),
            _ => Err(Error::NoDomain),
        }
    }

    /// The slot of a running domain that a guest names, itself as `SELF` too.
    pub(crate) fn slot_named(&self, caller: Slot, domain: DomainId) -> Result<Slot, Error> {
        if domain == DomainId::SELF { Ok(caller) } else { self.slot_of(domain) }
    }
}

/// A table with a place for each domain.
type SlotTable<T> = Box<[T; MAX_DOMAINS]>;

fn table<T: Clone>(empty: T) -> Option<SlotTable<T>> {
    let mut table = Vec::new();
    table.try_reserve_exact(MAX_DOMAINS).ok()?;
    table.resize(MAX_DOMAINS, empty);
    table.try_into().ok()
}
