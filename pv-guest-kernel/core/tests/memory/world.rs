//! A kernel that is nothing but memory: [`World`].

use kernel_core::{
    Access, PAGE, Pfn, Platform, Protection, VirtAddr,
    memory::{
        AddressSpace, Backing, BackingError, Fault, FileId, FilePage, FilePages, Frames, Kind,
        Layout, Limits, Mapping, Memory, MemoryBacking, Outside, Pages, Parts, Place, Rights,
        Settings, Slot, SpaceError, Watermarks, audit, reclaim,
    },
    model::{Model, ModelSpace},
};
use std::collections::BTreeMap;

pub const PAGE_BYTES: u64 = PAGE as u64;
pub const RW: Rights = Rights::READ.union(Rights::WRITE);

pub const LAYOUT: Layout =
    Layout { lowest: 64 * PAGE_BYTES, mmap_top: 1024 * PAGE_BYTES, end: 2048 * PAGE_BYTES };
pub const LIMITS: Limits = Limits { areas: 64, pages: 4096, data: 64, stack: 16, stack_gap: 4 };

/// A file: pages, or holes.
#[derive(Default)]
pub struct TestFile {
    pub pages: Vec<Option<Pfn>>,
    /// Areas that map it.
    pub kept: u64,
}

/// A file system of numbered files.
#[derive(Default)]
pub struct TestFiles {
    pub files: BTreeMap<u64, TestFile>,
}

impl FilePages<Model> for TestFiles {
    fn page(
        &mut self,
        platform: &mut Model,
        frames: &mut Frames,
        file: FileId,
        index: u64,
        fill: bool,
    ) -> FilePage {
        let file = self.files.get_mut(&file.0).expect("the file exists");
        match file.pages.get_mut(index as usize) {
            None => FilePage::Beyond,
            Some(Some(page)) => FilePage::Page(*page),
            Some(None) if !fill => FilePage::Hole,
            Some(hole) => match frames.take(Kind::File) {
                Ok(page) => {
                    platform.clear(page);
                    *hole = Some(page);
                    FilePage::Page(page)
                }
                Err(_) => FilePage::NoMemory,
            },
        }
    }

    fn keep(&mut self, file: FileId) {
        self.files.get_mut(&file.0).expect("the file exists").kept += 1;
    }

    fn release(&mut self, _: &mut Model, _: &mut Frames, file: FileId) {
        let file = self.files.get_mut(&file.0).expect("the file exists");
        file.kept = file.kept.checked_sub(1).expect("the file was kept");
    }
}

/// A backing that can be told to fail.
pub struct FailingBacking(pub MemoryBacking, pub std::rc::Rc<std::cell::Cell<bool>>);

impl Backing<Model> for FailingBacking {
    fn slots(&self) -> u32 {
        Backing::<Model>::slots(&self.0)
    }

    fn write(&mut self, model: &mut Model, slot: Slot, from: Pfn) -> Result<(), BackingError> {
        if self.1.get() { Err(BackingError) } else { self.0.write(model, slot, from) }
    }

    fn read(&mut self, model: &mut Model, slot: Slot, to: Pfn) -> Result<(), BackingError> {
        if self.1.get() { Err(BackingError) } else { self.0.read(model, slot, to) }
    }
}

pub struct World {
    pub platform: Model,
    pub memory: Memory<Model>,
    pub files: TestFiles,
    pub spaces: Vec<AddressSpace<Model>>,
    pub backing_fails: std::rc::Rc<std::cell::Cell<bool>>,
    slots: u64,
    free: u64,
    holes: Vec<Pfn>,
}

impl World {
    /// A world of that many free pages, swap slots beside them, and one address space.
    pub fn new(pages: u64, slots: u32) -> World {
        Self::with(pages, slots, Settings { ahead: 1, ..Settings::default() })
    }

    pub fn with(pages: u64, slots: u32, settings: Settings) -> World {
        // One more is the page of zeros.
        let mut platform: Model = Model::new(pages + u64::from(slots) + 1);
        let mut frames = platform.frames();
        let backing_fails = std::rc::Rc::<std::cell::Cell<bool>>::default();
        let memory_backing = MemoryBacking::new(&mut frames, slots).unwrap();
        let backing: Option<Box<dyn Backing<Model>>> = (slots > 0)
            .then(|| Box::new(FailingBacking(memory_backing, backing_fails.clone())) as Box<_>);
        frames.set_watermarks(Watermarks { min: 2, low: 4, high: 8 });
        let memory = Memory::new(&mut platform, frames, settings, backing).unwrap();
        let free = memory.frames.count(Kind::Free);
        assert_eq!(free, pages);
        let files = TestFiles::default();
        let mut world = World {
            platform,
            memory,
            files,
            spaces: Vec::new(),
            backing_fails,
            slots: slots.into(),
            free,
            holes: Vec::new(),
        };
        world.spawn();
        world
    }

    pub fn spawn(&mut self) {
        let space =
            AddressSpace::new(&mut self.platform, &mut self.memory, LAYOUT, LIMITS).unwrap();
        self.spaces.push(space);
    }

    /// A file with these pages; `None` is a hole. Each byte of a page is `content`.
    pub fn add_file(&mut self, number: u64, pages: &[Option<u8>]) {
        let pages = pages
            .iter()
            .map(|content| {
                let content = (*content)?;
                let page = self.memory.frames.take(Kind::File).unwrap();
                self.platform.write(page, 0, &[content; PAGE]);
                Some(page)
            })
            .collect();
        self.files.files.insert(number, TestFile { pages, kept: 0 });
    }

    /// The address spaces, and what they work with.
    pub fn parts(&mut self) -> (&mut Vec<AddressSpace<Model>>, Parts<'_, Model>) {
        let World { platform, memory, files, spaces, .. } = self;
        (spaces, Parts { platform, memory, files })
    }

    pub fn map(
        &mut self,
        who: usize,
        place: Place,
        pages: u64,
        rights: Rights,
        mapping: Mapping,
    ) -> Result<u64, SpaceError> {
        let (spaces, mut parts) = self.parts();
        spaces[who].map(&mut parts, place, pages * PAGE_BYTES, rights, mapping)
    }

    /// Maps private memory, and returns its address.
    pub fn private(&mut self, who: usize, pages: u64) -> u64 {
        self.map(who, Place::Anywhere, pages, RW, Mapping::Private).unwrap()
    }

    pub fn unmap(&mut self, who: usize, address: u64, pages: u64) {
        let (spaces, mut parts) = self.parts();
        spaces[who].unmap(&mut parts, address, pages * PAGE_BYTES).unwrap();
    }

    pub fn protect(
        &mut self,
        who: usize,
        address: u64,
        pages: u64,
        rights: Rights,
    ) -> Result<(), SpaceError> {
        let (spaces, mut parts) = self.parts();
        spaces[who].protect(&mut parts, address, pages * PAGE_BYTES, rights)
    }

    pub fn fault(&mut self, who: usize, address: u64, access: Access) -> Result<(), Fault> {
        let (spaces, mut parts) = self.parts();
        spaces[who].fault(&mut parts, address, access)
    }

    /// Forks, and returns the child's index.
    pub fn fork(&mut self, who: usize) -> usize {
        self.fork_at(who, 0, 0)
    }

    /// Forks a process that is at that instruction, with its stack there.
    pub fn fork_at(&mut self, who: usize, pc: u64, sp: u64) -> usize {
        let (spaces, mut parts) = self.parts();
        let child = spaces[who].fork(&mut parts, pc, sp).unwrap();
        spaces.push(child);
        spaces.len() - 1
    }

    pub fn exit(&mut self, who: usize) {
        let (spaces, mut parts) = self.parts();
        spaces.remove(who).destroy(&mut parts);
    }

    pub fn reclaim(&mut self, wanted: u64) -> u64 {
        let mut spaces: Vec<_> = self.spaces.iter_mut().collect();
        reclaim(&mut self.platform, &mut self.memory, &mut spaces, wanted)
    }

    /// A process loads a byte; its faults are served.
    pub fn load(&mut self, who: usize, address: u64) -> Result<u8, Fault> {
        let mut byte = [0];
        loop {
            let space = self.spaces[who].tables();
            match self.platform.load(space, address, &mut byte, Access::Read) {
                Ok(()) => return Ok(byte[0]),
                Err(at) => self.serve(who, at, Access::Read)?,
            }
        }
    }

    /// A process stores a byte; its faults are served.
    pub fn store(&mut self, who: usize, address: u64, byte: u8) -> Result<(), Fault> {
        loop {
            let space = self.spaces[who].tables();
            match self.platform.store(space, address, &[byte]) {
                Ok(()) => return Ok(()),
                Err(at) => self.serve(who, at, Access::Write)?,
            }
        }
    }

    /// Serves a fault, and reclaims once when memory is out.
    fn serve(&mut self, who: usize, address: u64, access: Access) -> Result<(), Fault> {
        match self.fault(who, address, access) {
            Err(Fault::NoMemory) if self.reclaim(8) > 0 => self.fault(who, address, access),
            result => result,
        }
    }

    /// The page behind an address, if the process could read it now.
    pub fn page_at(&mut self, who: usize, address: u64) -> Option<Pfn> {
        self.entry(who, address).map(|(page, _)| page)
    }

    pub fn entry(&mut self, who: usize, address: u64) -> Option<(Pfn, Protection)> {
        let page = VirtAddr(address / PAGE_BYTES * PAGE_BYTES);
        let space = self.spaces[who].tables();
        self.platform.entry(space, page)
    }

    /// The balloon takes free pages.
    pub fn inflate(&mut self, pages: u64) {
        for _ in 0..pages {
            if let Ok(page) = self.memory.frames.take(Kind::Kernel) {
                self.memory.frames.make_hole(page);
                self.holes.push(page);
            }
        }
    }

    /// It gives all back.
    pub fn deflate(&mut self) {
        while let Some(page) = self.memory.frames.fill_hole() {
            let at = self.holes.iter().position(|hole| *hole == page).expect("it is a hole");
            self.holes.swap_remove(at);
            self.memory.frames.give(page);
        }
    }

    /// Checks all that must hold at any time.
    pub fn audit(&self) {
        let spaces: Vec<_> = self.spaces.iter().collect();
        if let Err(what) = audit(&self.memory, &spaces, self) {
            panic!("{what}");
        }
        for (number, file) in &self.files.files {
            let areas = self.spaces.iter().flat_map(|space| space.areas());
            let maps = |area: &&kernel_core::memory::Area| {
                matches!(area.source,
                kernel_core::memory::Source::File { file, .. } if file.0 == *number)
            };
            assert_eq!(file.kept, areas.filter(maps).count() as u64, "areas of file {number}");
        }
    }

    /// The page of zeros is the kernel's page that is taken behind those of the slots.
    fn is_zero_page(&self, page: Pfn) -> bool {
        page.0 == self.slots
    }

    /// Ends everything, and checks that all of it came back.
    pub fn finish(mut self) {
        while !self.spaces.is_empty() {
            self.exit(0);
        }
        self.deflate();
        for (_, file) in std::mem::take(&mut self.files.files) {
            assert_eq!(file.kept, 0);
            for page in file.pages.into_iter().flatten() {
                assert!(self.memory.frames.give(page));
            }
        }
        self.audit();
        let info = self.memory.info();
        assert_eq!(info.free, self.free, "pages that came back");
        assert_eq!((info.swap_free, info.leaves), (self.slots, 0));
        assert_eq!((info.tables, info.anonymous, info.shared, info.cached), (0, 0, 0, 0));
    }
}

impl Outside<Model> for World {
    /// Of the kernel's pages, the audit knows the page of zeros; the others are slots.
    fn uses(&self, page: Pfn) -> u32 {
        let of_file = |file: &&TestFile| file.pages.contains(&Some(page));
        let is_kernel = self.memory.frames.kind(page) == Kind::Kernel;
        let files = self.files.files.values().filter(of_file).count() as u32;
        files + u32::from(is_kernel && !self.is_zero_page(page))
    }

    fn entry(&self, space: &ModelSpace, page: VirtAddr) -> Option<(Pfn, Protection)> {
        self.platform.entry(space, page)
    }

    fn entries(&self, space: &ModelSpace) -> usize {
        self.platform.entries(space)
    }
}

/// The pages of a range of addresses.
pub fn pages(address: u64, pages: u64) -> Pages {
    Pages { start: address / PAGE_BYTES, end: address / PAGE_BYTES + pages }
}
