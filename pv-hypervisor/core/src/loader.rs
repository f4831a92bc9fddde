//! Building a domain: frames, the map of them, its image, its first page tables.
//!
//! The page tables are written into frames that are nothing yet, and then pinned through the
//! same validation as a guest's own: the loader has no second way to make a table.

use crate::budget::Budget;
use crate::domain::{CONSOLE_INPUT_BYTES, Counters, Domain, EndReason, Life, Name, Slot};
use crate::event::PortTable;
use crate::format::{Entry, Format, Permissions};
use crate::grant::{GrantTable, HandleTable};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::{Platform, Registers};
use crate::pt::Progress;
use crate::state::State;
use crate::vcpu::{Mode, RunState, Vcpu};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hypercall_abi::addr::Level;
use hypercall_abi::start_info::{
    ARGUMENT_PFN, BOOT_STACK_BYTES, COMMAND_LINE_BYTES, MAGIC, NAME_BYTES, START_INFO_PFN,
    StartInfo, VCPU_PAGE_PFN,
};
use hypercall_abi::{AbiVersion, Error, Mfn, PAGE_SIZE, Pfn, VirtAddr};
use zerocopy::{FromZeros, IntoBytes};

const STACK_PAGES: u64 = BOOT_STACK_BYTES / PAGE_SIZE;
const P2M_PFN: u64 = 3;

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
    /// Its command line; cut at [`COMMAND_LINE_BYTES`].
    pub command_line: &'a str,
    /// Ticks for which it may run without a call; 0 for no limit.
    pub watchdog_ticks: u64,
    /// Its kernel.
    pub image: Image<'a>,
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
    fn first_page(&self) -> u64 {
        self.address.0 / PAGE_SIZE
    }

    fn pages(&self) -> u64 {
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
    /// The domain's memory does not hold its image, map and page tables.
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
                "its {frames} frames do not hold its image, map and page tables: give it more \
                 memory"
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

/// The pages of a domain that is being built.
struct Layout {
    frames: u64,
    p2m_pages: u64,
    image: u64,
    stack: u64,
    tables: u64,
}

/// The machine frames of the pages that hold the P2M: by them every other is found.
struct P2m(Vec<Mfn>);

impl P2m {
    fn get(&self, machine: &impl Machine, pfn: u64) -> Mfn {
        let (page, word) = (pfn as usize / FRAME_WORDS, pfn as usize % FRAME_WORDS);
        Mfn(machine.read(self.0[page], word))
    }

    fn set(&self, machine: &mut impl Machine, pfn: u64, frame: Mfn) {
        let (page, word) = (pfn as usize / FRAME_WORDS, pfn as usize % FRAME_WORDS);
        machine.write(self.0[page], word, frame.0);
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
        let layout = self.plan_layout(spec)?;
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

    fn plan_layout(&self, spec: &DomainSpec<'_>) -> Result<Layout, BuildError> {
        let image = &spec.image;
        let physmap_end = spec
            .max_frames
            .max(spec.frames)
            .checked_mul(PAGE_SIZE)
            .and_then(|bytes| bytes.checked_add(image.physmap_base))
            .filter(|end| *end <= P::Format::GUEST_END)
            .ok_or(BuildError::BadLayout)?;
        let mut previous_end = 1;
        let mut image_pages = 0u64;
        for segment in image.segments {
            let end = segment.address.0.checked_add(segment.memory_size);
            let end =
                end.filter(|end| *end <= P::Format::GUEST_END).ok_or(BuildError::BadLayout)?;
            let overlaps_physmap = end > image.physmap_base && segment.address.0 < physmap_end;
            if segment.first_page() < previous_end
                || segment.memory_size == 0
                || segment.data.len() as u64 > segment.memory_size
                || overlaps_physmap
            {
                return Err(BuildError::BadLayout);
            }
            previous_end = segment.first_page() + segment.pages();
            image_pages += segment.pages();
        }
        if image.entry.0 >= P::Format::GUEST_END {
            return Err(BuildError::BadLayout);
        }
        let p2m_pages = spec.max_frames.max(spec.frames).div_ceil(FRAME_WORDS as u64);
        let image_pfn = P2M_PFN + p2m_pages;
        let stack = image_pfn + image_pages;
        let tables = stack + STACK_PAGES;
        if tables >= spec.frames {
            return Err(BuildError::TooSmall { frames: spec.frames });
        }
        let free = self.frames.unowned();
        if spec.frames > free {
            return Err(BuildError::NoMemory { wanted: spec.frames, free });
        }
        Ok(Layout { frames: spec.frames, p2m_pages, image: image_pfn, stack, tables })
    }

    fn open_domain(&mut self, spec: &DomainSpec<'_>) -> Result<Slot, BuildError> {
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
            target_frames: spec.frames,
            tables: 0,
            pinned: 0,
            grants: GrantTable::new().ok_or(no_heap)?,
            handles: HandleTable::new().ok_or(no_heap)?,
            ports: PortTable::new().ok_or(no_heap)?,
            console_input,
            watchdog_ticks: spec.watchdog_ticks,
            counters: Counters::NONE,
        };
        self.identities[slot.index()] = Some(id);
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
        let p2m = self.take_frames(machine, slot, layout)?;
        let page = p2m.get(machine, VCPU_PAGE_PFN.0);
        let arguments = p2m.get(machine, ARGUMENT_PFN.0);
        for frame in [page, arguments] {
            // The hypervisor writes them: they are never page tables, never ballooned.
            self.frames.held(frame).add_writable();
        }
        self.vcpus[slot.index()] = Some(Vcpu {
            state: RunState::Stopped,
            mode: Mode::Kernel,
            kernel_root: None,
            user_root: None,
            page,
            arguments,
            traps: None,
            deadline: None,
            work: None,
            batch: None,
            called: false,
            quiet_ticks: 0,
        });
        load_image(machine, &p2m, layout, spec.image.segments);
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
    ) -> Result<P2m, BuildError> {
        let no_memory = BuildError::NoMemory { wanted: layout.frames, free: 0 };
        let mut p2m = P2m(Vec::new());
        p2m.0.try_reserve_exact(layout.p2m_pages as usize).map_err(|_| BuildError::NoHeap)?;
        for _ in 0..layout.p2m_pages {
            p2m.0.push(self.take_frame(machine, slot).ok_or(no_memory)?);
        }
        for pfn in 0..layout.p2m_pages * FRAME_WORDS as u64 {
            let in_p2m = pfn.checked_sub(P2M_PFN).filter(|page| *page < layout.p2m_pages);
            let frame = match in_p2m {
                Some(page) => p2m.0[page as usize],
                None if pfn < layout.frames => self.take_frame(machine, slot).ok_or(no_memory)?,
                None => Mfn::NONE,
            };
            p2m.set(machine, pfn, frame);
        }
        Ok(p2m)
    }

    /// Takes a frame for a domain; its limit has been looked at.
    pub(crate) fn take_frame<M: Machine>(&mut self, machine: &mut M, slot: Slot) -> Option<Mfn> {
        let id = self.domain(slot).id;
        let frame = self.frames.take(machine, &mut self.tlb, id)?;
        self.domain_mut(slot).gained_frame();
        Some(frame)
    }

    fn pin_first_root<M: Machine>(
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

/// Copies the segments into the pages from `layout.image` on; the frames are zero before.
fn load_image(machine: &mut impl Machine, p2m: &P2m, layout: &Layout, segments: &[Segment<'_>]) {
    let mut pfn = layout.image;
    for segment in segments {
        let mut offset = (segment.address.0 % PAGE_SIZE) as usize;
        let mut data = segment.data;
        for page in 0..segment.pages() {
            if data.is_empty() {
                break;
            }
            let (now, rest) = data.split_at(data.len().min(PAGE_SIZE as usize - offset));
            machine.copy_in(p2m.get(machine, pfn + page), offset, now);
            data = rest;
            offset = 0;
        }
        pfn += segment.pages();
    }
}

/// The first page tables: pages from `next` on.
struct Tables<'a> {
    p2m: &'a P2m,
    next: u64,
    limit: u64,
}

impl Tables<'_> {
    fn build<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        spec: &DomainSpec<'_>,
        layout: &Layout,
    ) -> Result<Mfn, BuildError> {
        let first_table = self.next;
        let root = self.new_table(machine)?;
        let mut pfn = layout.image;
        for segment in spec.image.segments {
            let permissions = Permissions { write: segment.writable, execute: segment.executable };
            for page in 0..segment.pages() {
                let address = VirtAddr((segment.first_page() + page) * PAGE_SIZE);
                let frame = self.p2m.get(machine, pfn);
                self.map::<F>(machine, root, address, F::leaf(frame, permissions))?;
                pfn += 1;
            }
        }
        // First all tables that the map of memory needs, then its entries: by then it is
        // known which pages are tables and must not be mapped writable.
        let address = |pfn: u64| VirtAddr(spec.image.physmap_base + pfn * PAGE_SIZE);
        for pfn in (0..layout.frames).step_by(F::ENTRIES) {
            self.level1::<F>(machine, root, address(pfn))?;
        }
        self.level1::<F>(machine, root, address(layout.frames - 1))?;
        let tables = first_table..self.next;
        for pfn in 0..layout.frames {
            let write = !tables.contains(&pfn);
            let leaf = F::leaf(self.p2m.get(machine, pfn), Permissions { write, execute: false });
            self.map::<F>(machine, root, address(pfn), leaf)?;
        }
        Ok(root)
    }

    fn new_table(&mut self, machine: &impl Machine) -> Result<Mfn, BuildError> {
        if self.next >= self.limit {
            return Err(BuildError::TooSmall { frames: self.limit });
        }
        let frame = self.p2m.get(machine, self.next);
        self.next += 1;
        Ok(frame)
    }

    /// The level-1 table that maps `address`, made if need be.
    fn level1<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        root: Mfn,
        address: VirtAddr,
    ) -> Result<Mfn, BuildError> {
        let (mut table, mut level) = (root, F::ROOT);
        while level > Level::L1 {
            let index = F::index(address, level);
            let entry = F::decode(machine.read(table, index), level);
            table = match entry {
                Ok(Entry::Table(below)) => below,
                Ok(Entry::Absent) => {
                    let below = self.new_table(machine)?;
                    machine.write(table, index, F::table(below));
                    below
                }
                Ok(Entry::Leaf(_)) | Err(_) => return Err(BuildError::BadLayout),
            };
            level = level.below().unwrap_or(Level::L1);
        }
        Ok(table)
    }

    fn map<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        root: Mfn,
        address: VirtAddr,
        leaf: u64,
    ) -> Result<(), BuildError> {
        let table = self.level1::<F>(machine, root, address)?;
        machine.write(table, F::index(address, Level::L1), leaf);
        Ok(())
    }
}
