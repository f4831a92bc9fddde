//! [`Bench`]: makes calls, sets pages and tables up, measures, and sends the figures.
#![allow(unsafe_code, reason = "calls change page tables; pages are reached by address")]

use super::arch;
use conformance::{Entries, Permit};
use hypercall_abi::{
    Mfn, PAGE_SIZE, Pfn, Status, VirtAddr,
    addr::Level,
    calls::{
        Call, PtCreate, PteUpdate,
        console_write::Stream,
        pte_update::{Space, Target, Update},
    },
    start_info::{ARGUMENT_PFN, PageTableFormat, StartInfo, VCPU_PAGE_PFN},
    stubs,
};
use pv_guest::console;
use pv_wire::{BenchRow, MAX_PAYLOAD, record};

/// Runs of which the median is taken.
const RUNS: usize = 15;

/// A page of the domain's.
#[derive(Clone, Copy)]
pub struct Page {
    /// Its number.
    pub pfn: Pfn,
    /// Its frame.
    pub frame: Mfn,
}

/// What measurements are made with.
pub struct Bench {
    info: &'static StartInfo,
    /// Entries of the machine's format.
    pub entries: Entries,
    next_page: u64,
    /// What two readings of the counter cost by themselves.
    empty: u64,
}

impl Bench {
    /// Prepares to measure.
    pub fn new(info: &'static StartInfo) -> Result<Bench, &'static str> {
        let format = PageTableFormat::new(info.page_table_format);
        let entries = Entries(format.ok_or("the page-table format is unknown")?);
        let mut bench = Bench { info, entries, next_page: info.free_pfn.0, empty: 0 };
        bench.empty = bench.median(|_| (), |_| ());
        Ok(bench)
    }

    /// What the domain was told.
    pub fn info(&self) -> &'static StartInfo {
        self.info
    }

    // --- Measuring.

    #[inline(always)]
    fn median(&mut self, mut prepare: impl FnMut(&mut Bench), operation: impl Fn(&Bench)) -> u64 {
        let mut samples = [0; RUNS];
        for sample in &mut samples {
            prepare(self);
            let start = arch::instructions();
            operation(self);
            *sample = arch::instructions() - start;
        }
        samples.sort_unstable();
        samples[RUNS / 2]
    }

    /// Measures an operation, each time after `prepare`, and sends its row.
    #[inline(always)]
    pub fn row(
        &mut self,
        name: &str,
        per: u32,
        prepare: impl FnMut(&mut Bench),
        operation: impl Fn(&Bench),
    ) {
        let instructions = self.median(prepare, operation).saturating_sub(self.empty);
        self.send(name, instructions, per);
    }

    /// Sends a row that was measured in another way. The argument frame, through which it goes,
    /// is as it was afterwards.
    pub fn send(&self, name: &str, instructions: u64, per: u32) {
        let mut row = BenchRow { name: Default::default(), instructions, per };
        if row.name.push_str(name).is_err() {
            panic!("{name} is too long a name");
        }
        let mut buffer = [0; MAX_PAYLOAD];
        let before: [u64; 512] = core::array::from_fn(|word| self.read(ARGUMENT_PFN, word));
        match record::encode(&row, &mut buffer) {
            Some(bytes) => console::write_bytes(Stream::Report, bytes),
            None => panic!("the row {name} does not fit a record"),
        }
        for (word, value) in before.into_iter().enumerate() {
            self.argument(word, value);
        }
    }

    /// What two readings of the counter cost.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    // --- Calls.

    /// Makes a call.
    #[inline(always)]
    pub fn call<C: Call>(&self, call: &C) -> (Status, u64) {
        // SAFETY: measurements change pages and tables that they have taken for themselves;
        // the image, its stack and what the runtime uses lie elsewhere.
        unsafe { stubs::call(call) }
    }

    /// Makes a call that succeeds; its value.
    #[track_caller]
    pub fn must<C: Call>(&self, call: &C) -> u64 {
        let (status, value) = self.call(call);
        assert!(status == Status::SUCCESS, "{}: status {}", C::NUMBER.name(), status.0);
        value
    }

    /// Makes a call that succeeds, between measurements.
    #[track_caller]
    pub fn set_up<C: Call>(&self, call: &C) {
        self.must(call);
    }

    /// Makes a call and ignores what comes back: for what is being measured.
    #[inline(always)]
    pub fn go<C: Call>(&self, call: &C) {
        let _ = core::hint::black_box(self.call(call));
    }

    /// Makes a call that there is not.
    #[inline(always)]
    pub fn invalid(&self) {
        // SAFETY: the hypervisor refuses it.
        let _ = core::hint::black_box(unsafe { stubs::hypercall(0xffff, &[0; 6]) });
    }

    // --- Pages.

    /// Where a page is mapped.
    pub fn address(&self, page: Pfn) -> VirtAddr {
        VirtAddr(self.info.physmap_base + page.0 * PAGE_SIZE)
    }

    /// Reads a word of a page.
    pub fn read(&self, page: Pfn, word: usize) -> u64 {
        assert!(word < 512, "a page has 512 words");
        // SAFETY: the page is mapped, and a word of it is a number.
        unsafe { (self.address(page).0 as *const u64).add(word).read_volatile() }
    }

    /// Writes a word of a page.
    pub fn write(&self, page: Pfn, word: usize, value: u64) {
        assert!(word < 512, "a page has 512 words");
        // SAFETY: the page is mapped writable and is a measurement's own.
        unsafe { (self.address(page).0 as *mut u64).add(word).write_volatile(value) }
    }

    /// Writes a word of the argument frame.
    pub fn argument(&self, word: usize, value: u64) {
        self.write(ARGUMENT_PFN, word, value);
    }

    /// Writes an update to the argument frame.
    pub fn argument_update(&self, index: usize, update: Update) {
        self.argument(2 * index, update.target.0);
        self.argument(2 * index + 1, update.value);
    }

    /// Writes a word of the vCPU page at that byte offset.
    pub fn vcpu(&self, offset: usize, value: u64) {
        self.write(VCPU_PAGE_PFN, offset / 8, value);
    }

    /// The frame of a page, by the P2M.
    pub fn p2m(&self, page: Pfn) -> Mfn {
        let map = Pfn(self.info.p2m_pfn.0 + page.0 / 512);
        Mfn(self.read(map, (page.0 % 512) as usize))
    }

    /// A page that nothing uses, filled with zeros.
    pub fn page(&mut self) -> Page {
        let pfn = Pfn(self.next_page);
        assert!(pfn.0 < self.info.frames, "no page is left");
        self.next_page += 1;
        for word in 0..512 {
            self.write(pfn, word, 0);
        }
        Page { pfn, frame: self.p2m(pfn) }
    }

    /// Changes how the physmap maps a page.
    pub fn remap(&self, page: Page, value: u64) {
        let address = self.address(page.pfn);
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        self.must(&PteUpdate::One(Update::new(target, value)));
    }

    /// Makes the physmap map a page for reading only.
    pub fn protect(&self, page: Page) {
        self.remap(page, self.entries.leaf(page.frame, Permit::Read));
    }

    // --- Tables.

    /// An empty, pinned table.
    pub fn table(&mut self, level: Level) -> Page {
        let page = self.page();
        self.protect(page);
        self.must(&PtCreate { frame: page.frame, level });
        page
    }

    /// A page with entries in it, not yet a table.
    pub fn written(&mut self, words: impl Iterator<Item = (usize, u64)>) -> Page {
        let page = self.page();
        for (word, value) in words {
            self.write(page.pfn, word, value);
        }
        self.protect(page);
        page
    }

    /// Writes an entry of a table.
    pub fn set(&self, table: Mfn, index: u16, value: u64) {
        self.must(&self.update(table, index, value));
    }

    /// The call that writes an entry of a table.
    #[inline(always)]
    pub fn update(&self, table: Mfn, index: u16, value: u64) -> PteUpdate {
        PteUpdate::One(Update::new(Target::Entry { table, index }, value))
    }

    /// Makes the tables from a root to a level-1 table for `address`, and returns that. The
    /// root has none for the address yet below its own entry.
    pub fn chain(&mut self, root: Mfn, address: VirtAddr) -> Page {
        let mut level = self.entries.root_level();
        let mut table = root;
        loop {
            let below = level.below().expect("a root is above level 1");
            let next = self.table(below);
            let link = self.entries.table(next.frame);
            self.set(table, self.entries.index(address, level), link);
            if below == Level::L1 {
                return next;
            }
            (table, level) = (next.frame, below);
        }
    }

    /// As [`chain`](Self::chain), with the tables that are there already: each is one of the
    /// pages that were taken last. Returns the level-1 table.
    pub fn reach(&mut self, root: Mfn, address: VirtAddr) -> Mfn {
        let (mut level, mut table) = (self.entries.root_level(), root);
        while let Some(below) = level.below() {
            let index = self.entries.index(address, level);
            let entry = self.read(self.page_of(table), index.into());
            table = if self.entries.is_present(entry) {
                self.entries.frame(entry)
            } else {
                let next = self.table(below).frame;
                self.set(table, index, self.entries.table(next));
                next
            };
            level = below;
        }
        table
    }

    /// The page that a frame backs.
    fn page_of(&self, frame: Mfn) -> Pfn {
        (0..self.next_page)
            .map(Pfn)
            .find(|page| self.p2m(*page) == frame)
            .expect("the frame is one of the domain's")
    }

    /// A root with the guest's half of the first one.
    pub fn copy_of_root(&mut self) -> Page {
        let page = self.table(self.entries.root_level());
        let first = self.page_of(self.info.root);
        for slot in 0..256 {
            let entry = self.read(first, slot);
            if self.entries.is_present(entry) {
                self.set(page.frame, slot as u16, entry);
            }
        }
        page
    }
}
