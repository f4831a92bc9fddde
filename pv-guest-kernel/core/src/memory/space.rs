//! The address space of a process: [`AddressSpace`]; how it comes and goes, and its figures.

use super::{
    Area, Frames, Kind, Memory, Parts,
    areas::{Areas, Held},
    entry::State,
    pages::PageMap,
};
use crate::{NoPage, PAGE, Pfn, Platform};

/// The name of an address space; none is used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpaceId(pub u64);

/// Where things lie in an address space. Addresses, on page borders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Nothing is mapped below, so that a null pointer with an offset finds nothing.
    pub lowest: u64,
    /// Mappings without an address are put below this, from the top down.
    pub mmap_top: u64,
    /// Behind the last that a process may have.
    pub end: u64,
}

/// What an address space may have. In pages, where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Areas, in number.
    pub areas: usize,
    /// All areas together (`RLIMIT_AS`).
    pub pages: u64,
    /// What `brk` makes (`RLIMIT_DATA`).
    pub data: u64,
    /// The stack (`RLIMIT_STACK`).
    pub stack: u64,
    /// What stays free below the stack, so that it does not grow into something else unseen.
    pub stack_gap: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { areas: 1024, pages: 1 << 24, data: 1 << 24, stack: 2048, stack_gap: 256 }
    }
}

/// Why an address space does not become as asked. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpaceError {
    /// An address or a length that no mapping has (`EINVAL`).
    BadRange,
    /// Something is mapped there (`EEXIST`).
    Exists,
    /// No gap is so long, or it is not all in the process's part (`ENOMEM`).
    NoRoom,
    /// It would take too many areas, or too many pages in all (`ENOMEM`).
    OverLimit,
    /// Part of the range is not mapped (`ENOMEM`).
    NotMapped,
    /// The mapping may not have this right: its file is not open for that (`EACCES`).
    NotAllowed,
}

/// Figures of an address space, in pages where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// All areas (`VmSize`).
    pub mapped: u64,
    /// The most there was (`VmPeak`).
    pub peak_mapped: u64,
    /// Private pages in memory (`RssAnon`).
    pub anonymous: u64,
    /// Pages of files in memory (`RssFile`).
    pub file: u64,
    /// Pages of shared memory (`RssShmem`).
    pub shared: u64,
    /// The most that were in memory (`VmHWM`).
    pub peak_resident: u64,
    /// Pages in the swap area (`VmSwap`).
    pub swapped: u64,
    /// Page tables (`VmPTE`).
    pub tables: u64,
    /// Faults that were served (`minflt` and `majflt`), in number.
    pub faults: u64,
    /// Those of them that read a page back (`majflt`), in number.
    pub major_faults: u64,
}

impl Usage {
    /// Pages in memory (`VmRSS`).
    pub fn resident(&self) -> u64 {
        self.anonymous + self.file + self.shared
    }

    #[inline]
    pub(super) fn add(&mut self, kind: Kind) {
        if let Some(count) = self.of(kind) {
            *count += 1;
            self.peak_resident = self.peak_resident.max(self.resident());
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, kind: Kind) {
        if let Some(count) = self.of(kind) {
            *count -= 1;
        }
    }

    /// The page of zeros is the kernel's: it counts for nobody.
    #[inline]
    fn of(&mut self, kind: Kind) -> Option<&mut u64> {
        match kind {
            Kind::Anonymous => Some(&mut self.anonymous),
            Kind::File => Some(&mut self.file),
            Kind::Shared => Some(&mut self.shared),
            _ => None,
        }
    }
}

/// The address space of a process.
///
/// It is given back by [`destroy`](Self::destroy): only then its pages come back.
#[derive(Debug)]
#[must_use = "its pages come back by `destroy` only"]
pub struct AddressSpace<P: Platform> {
    pub(super) id: SpaceId,
    pub(super) tables: P::Space,
    pub(super) areas: Areas,
    pub(super) pages: PageMap,
    pub(super) usage: Usage,
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    /// Where the memory that `brk` makes begins and ends.
    pub(super) heap: (u64, u64),
    /// The page that is looked at next for swapping out.
    pub(super) hand: u64,
}

impl<P: Platform> AddressSpace<P> {
    /// An empty address space.
    ///
    /// # Errors
    /// [`NoPage`].
    pub fn new(
        platform: &mut P,
        memory: &mut Memory<P>,
        layout: Layout,
        limits: Limits,
    ) -> Result<AddressSpace<P>, NoPage> {
        let mut usage = Usage::default();
        let limits = Limits { areas: limits.areas.min(memory.settings.areas / 4), ..limits };
        let frames = &mut memory.frames;
        let tables = platform.new_space(&mut || take_table(frames, &mut usage))?;
        let id = SpaceId(memory.next_space);
        memory.next_space += 1;
        Ok(AddressSpace {
            id,
            tables,
            areas: Areas::default(),
            pages: PageMap::default(),
            usage,
            layout,
            limits,
            heap: (0, 0),
            hand: 0,
        })
    }

    /// Gives everything back: tables, pages, slots, files.
    pub fn destroy(mut self, parts: &mut Parts<'_, P>) {
        let memory = &mut *parts.memory;
        let frames = &mut memory.frames;
        parts.platform.drop_space(self.tables, &mut |page| {
            frames.give(page);
        });
        self.pages.drain(&mut memory.leaves, |entry| match entry.state() {
            State::Present(page) => {
                if memory.frames.give(page) {
                    memory.swap.forget(page);
                }
            }
            State::Swapped(slot) => memory.swap.release(slot),
            State::Empty => (),
        });
        for area in self.areas.list() {
            parts.hold(area.source, Held::Less);
        }
    }

    /// Its name.
    pub fn id(&self) -> SpaceId {
        self.id
    }

    /// The platform's tables, to run a process in.
    pub fn tables(&mut self) -> &mut P::Space {
        &mut self.tables
    }

    /// Its areas, by address: the lines of `/proc/<pid>/maps`.
    pub fn areas(&self) -> &[Area] {
        self.areas.list()
    }

    /// The area of an address.
    pub fn area_of(&mut self, address: u64) -> Option<&Area> {
        let index = self.areas.find(address / PAGE as u64)?;
        self.areas.get(index)
    }

    /// Where things lie in it.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What it may have.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets what it may have; what it has stays. Areas may only become fewer.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { areas: limits.areas.min(self.limits.areas), ..limits };
    }

    /// The memory that `brk` makes: the first address, and the one behind the last.
    pub fn heap(&self) -> (u64, u64) {
        self.heap
    }

    /// Its figures.
    pub fn usage(&self) -> Usage {
        Usage { mapped: self.areas.total(), ..self.usage }
    }

    /// Notes how many pages are mapped.
    pub(super) fn note_peak(&mut self) {
        self.usage.peak_mapped = self.usage.peak_mapped.max(self.areas.total());
    }
}

/// A page for a table, counted.
#[inline]
pub(super) fn take_table(frames: &mut Frames, usage: &mut Usage) -> Option<Pfn> {
    let page = frames.take(Kind::Table).ok()?;
    usage.tables += 1;
    Some(page)
}
