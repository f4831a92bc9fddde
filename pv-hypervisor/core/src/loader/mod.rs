//! Building a domain: frames, the map of them, its image, its first page tables.
//!
//! The page tables are written into frames that are nothing yet, and then pinned through the
//! same validation as a guest's own: the loader has no second way to make a table.

mod layout;
mod supply;
mod tables;

use layout::{Layout, P2M_PFN, P2m, STACK_PAGES, load_image, load_module};
use supply::Supply;
use tables::Tables;

use crate::balloon::BalloonState;
use crate::budget::Budget;
use crate::domain::{CONSOLE_INPUT_BYTES, Counters, Domain, EndReason, Life, Name, Slot};
use crate::event::PortTable;
use crate::format::Format;
use crate::grant::{GrantTable, HandleTable};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::{Platform, Registers};
use crate::pt::Progress;
use crate::share::Movable;
use crate::state::State;
use crate::vcpu::{RunState, Vcpu};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hypercall_abi::start_info::{
    ARGUMENT_PFN, COMMAND_LINE_BYTES, MAGIC, NAME_BYTES, START_INFO_PFN, StartInfo, VCPU_PAGE_PFN,
};
use hypercall_abi::vcpu_page::TARGET_FRAMES_OFFSET;
use hypercall_abi::{AbiVersion, Error, Mfn, PAGE_SIZE, Pfn, VirtAddr};
use zerocopy::{FromZeros, IntoBytes};

/// A domain to build. What it says has been checked against the ELF file it comes from; the
/// builder refuses what would not fit all the same.
#[derive(Clone, Copy, Debug)]
pub struct DomainSpec<'a> {
    /// What the operator calls it; cut at [`NAME_BYTES`].
    pub name: &'a str,
    /// Frames that it starts with.
    pub frames: u64,
    /// Frames that it may own; not fewer.
    pub max_frames: u64,
    /// Whether its memory is made of aligned runs of 512 frames, as far as there are any, so that its
    /// balloon can move such. Otherwise its frames lie scattered.
    pub contiguous: bool,
    /// Its command line; cut at [`COMMAND_LINE_BYTES`].
    pub command_line: &'a str,
    /// Ticks for which it may run without a call; 0 for no limit.
    pub watchdog_ticks: u64,
    /// Its kernel.
    pub image: Image<'a>,
    /// A file for the kernel; not empty.
    pub module: Option<&'a [u8]>,
}

/// A guest kernel in memory.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Where it starts.
    pub entry: VirtAddr,
    /// Where its memory is mapped: a multiple of 2 MiB.
    pub physmap_base: u64,
    /// Its segments; no two share a page, none touches the map of memory.
    pub segments: &'a [Segment<'a>],
}

/// A segment of a guest kernel.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Address of its first byte.
    pub address: VirtAddr,
    /// Bytes that it has in memory; what `data` does not fill is zero.
    pub memory_size: u64,
    /// Bytes from the file.
    pub data: &'a [u8],
    /// Whether it may be written.
    pub writable: bool,
    /// Whether instructions may be fetched from it.
    pub executable: bool,
}

impl Segment<'_> {
    pub(super) fn first_page(&self) -> u64 {
        self.address.0 / PAGE_SIZE
    }

    pub(super) fn pages(&self) -> u64 {
        (self.address.0 + self.memory_size).div_ceil(PAGE_SIZE) - self.first_page()
    }
}

/// Why a domain was not built. Nothing of it is left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BuildError {
    /// As many domains as there can be exist already.
    TooManyDomains,
    /// The hypervisor's heap has no room for the domain's tables.
    NoHeap,
    /// The machine has fewer free frames than the domain wants.
    NoMemory {
        /// Frames that it wants.
        wanted: u64,
        /// Frames that nobody owns.
        free: u64,
    },
    /// The domain's memory does not hold its image, module, map and page tables.
    TooSmall {
        /// Frames that it has.
        frames: u64,
    },
    /// A segment, the entry or the map of memory lies outside the guest's range, or two of
    /// them overlap.
    BadLayout,
    /// The first page tables were refused: a fault of the builder's.
    Tables(Error),
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BuildError::TooManyDomains => write!(
                f,
                "there are {} domains already, the most there can be",
                crate::domain::MAX_DOMAINS
            ),
            BuildError::NoHeap => write!(
                f,
                "the hypervisor's heap has no room for its tables: give the machine more memory"
            ),
            BuildError::NoMemory { wanted, free } => write!(
                f,
                "it wants {wanted} frames and the machine has {free} free: give it less memory \
                 or the machine more"
            ),
            BuildError::TooSmall { frames } => write!(
                f,
                "its {frames} frames do not hold its image, module, map and page tables: give \
                 it more memory"
            ),
            BuildError::BadLayout => write!(
                f,
                "its segments, entry or map of memory overlap or leave the guest's range: link \
                 it lower"
            ),
            BuildError::Tables(error) => {
                write!(f, "its first page tables were refused ({error}): a fault of the builder's")
            }
        }
    }
}

impl<P: Platform> State<P> {
    /// Builds a domain, runnable: its place, and the registers that its vCPU starts with.
    ///
    /// # Errors
    /// [`BuildError`]; what was taken is given back by the next calls of
    /// [`schedule`](Self::schedule).
    pub fn create_domain<M: Machine>(
        &mut self,
        machine: &mut M,
        spec: &DomainSpec<'_>,
    ) -> Result<(Slot, P::Registers), BuildError> {
        let layout = Layout::plan::<P::Format>(spec, self.frames.unowned())?;
        let slot = self.open_domain(spec)?;
        match self.fill_domain(machine, slot, spec, &layout) {
            Ok(registers) => {
                self.vcpu_mut(slot).state = RunState::Runnable;
                self.scheduler.enqueue(slot);
                Ok((slot, registers))
            }
            Err(error) => {
                self.end(machine, slot, EndReason::NotBuilt);
                Err(error)
            }
        }
    }

    pub(crate) fn open_domain(&mut self, spec: &DomainSpec<'_>) -> Result<Slot, BuildError> {
        let vacant = self.domains.iter().position(Option::is_none);
        let slot = Slot(vacant.ok_or(BuildError::TooManyDomains)? as u16);
        let no_heap = BuildError::NoHeap;
        self.gone.try_reserve(crate::domain::MAX_DOMAINS).map_err(|_| no_heap)?;
        let id = slot.next_identity(self.identities[slot.index()]);
        let mut name = Name::new();
        for character in spec.name.chars() {
            if name.push(character).is_err() {
                break;
            }
        }
        let max_frames = spec.max_frames.max(spec.frames);
        let mut console_input = VecDeque::new();
        console_input.try_reserve_exact(CONSOLE_INPUT_BYTES).map_err(|_| no_heap)?;
        let domain = Domain {
            id,
            name,
            life: Life::Running,
            frames: 0,
            max_frames,
            tables: 0,
            pinned: 0,
            grants: GrantTable::new().ok_or(no_heap)?,
            handles: HandleTable::new().ok_or(no_heap)?,
            ports: PortTable::new().ok_or(no_heap)?,
            balloon: BalloonState { target_frames: spec.frames, ..BalloonState::default() },
            console_input,
            watchdog_ticks: spec.watchdog_ticks,
            movable: Movable::new(max_frames),
            counters: Counters::NONE,
        };
        self.identities[slot.index()] = Some(id);
        self.used_slots = self.used_slots.max(slot.index() + 1);
        self.initial_frames[slot.index()] = spec.frames;
        self.domains[slot.index()] = Some(domain);
        Ok(slot)
    }

    fn fill_domain<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        spec: &DomainSpec<'_>,
        layout: &Layout,
    ) -> Result<P::Registers, BuildError> {
        let p2m = self.take_frames(machine, slot, layout, spec.contiguous)?;
        let page = p2m.get(machine, VCPU_PAGE_PFN.0);
        let arguments = p2m.get(machine, ARGUMENT_PFN.0);
        for frame in [page, arguments] {
            // The hypervisor writes them: they are never page tables, never ballooned.
            self.frames.held(frame).add_writable();
        }
        machine.write(page, TARGET_FRAMES_OFFSET / 8, spec.frames);
        self.vcpus[slot.index()] = Some(Vcpu::new(page, arguments));
        load_image(machine, &p2m, layout, spec.image.segments);
        load_module(machine, &p2m, layout, spec.module.unwrap_or_default());
        let mut tables = Tables { p2m: &p2m, next: layout.tables, limit: layout.frames };
        let root = tables.build::<P::Format>(machine, spec, layout)?;
        let free_pfn = tables.next;
        self.pin_first_root(machine, slot, root)?;
        let info = self.start_info(slot, spec, layout, root, free_pfn);
        machine.copy_in(p2m.get(machine, START_INFO_PFN.0), 0, info.as_bytes());
        let base = spec.image.physmap_base;
        let stack_top = base + (layout.stack + STACK_PAGES) * PAGE_SIZE;
        let start = base + START_INFO_PFN.0 * PAGE_SIZE;
        Ok(P::Registers::start(spec.image.entry.0, stack_top, start))
    }

    /// Takes the domain's frames and writes its P2M.
    fn take_frames<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        layout: &Layout,
        contiguous: bool,
    ) -> Result<P2m, BuildError> {
        let no_memory = BuildError::NoMemory { wanted: layout.frames, free: 0 };
        let mut p2m = P2m(Vec::new());
        p2m.0.try_reserve_exact(layout.p2m_pages as usize).map_err(|_| BuildError::NoHeap)?;
        let mut supply = Supply::new(self, machine, slot, layout, contiguous)?;
        for _ in 0..layout.p2m_pages {
            p2m.0.push(supply.single(self, machine, slot).ok_or(no_memory)?);
        }
        for pfn in 0..layout.p2m_pages * FRAME_WORDS as u64 {
            let in_p2m = pfn.checked_sub(P2M_PFN).filter(|page| *page < layout.p2m_pages);
            let frame = match in_p2m {
                Some(page) => p2m.0[page as usize],
                None if pfn < layout.frames => {
                    supply.page(self, machine, slot, pfn).ok_or(no_memory)?
                }
                None => Mfn::NONE,
            };
            p2m.set(machine, pfn, frame);
        }
        supply.give_rest_back(self, slot);
        Ok(p2m)
    }

    /// Takes a frame for a domain; its limit has been looked at.
    pub(crate) fn take_frame<M: Machine>(&mut self, machine: &mut M, slot: Slot) -> Option<Mfn> {
        let id = self.domain(slot).id;
        let frame = self.frames.take(machine, &mut self.tlb, id)?;
        self.domain_mut(slot).gained_frame();
        Some(frame)
    }

    pub(crate) fn pin_first_root<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        root: Mfn,
    ) -> Result<(), BuildError> {
        let level = P::Format::ROOT;
        let walk = self.begin_promotion(machine, slot, root, level);
        let mut walk = walk.map_err(BuildError::Tables)?;
        if let Progress::Done(Err(error)) =
            self.walk(machine, slot, &mut walk, &mut Budget::unlimited())
        {
            return Err(BuildError::Tables(error));
        }
        self.pin_validated(slot, root);
        self.frames.held(root).add_table();
        self.vcpu_mut(slot).kernel_root = Some(root);
        Ok(())
    }

    fn start_info(
        &self,
        slot: Slot,
        spec: &DomainSpec<'_>,
        layout: &Layout,
        root: Mfn,
        free_pfn: u64,
    ) -> StartInfo {
        let domain = self.domain(slot);
        let mut info = StartInfo::new_zeroed();
        info.magic = MAGIC;
        info.version = AbiVersion::CURRENT;
        info.domain = domain.id;
        info.vcpus = 1;
        info.features = self.config.features;
        info.page_table_format = P::Format::ID as u64;
        info.frames = layout.frames;
        info.max_frames = domain.max_frames;
        info.guest_end = P::Format::GUEST_END;
        info.ticks_per_second = self.config.ticks_per_second;
        info.physmap_base = spec.image.physmap_base;
        info.root = root;
        info.p2m_pfn = Pfn(P2M_PFN);
        info.image_pfn = Pfn(layout.image);
        info.stack_pfn = Pfn(layout.stack);
        info.tables_pfn = Pfn(layout.tables);
        info.free_pfn = Pfn(free_pfn);
        if let Some(module) = spec.module {
            info.module_pfn = Pfn(layout.module);
            info.module_bytes = module.len() as u64;
        }
        info.name_length = put_text::<NAME_BYTES>(&mut info.name, &domain.name);
        info.command_line_length =
            put_text::<COMMAND_LINE_BYTES>(&mut info.command_line, spec.command_line);
        info
    }
}

fn put_text<const N: usize>(field: &mut [u8; N], text: &str) -> u64 {
    let length = text.len().min(N);
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
    length as u64
}
