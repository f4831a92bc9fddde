//! Small domains under the core, with everything written down that the core does to the machine,
//! and what its tables say after each step.

use core_tests::World;
use core_tests::recorder::{self, Recorder};
use hypercall_abi::addr::Level;
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::{P2mRegister, ShareAdvise};
use hypercall_abi::trap::{Cause, FaultAccess};
use hypercall_abi::{Mfn, Pfn};
use merge_trace::{Event, Line, Page, PageLine, RecordKind, RecordLine, What};
use pv_core::format::{Entry, Format, X86_64 as Tables};
use pv_core::frame::Frame;
use pv_core::model::Access;
use pv_core::share::{RECORD_BYTES, Record, ScanConfig};
use pv_core::{FRAME_WORDS, Machine, Outcome, State, Trap, X86_64};
use std::collections::BTreeMap;

/// Ticks of a second of the model machine.
const TICKS: u64 = 1_000_000_000;

/// Steps after which nothing more is waited for.
const PATIENCE: u64 = 10_000;

/// Frames of a domain.
const FRAMES: u64 = 128;

/// Page of a domain at which its P2M begins.
const P2M: u64 = 3;

const CONFIG: ScanConfig = ScanConfig {
    pages_per_second: TICKS,
    host_pages_per_second: TICKS,
    hints: 64,
    secret: [0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321],
    hash_bits: 64,
};

/// The machine, and what was told so far.
pub struct Tracer {
    pub world: World<X86_64>,
    stage: &'static str,
    step: u64,
    /// What domains have written into the pages that are watched.
    written: BTreeMap<Page, Vec<u64>>,
    lines: Vec<Line>,
}

/// What the core's tables say at some time.
struct Look {
    scanned: u64,
    volatile: u64,
    hints: u64,
    differed: u64,
    records: Vec<(usize, Record)>,
    /// Of each shared frame its pages.
    sharers: BTreeMap<Mfn, u32>,
    free: u64,
    dirty: u64,
    /// The frames of the pages that are watched.
    pages: Vec<(Page, Mfn)>,
}

impl Look {
    fn backs(&self, frame: Mfn) -> bool {
        self.pages.iter().any(|(_, backing)| *backing == frame)
    }

    /// The page that has a frame, if it is the only one.
    fn page_of(&self, frame: Mfn) -> Option<Page> {
        let mut pages = self.pages.iter().filter(|(_, backing)| *backing == frame);
        pages.next().filter(|_| pages.next().is_none()).map(|(page, _)| *page)
    }
}

impl Tracer {
    /// So many domains of one sharing group, none of whose pages may be shared yet.
    pub fn new(domains: usize) -> Tracer {
        let mut world = World::new(domains, FRAMES);
        assert!(world.state.enable_sharing(1_000, 0), "there is room");
        assert!(world.state.enable_scanner(CONFIG), "there is room");
        for domain in 0..domains {
            world.state.set_sharing_group(world.slots[domain], 1);
            let arguments = world.state.vcpu(world.slots[domain]).arguments;
            let map = world.p2m(domain, P2M);
            world.machine.write(arguments, 0, map.0);
            world.call(domain, &P2mRegister { count: 1 }).expect("it is the domain's map");
        }
        while world.state.scrub(&mut world.machine) {}
        Tracer { world, stage: "", step: 0, written: BTreeMap::new(), lines: Vec::new() }
    }

    /// What was told.
    pub fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    /// What comes from here on is in the course of this.
    pub fn begin(&mut self, stage: &'static str) {
        self.stage = stage;
    }

    /// Fills a page, before anybody looks at it: what is in it follows from one number.
    pub fn fill(&mut self, page: Page, content: u64) {
        let words: Vec<u64> = (0..FRAME_WORDS as u64).map(|word| content * (word + 3)).collect();
        let frame = self.frame(page);
        for (word, value) in words.iter().enumerate() {
            self.world.machine.write(frame, word, *value);
        }
        self.written.insert(page, words);
    }

    /// The page's domain lets it be shared from now on; `content` names what is in it, 0 does not.
    pub fn advise(&mut self, page: Page, content: u64) {
        let advice = Advice::Share;
        let advise = ShareAdvise { first: Pfn(page.page), count: 1, advice, content };
        self.world.call(place(page), &advise).expect("its P2M is registered");
    }

    /// Lets the core look and merge until something is so.
    pub fn until(&mut self, done: impl Fn(&World<X86_64>) -> bool) {
        let last = self.step + PATIENCE;
        while !done(&self.world) {
            assert!(self.step < last, "{}: it does not come to that", self.stage);
            // Longer than pairs are gathered, so that one is merged by itself.
            self.world.machine.advance(TICKS / 5);
            self.act(|state, machine, _| {
                let _ = state.share_step(machine);
            });
        }
    }

    /// Lets the core scrub what waits for it.
    pub fn scrub(&mut self) {
        while self.act(|state, machine, _| state.scrub(machine)) {}
    }

    /// The page's domain writes a word, by way of its processor.
    pub fn write(&mut self, page: Page, word: usize, value: u64) {
        let domain = place(page);
        self.world.switch_to(domain);
        let address = self.world.physmap(page.page);
        let address = hypercall_abi::VirtAddr(address.0 + word as u64 * 8);
        while self.world.machine.access(address, Access::Write(value)).is_err() {
            self.tell(What::Faulted, Some(page), Some(self.frame(page)), None);
            let code = FaultAccess::WRITE.bits();
            let trap = Trap { cause: Cause::PageFault, code, address: address.0 };
            let slot = self.world.slots[domain];
            let outcome = self.act(|state, machine, registers| {
                let registers = &mut registers[domain];
                state.enter(machine, slot, registers, pv_core::Entry::Trap(trap))
            });
            assert_eq!(outcome, Outcome::Return, "the write is made again");
        }
        self.tell(What::Written, Some(page), Some(self.frame(page)), None);
        self.written.entry(page).or_default()[word] = value;
        self.world.audit();
    }

    /// Tells what the scanner remembers, and what backs the pages that are watched.
    pub fn show(&mut self, when: &str) {
        self.show_records(when);
        self.show_pages(when);
    }

    fn show_records(&mut self, when: &str) {
        let look = self.look();
        let records = look.records.iter().map(|(position, record)| {
            let line = RecordLine {
                place: *position,
                kind: RecordKind::Hint,
                tag: 0,
                page: None,
                frame: None,
                references: None,
                sharers: None,
            };
            match *record {
                Record::Hint { tag, slot, page, frame } => {
                    let page = Some(self.page(slot, page));
                    RecordLine { tag, page, frame: Some(frame.0), ..line }
                }
                Record::Shared { tag, frame, references } => RecordLine {
                    kind: RecordKind::Shared,
                    tag,
                    frame: Some(frame.0),
                    references,
                    sharers: look.sharers.get(&frame).copied(),
                    ..line
                },
                Record::Content { tag, slot, page } => {
                    let page = Some(self.page(slot, page));
                    RecordLine { kind: RecordKind::Content, tag, page, ..line }
                }
            }
        });
        let records = records.collect();
        self.lines.push(Line::Records { when: when.to_owned(), bytes_each: RECORD_BYTES, records });
    }

    /// Tells what backs the pages that are watched.
    pub fn show_pages(&mut self, when: &str) {
        let pages = self.written.iter().map(|(page, words)| {
            let frame = self.frame(*page);
            let now = (0..FRAME_WORDS).map(|word| self.world.machine.read(frame, word));
            PageLine { page: *page, frame: frame.0, is_right: now.eq(words.iter().copied()) }
        });
        let (pages, free) = (pages.collect(), self.look().free);
        self.lines.push(Line::Pages { when: when.to_owned(), pages, free });
    }

    fn page(&self, slot: pv_core::Slot, page: Pfn) -> Page {
        Page { domain: self.world.state.domain(slot).id.0, page: page.0 }
    }

    fn frame(&self, page: Page) -> Mfn {
        self.world.p2m(place(page), page.page)
    }

    fn tell(&mut self, what: What, page: Option<Page>, frame: Option<Mfn>, count: Option<u64>) {
        let (stage, step, frame) = (self.stage.to_owned(), self.step, frame.map(|frame| frame.0));
        self.lines.push(Line::Event(Event { stage, step, what, page, frame, count }));
    }

    fn look(&self) -> Look {
        let state = &self.world.state;
        let (scan, sharing) = (state.scan_counters(), state.sharing.counters);
        let (free, dirty) = state.frames.list_lengths();
        let shared = state.frames.iter().filter_map(|(frame, state)| match state {
            Frame::Shared(shared) => Some((frame, shared.sharers)),
            _ => None,
        });
        Look {
            scanned: scan.scanned,
            volatile: scan.volatile,
            hints: scan.hints,
            differed: sharing.differed,
            records: state.scan_records().collect(),
            sharers: shared.collect(),
            free: free.into(),
            dirty: dirty.into(),
            pages: self.written.keys().map(|page| (*page, self.frame(*page))).collect(),
        }
    }

    /// One step of the core: what it does to the machine, and then what is in its tables that was
    /// not there before.
    fn act<T>(
        &mut self,
        run: impl FnOnce(&mut State<X86_64>, &mut Recorder<'_, Tables>, &mut Registers) -> T,
    ) -> T {
        self.step += 1;
        let before = self.look();
        let World { state, machine, registers, .. } = &mut self.world;
        let mut recorder = Recorder::new(machine);
        let result = run(state, &mut recorder, registers);
        let events = recorder.into_events();
        self.world.audit();
        let after = self.look();
        self.tell_events(&before, &after, &events);
        self.tell_changes(&before, &after);
        result
    }

    fn tell_events(&mut self, before: &Look, after: &Look, events: &[recorder::Event]) {
        use recorder::Event;
        let read: Vec<(Mfn, usize)> = events
            .iter()
            .filter_map(|event| match event {
                Event::Read { frame, words } => Some((*frame, *words)),
                _ => None,
            })
            .collect();
        let looks = after.scanned > before.scanned;
        if looks {
            let looked_at = read.iter().find_map(|(frame, _)| before.page_of(*frame));
            self.tell(What::LookedAt, looked_at, None, None);
            if after.volatile > before.volatile {
                self.tell(What::NotSteady, looked_at, None, None);
            }
        }
        let whole = read.iter().filter(|(_, words)| *words >= FRAME_WORDS).count();
        for event in events {
            match *event {
                Event::Read { frame, words } if words >= FRAME_WORDS => {
                    let what = match whole {
                        1 if looks => What::Hashed,
                        1 => What::Rehashed,
                        _ => What::Compared,
                    };
                    self.tell(what, before.page_of(frame), Some(frame), None);
                }
                Event::Masked { old, kept, .. } if old & !kept & Tables::WRITE != 0 => {
                    if let Some(frame) = leaf(old) {
                        self.tell(What::Protected, before.page_of(frame), Some(frame), None);
                    }
                }
                Event::Exchanged { old, new, .. } => {
                    let pages = leaf(old).zip(leaf(new));
                    let Some((old, named)) = pages.filter(|(old, _)| before.backs(*old)) else {
                        continue;
                    };
                    let what =
                        if new & Tables::WRITE == 0 { What::Redirected } else { What::Permitted };
                    // Of pages that shared the frame the one that has another now.
                    let of_old = |(page, frame): &&(Page, Mfn)| {
                        *frame == old && after.pages.contains(&(*page, named))
                    };
                    let page = before.pages.iter().find(of_old).map(|(page, _)| *page);
                    self.tell(what, page, Some(named), None);
                }
                Event::Written { frame, word, value } => {
                    let domains = 0..self.world.slots.len();
                    let of = domains.clone().find(|domain| self.world.p2m(*domain, P2M) == frame);
                    let Some(domain) = of else { continue };
                    let page = self.page(self.world.slots[domain], Pfn(word as u64));
                    self.tell(What::SlotWritten, Some(page), Some(Mfn(value)), None);
                }
                Event::Filled(frame) => {
                    self.tell(What::Copied, after.page_of(frame), Some(frame), None);
                }
                Event::Flushed => self.tell(What::Flushed, None, None, None),
                Event::Scrubbed(frame) => self.tell(What::Scrubbed, None, Some(frame), None),
                Event::Read { .. } | Event::Masked { .. } | Event::Permitted { .. } => {}
            }
        }
    }

    fn tell_changes(&mut self, before: &Look, after: &Look) {
        if after.hints > before.hints {
            self.tell(What::HintMet, None, None, None);
        }
        if after.differed > before.differed {
            self.tell(What::Differed, None, None, None);
        }
        for (frame, sharers) in &after.sharers {
            if before.sharers.get(frame) != Some(sharers) {
                self.tell(What::References, None, Some(*frame), Some(u64::from(*sharers)));
            }
        }
        if after.dirty > before.dirty {
            let pages = before.pages.iter().map(|(_, frame)| *frame);
            let gone = pages.into_iter().find(|frame| !after.backs(*frame));
            self.tell(What::Released, None, gone, Some(after.dirty));
        }
        if after.free != before.free {
            self.tell(What::FreeList, None, None, Some(after.free));
        }
        for (_, record) in before.records.iter().filter(|known| !after.records.contains(known)) {
            let (page, frame, _) = self.about(record);
            // The record of a shared frame takes the place of the hint that told of it.
            let is_told = after.records.iter().any(|(_, now)| {
                let (_, of, references) = self.about(now);
                of == frame && references.is_some()
            });
            if !is_told {
                self.tell(What::Forgotten, page, frame, None);
            }
        }
        for known in after.records.iter().filter(|known| !before.records.contains(known)) {
            let (page, frame, references) = self.about(&known.1);
            let what = if references.is_some() { What::FrameRecorded } else { What::HintRecorded };
            self.tell(what, page, frame, references.map(u64::from));
        }
    }

    /// What a record is about: a page, a frame, references.
    fn about(&self, record: &Record) -> (Option<Page>, Option<Mfn>, Option<u16>) {
        match *record {
            Record::Hint { slot, page, frame, .. } => {
                (Some(self.page(slot, page)), Some(frame), None)
            }
            Record::Shared { frame, references, .. } => (None, Some(frame), references),
            Record::Content { slot, page, .. } => (Some(self.page(slot, page)), None, None),
        }
    }
}

type Registers = Vec<<X86_64 as pv_core::Platform>::Registers>;

/// Place of a page's domain among the domains, which are numbered from 1 on.
fn place(page: Page) -> usize {
    usize::from(page.domain) - 1
}

/// The frame that an entry of level 1 maps.
fn leaf(value: u64) -> Option<Mfn> {
    match Tables::decode(value, Level::L1) {
        Ok(Entry::Leaf(leaf)) => Some(leaf.frame),
        _ => None,
    }
}
