//! Processes that do anything, under pressure: what they find in memory is always what
//! [`Contents`] says, every rule of the audit holds after every step, and all comes back.

use crate::{
    contents::{Content, Contents, Page, Process, What},
    world::{PAGE_BYTES, RW, World, pages},
};
use kernel_core::{
    Access,
    memory::{
        Area, Fault, FileId, Mapping, Pages, Place, Rights, Settings, SpaceError, UserMemory,
        oom::{self, Candidate},
    },
};
use proptest::prelude::*;

/// Pages that steps speak of begin here: in two leaves.
const FIRST: u64 = 490;
const COUNT: u64 = 40;
const HEAP: u64 = 100 * PAGE_BYTES;
const STACK: Pages = Pages { start: 1900, end: 1902 };

#[derive(Clone, Debug)]
enum Step {
    Map { at: Option<u64>, pages: u64, rights: u8, what: u8, index: u64 },
    Unmap { at: u64, pages: u64 },
    Protect { at: u64, pages: u64, rights: u8 },
    Discard { at: u64, pages: u64 },
    Heap { end: u64 },
    Fork,
    Exit,
    Load { at: u64, offset: u64 },
    Store { at: u64, offset: u64, byte: u8 },
    Copy { at: u64, offset: u64, length: usize, byte: Option<u8> },
    Reclaim { pages: u64 },
    Inflate { pages: u64 },
    Deflate,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let at = prop_oneof![8 => FIRST..FIRST + COUNT, 1 => 1884..1902u64, 1 => 96..110u64, 1 => any::<u64>()];
    let count = 1..9u64;
    let offset = prop::sample::select(vec![0, 1, 2000, PAGE_BYTES - 1]);
    let step = prop_oneof![
        6 => (prop::option::weighted(0.8, FIRST..FIRST + COUNT), count.clone(), 0..8u8, 0..6u8, 0..8u64)
            .prop_map(|(at, pages, rights, what, index)| Step::Map { at, pages, rights, what, index }),
        2 => (FIRST..FIRST + COUNT, count.clone()).prop_map(|(at, pages)| Step::Unmap { at, pages }),
        3 => (FIRST..FIRST + COUNT, count.clone(), 0..8u8)
            .prop_map(|(at, pages, rights)| Step::Protect { at, pages, rights }),
        1 => (FIRST..FIRST + COUNT, count).prop_map(|(at, pages)| Step::Discard { at, pages }),
        1 => (HEAP - 9..HEAP + 9 * PAGE_BYTES).prop_map(|end| Step::Heap { end }),
        3 => Just(Step::Fork),
        1 => Just(Step::Exit),
        10 => (at.clone(), offset.clone()).prop_map(|(at, offset)| Step::Load { at, offset }),
        30 => (at.clone(), offset.clone(), 1..=255u8)
            .prop_map(|(at, offset, byte)| Step::Store { at, offset, byte }),
        4 => (at, offset, 0..9000usize, prop::option::of(any::<u8>()))
            .prop_map(|(at, offset, length, byte)| Step::Copy { at, offset, length, byte }),
        3 => (1..20u64).prop_map(|pages| Step::Reclaim { pages }),
        1 => (1..20u64).prop_map(|pages| Step::Inflate { pages }),
        1 => Just(Step::Deflate),
    ];
    (0..8usize, step)
}

struct Run {
    world: World,
    contents: Contents,
    shared: u64,
    processes: Vec<u32>,
    youngest: u32,
}

impl Run {
    fn new(around: u64) -> Run {
        let mut world = World::with(
            56,
            24,
            Settings { leaves: 64, around, ahead: around, ..Settings::default() },
        );
        let mut contents = Contents::default();
        let full: Vec<_> = (1..7).map(|content| Some(content * 16)).collect();
        world.add_file(0, &full);
        for (index, content) in full.iter().enumerate() {
            let page = Content { base: content.unwrap(), ..Content::default() };
            contents.common.insert((true, 0, index as u64), page);
        }
        world.add_file(1, &[None; 8]);
        contents.files.extend([(0, 6), (1, 8)]);
        let count = STACK.len();
        let stack = Place::Free(STACK.start * PAGE_BYTES);
        world.map(0, stack, count, RW, Mapping::Stack).unwrap();
        world.spaces[0].start_heap(HEAP);
        let mut process = Process { stack: STACK, heap_end: HEAP, ..Process::default() };
        let page = Page { rights: RW, writable: true, what: What::Private(None, None) };
        process.pages.extend((STACK.start..STACK.end).map(|number| (number, page.clone())));
        contents.processes.push(process);
        Run { world, contents, shared: 0, processes: vec![1], youngest: 1 }
    }

    /// Makes room; `false`: who wanted it has been ended, or there is none.
    fn make_room(&mut self, who: usize) -> bool {
        if self.world.reclaim(8) > 0 {
            return true;
        }
        let usages = self.world.spaces.iter().map(|space| space.usage());
        let candidates = self.processes.iter().zip(usages);
        let candidates = candidates.map(|(process, usage)| Candidate { process: *process, usage });
        let Some(chosen) = oom::choose(candidates) else { return false };
        let victim = self.processes.iter().position(|there| *there == chosen.process).unwrap();
        self.exit(victim);
        self.processes.len() > who && victim > who
    }

    fn exit(&mut self, who: usize) {
        self.world.exit(who);
        self.contents.processes.remove(who);
        self.processes.remove(who);
    }

    fn fork(&mut self, who: usize) {
        if self.processes.len() == 8 {
            return;
        }
        loop {
            let (spaces, mut parts) = self.world.parts();
            let at = |area: Option<&Area>| area.map_or(0, |area| area.pages.addresses().start);
            let areas = spaces[who].areas();
            let (pc, sp) = (at(areas.first()), at(areas.last()));
            if let Ok(child) = spaces[who].fork(&mut parts, pc, sp) {
                spaces.push(child);
                break;
            }
            if !self.make_room(who) {
                return;
            }
        }
        let copy = self.contents.processes[who].clone();
        self.contents.processes.push(copy);
        self.youngest += 1;
        self.processes.push(self.youngest);
    }

    fn map(
        &mut self,
        who: usize,
        at: Option<u64>,
        count: u64,
        rights: Rights,
        what: u8,
        index: u64,
    ) {
        let file = |number, shared, writable| Mapping::File {
            file: FileId(number),
            offset: index * PAGE_BYTES,
            shared,
            writable,
        };
        let mapping = match what {
            0 | 1 => Mapping::Private,
            2 => Mapping::Shared,
            3 => file(0, false, false),
            4 => file(0, true, index.is_multiple_of(2)),
            _ => file(1, true, true),
        };
        let writable = !matches!(mapping, Mapping::File { shared: true, writable: false, .. });
        let place = at.map_or(Place::Anywhere, |at| Place::Fixed(at * PAGE_BYTES));
        let expected = writable || !rights.contains(Rights::WRITE);
        let address = match self.world.map(who, place, count, rights, mapping) {
            Ok(address) => address,
            Err(error) => {
                assert!(error == SpaceError::OverLimit || !expected, "{error:?}");
                return;
            }
        };
        assert!(expected);
        self.shared += 1;
        for offset in 0..count {
            let of = (true, 0, index + offset);
            let what = match mapping {
                Mapping::Private | Mapping::Stack => What::Private(None, None),
                Mapping::Shared => What::Shared((false, self.shared, offset)),
                Mapping::File { shared: false, .. } => What::Private(Some(of), None),
                Mapping::File { file, .. } => What::Shared((true, file.0, of.2)),
            };
            let page = Page { rights, writable, what };
            let process = &mut self.contents.processes[who];
            process.pages.insert(address / PAGE_BYTES + offset, page);
        }
    }

    fn protect(&mut self, who: usize, at: u64, count: u64, rights: Rights) {
        let result = self.world.protect(who, at * PAGE_BYTES, count, rights);
        let range = pages(at * PAGE_BYTES, count);
        // What comes before an obstacle is done.
        let mut expected = Ok(());
        let mut reached = Vec::new();
        for page in range.start..range.end {
            match self.contents.processes[who].pages.get(&page) {
                None => expected = Err(SpaceError::NotMapped),
                Some(there) if !there.writable && rights.contains(Rights::WRITE) => {
                    expected = Err(SpaceError::NotAllowed);
                }
                Some(_) => {
                    reached.push(page);
                    continue;
                }
            }
            break;
        }
        if result != Err(SpaceError::OverLimit) {
            assert_eq!(result, expected);
            for page in reached {
                if let Some(page) = self.contents.processes[who].pages.get_mut(&page) {
                    page.rights = rights;
                }
            }
        }
    }

    fn discard(&mut self, who: usize, at: u64, count: u64) {
        let (spaces, mut parts) = self.world.parts();
        let result = spaces[who].discard(&mut parts, at * PAGE_BYTES, count * PAGE_BYTES);
        let range = pages(at * PAGE_BYTES, count);
        assert_eq!(result.is_ok(), self.contents.covers(who, range));
        if result.is_ok() {
            for page in self.contents.of(who, range) {
                if let What::Private(_, content) = &mut page.what {
                    *content = None;
                }
            }
        }
    }

    fn heap(&mut self, who: usize, end: u64) {
        let (spaces, mut parts) = self.world.parts();
        let now = spaces[who].set_heap_end(&mut parts, end);
        let process = &mut self.contents.processes[who];
        assert_eq!(now, if end < HEAP { process.heap_end } else { end });
        let border = |end: u64| end.div_ceil(PAGE_BYTES);
        let page = Page { rights: RW, writable: true, what: What::Private(None, None) };
        for number in border(process.heap_end)..border(now) {
            process.pages.insert(number, page.clone());
        }
        for number in border(now)..border(process.heap_end) {
            process.pages.remove(&number);
        }
        process.heap_end = now;
    }

    fn touch(&mut self, who: usize, address: u64, byte: Option<u8>) {
        let access = if byte.is_some() { Access::Write } else { Access::Read };
        for round in 0.. {
            assert!(round < 99, "reclaiming frees pages, and none of it helps");
            let found = match byte {
                Some(byte) => self.world.store(who, address, byte).map(|()| byte),
                None => self.world.load(who, address),
            };
            if found == Err(Fault::NoMemory) {
                if self.make_room(who) {
                    continue;
                }
                return;
            }
            let expected = self.contents.touch(who, address, access);
            assert_eq!(found.map(|_| ()), expected, "{access:?} at {address:#x}");
            if let (Ok(found), Ok(())) = (found, expected) {
                match byte {
                    Some(byte) => self.contents.store(who, address, byte),
                    None => assert_eq!(found, self.contents.load(who, address), "{address:#x}"),
                }
            }
            return;
        }
    }

    /// The kernel copies on behalf of a process.
    fn copy(&mut self, who: usize, address: u64, length: usize, byte: Option<u8>) {
        let mut bytes = vec![byte.unwrap_or(0); length];
        let (spaces, parts) = self.world.parts();
        let mut user = UserMemory::new(&mut spaces[who], parts);
        let (done, result) = match byte {
            Some(_) => user.write_some(address, &bytes),
            None => user.read_some(address, &mut bytes),
        };
        let access = if byte.is_some() { Access::Write } else { Access::Read };
        for (index, found) in bytes[..done].iter().enumerate() {
            let at = address + index as u64;
            // Once for each page, as it is slow.
            if index == 0 || at.is_multiple_of(PAGE_BYTES) {
                assert_eq!(self.contents.touch(who, at, access), Ok(()));
            }
            match byte {
                Some(byte) => self.contents.store(who, at, byte),
                None => assert_eq!(*found, self.contents.load(who, at)),
            }
        }
        match (result, address.checked_add(done as u64)) {
            (Ok(()), _) => assert_eq!(done, length),
            (Err(Fault::NoMemory), _) => (),
            (Err(fault), Some(at)) => {
                assert_eq!(self.contents.touch(who, at, access), Err(fault));
            }
            (Err(fault), None) => assert_eq!(fault, Fault::NotMapped),
        }
    }

    fn step(&mut self, who: usize, step: Step) {
        let who = who % self.processes.len();
        let rights = Rights::from_bits_truncate;
        match step {
            Step::Map { at, pages, rights: bits, what, index } => {
                self.map(who, at, pages, rights(bits), what, index);
            }
            Step::Unmap { at, pages: count } => {
                self.world.unmap(who, at * PAGE_BYTES, count);
                self.contents.unmap(who, pages(at * PAGE_BYTES, count));
            }
            Step::Protect { at, pages, rights: bits } => {
                self.protect(who, at, pages, rights(bits));
            }
            Step::Discard { at, pages } => self.discard(who, at, pages),
            Step::Heap { end } => self.heap(who, end),
            Step::Fork => self.fork(who),
            Step::Exit if self.processes[who] != 1 => self.exit(who),
            Step::Exit => (),
            Step::Load { at, offset } => {
                self.touch(who, at.saturating_mul(PAGE_BYTES).saturating_add(offset), None);
            }
            Step::Store { at, offset, byte } => {
                let address = at.saturating_mul(PAGE_BYTES).saturating_add(offset);
                self.touch(who, address, Some(byte));
            }
            Step::Copy { at, offset, length, byte } => {
                let address = at.saturating_mul(PAGE_BYTES).saturating_add(offset);
                self.copy(who, address, length, byte);
            }
            Step::Reclaim { pages } => {
                self.world.reclaim(pages);
            }
            Step::Inflate { pages } => self.world.inflate(pages),
            Step::Deflate => self.world.deflate(),
        }
    }

    /// Every byte that any process ever wrote and can still reach.
    fn check_contents(&mut self) {
        self.world.deflate();
        let mut who = 0;
        // To look at one may end others.
        while who < self.processes.len() {
            let readable: Vec<_> = self.contents.processes[who]
                .pages
                .iter()
                .filter(|(_, page)| !page.rights.is_empty())
                .map(|(number, _)| number * PAGE_BYTES)
                .collect();
            for address in readable {
                for offset in [0, 1, 2000, PAGE_BYTES - 1] {
                    if who < self.processes.len() {
                        self.touch(who, address + offset, None);
                    }
                }
            }
            who += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn processes_find_what_they_wrote(
        steps in prop::collection::vec(step(), 1..250),
        around in prop::sample::select(vec![1, 4, 16]),
    ) {
        let mut run = Run::new(around);
        for (who, step) in steps {
            run.step(who, step);
            run.world.audit();
        }
        run.check_contents();
        run.world.finish();
    }
}
