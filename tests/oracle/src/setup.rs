//! A machine with two guests that have something to play with: frames that are mapped and not,
//! page tables, grants, a channel. Everything is made by calls, which are compared too.

use crate::oracle::{Layout, Oracle, Registers as Words};
use crate::world::{Guest, World};
use conformance_host::Cpu;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::{
    Call, EventAlloc, EventBind, GrantMap, GrantShare, PtCreate, PteUpdate, TrapRegister,
};
use hypercall_abi::{DomainId, Features, GrantRef, Mfn, PAGE_SIZE, Port, Status, VirtAddr};
use pv_core::format::Format;
use pv_core::frame::Frame;
use pv_core::model::ModelMachine;
use pv_core::{Config, DomainSpec, Image, Machine, Region, RegionKind, Registers, Segment, State};
use std::collections::BTreeMap;

const IMAGE: u64 = 0x1000_0000;
const PHYSMAP: u64 = 0x4000_0000;
/// Frames of a domain at its start, and what it may own more.
const FRAMES: u64 = 40;
const MORE: u64 = 8;
/// Pages that steps play with.
const POOL: u64 = 8;
/// Of them, those that are mapped nowhere.
const UNMAPPED: u64 = 6;
/// Frames that nobody owns at first: fewer than both domains may take.
const SPARE: u64 = 12;
/// Pages that guests may keep in them.
const KEPT: usize = 16;
const HYPERVISOR: std::ops::Range<u64> = 0x120..0x124;
const RESERVED: std::ops::Range<u64> = 0x130..0x134;
const BASE: u64 = 0x100;

impl<P: Cpu> World<P> {
    /// The machine.
    ///
    /// # Panics
    /// When a call that makes it is refused: the core is not what it should be.
    pub fn new() -> World<P> {
        let mut world = Self::empty();
        for _ in 0..2 {
            world.build();
        }
        world.check().expect("a machine with two domains is as the book says");
        for who in 0..2 {
            world.prepare(who);
        }
        for who in 0..2 {
            world.join(who);
        }
        world.begin_story();
        world
    }

    fn empty() -> World<P> {
        let config = Config {
            ticks_per_second: 1_000_000_000,
            slice_ticks: 1_000_000,
            scatter_stride: 37,
            features: Features::AUDIT,
        };
        let count = 2 * FRAMES + SPARE + 8;
        let region = |range: &std::ops::Range<u64>, kind| Region {
            start: Mfn(range.start),
            count: range.end - range.start,
            kind,
        };
        let memory = [
            Region { start: Mfn(BASE), count, kind: RegionKind::Free },
            region(&HYPERVISOR, RegionKind::Hypervisor),
            region(&RESERVED, RegionKind::Reserved),
        ];
        let mut state = State::new(config, &memory).expect("there is memory");
        assert!(state.enable_spare(KEPT, [1, 2]), "there is memory");
        let machine = ModelMachine::<P::Format>::default();
        let other = |frame: &u64| HYPERVISOR.contains(frame) || RESERVED.contains(frame);
        let mut oracle = Oracle::new(
            Layout(P::Format::ID),
            Features::AUDIT,
            (BASE..BASE + count).filter(|frame| !other(frame)).map(Mfn).collect(),
            HYPERVISOR.map(Mfn).collect(),
            (0..512).map(|slot| machine.root_entry(slot)).collect(),
        );
        oracle.now = machine.now();
        World::bare(state, machine, oracle)
    }

    /// Builds a domain, and tells the oracle of it.
    fn build(&mut self) {
        let segment = Segment {
            address: VirtAddr(IMAGE),
            memory_size: PAGE_SIZE,
            data: b"code",
            writable: false,
            executable: true,
        };
        let image = Image { entry: VirtAddr(IMAGE), physmap_base: PHYSMAP, segments: &[segment] };
        let spec = DomainSpec {
            name: "guest",
            frames: FRAMES,
            max_frames: FRAMES + MORE,
            contiguous: false,
            command_line: "",
            watchdog_ticks: 0,
            image,
            module: None,
        };
        let (slot, registers) =
            self.state.create_domain(&mut self.machine, &spec).expect("the domain fits");
        let id = self.state.domain(slot).id;
        let owned = |frame: &Frame| matches!(frame, Frame::Owned(owned) if owned.owner == id);
        let numbers = self.state.frames.iter().filter(|(_, frame)| owned(frame));
        let content = |frame| self.machine.content(frame).expect("it was written").to_vec();
        let frames: BTreeMap<Mfn, Vec<u64>> =
            numbers.map(|(number, _)| (number, content(number))).collect();
        // Page 3 is the map of pages: of itself too, and of page 0 that begins with a word.
        let magic = hypercall_abi::start_info::MAGIC;
        let start = frames.iter().find(|(_, words)| words[0] == magic).expect("it has one").0;
        let map = frames.iter().find(|(own, words)| words[0] == start.0 && words[3] == own.0);
        let map = map.expect("it has one").1.clone();
        let words = Words { words: registers.words().to_vec() };
        let pages = [0, 1, 2].map(|page| Mfn(map[page]));
        self.oracle.start(crate::oracle::New { id, frames, pages, registers: words });
        self.registers.insert(id, registers);
        let pool = (FRAMES - POOL..FRAMES).map(|page| Mfn(map[page as usize])).collect();
        let pages = (FRAMES - POOL..FRAMES).map(|page| PHYSMAP + page * PAGE_SIZE).collect();
        self.guests.push(Guest { slot, id, pool, pages });
    }

    fn must<C: Call>(&mut self, who: usize, call: &C) -> u64 {
        let made = self.call(who, C::NUMBER as u64, &call.encode(), IMAGE + 0x100);
        let (status, value) = made.unwrap_or_else(|mismatch| panic!("{mismatch}"));
        assert_eq!(status, Status::SUCCESS, "{:?} {:?}", C::NUMBER, call.encode());
        value
    }

    /// A guest by itself: pages unmapped, a trap entry, tables, grants for the other.
    fn prepare(&mut self, who: usize) {
        let Guest { id, pool, pages, .. } = self.guests[who].clone();
        for page in &pages[..UNMAPPED as usize] {
            let address = VirtAddr(*page);
            let target = Target::Page { space: Space::Kernel, address, flush: true };
            self.must(who, &PteUpdate::One(Update::new(target, 0)));
        }
        assert!(!self.is_mapped_writable(id, pool[0]) && self.is_mapped_writable(id, pool[7]));
        self.must(who, &TrapRegister { entry: VirtAddr(IMAGE), stack: VirtAddr(PHYSMAP) });
        self.must(who, &PtCreate { frame: pool[3], level: Level::L1 });
        self.must(who, &PtCreate { frame: pool[4], level: Level::L2 });
        let target = Target::Entry { table: pool[4], index: 0 };
        self.must(who, &PteUpdate::One(Update::new(target, P::Format::table(pool[3]))));
        let root = P::Format::ROOT;
        self.must(who, &PtCreate { frame: pool[5], level: root });
        let peer = DomainId(2 - who as u16);
        for (frame, access) in [(pool[6], Access::ReadWrite), (pool[7], Access::Read)] {
            self.must(who, &GrantShare { domain: peer, frame, access });
        }
        self.must(who, &EventAlloc { domain: peer });
    }

    /// A guest with the other: a grant mapped, a channel bound.
    fn join(&mut self, who: usize) {
        let domain = self.guests[1 - who].id;
        let grant = GrantRef(who as u32);
        let access = if who == 0 { Access::ReadWrite } else { Access::Read };
        self.must(who, &GrantMap { domain, grant, access });
        if who == 0 {
            self.must(who, &EventBind { domain, port: Port(4) });
        }
    }
}

impl<P: Cpu> Default for World<P> {
    fn default() -> Self {
        World::new()
    }
}
