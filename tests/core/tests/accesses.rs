//! How the core reaches memory that a guest can reach too: each word is believed once, and
//! page tables are written in one way.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, Mfn, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::frame::{Frame, Type};
use pv_core::model::ModelMachine;
use pv_core::{Entry, Machine, Outcome, Registers, X86_64, audit};
use std::cell::Cell;

type Sheet = pv_core::format::X86_64;

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };

/// The model's machine, looked over the shoulder of. A guest on another processor changes the
/// argument frame: each word of it reads as `values` in turn.
struct Watched<'a> {
    machine: &'a mut ModelMachine<Sheet>,
    arguments: Mfn,
    /// What a word of the argument frame reads as, by how often it has been read.
    changing: Option<(usize, [u64; 2])>,
    reads: Cell<usize>,
    writes: Vec<(Mfn, usize)>,
}

impl Machine for Watched<'_> {
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        match self.changing {
            Some((place, values)) if frame == self.arguments && word == place => {
                let count = self.reads.get();
                self.reads.set(count + 1);
                values[count % 2]
            }
            _ => self.machine.read(frame, word),
        }
    }
    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        self.writes.push((frame, word));
        self.machine.write(frame, word, value);
    }
    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64 {
        self.machine.exchange(frame, word, value)
    }
    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        self.machine.fetch_or(frame, word, bits)
    }
    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        self.machine.fetch_and(frame, word, bits)
    }
    fn zero(&mut self, frame: Mfn) {
        self.machine.zero(frame);
    }
    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]) {
        self.machine.copy_in(frame, offset, bytes);
    }
    fn root_entry(&self, slot: usize) -> u64 {
        self.machine.root_entry(slot)
    }
    fn load_root(&mut self, root: Option<Mfn>) {
        self.machine.load_root(root);
    }
    fn flush_all(&mut self) {
        self.machine.flush_all();
    }
    fn flush_page(&mut self, address: VirtAddr) {
        self.machine.flush_page(address);
    }
    fn now(&self) -> u64 {
        self.machine.now()
    }
    fn set_alarm(&mut self, deadline: u64) {
        self.machine.set_alarm(deadline);
    }
    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]) {
        self.machine.console_write(domain, stream, bytes);
    }
}

fn world() -> World<X86_64> {
    let mut world = World::<X86_64>::new(1, 128);
    world.switch_to(0);
    for pfn in 100..106 {
        let frame = world.p2m(0, pfn);
        let address = world.physmap(pfn);
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        world.update(0, target, Sheet::leaf(frame, RO)).unwrap();
    }
    world
}

/// Makes a call on a watched machine, to its end; what was written.
fn watched<C: Call>(
    world: &mut World<X86_64>,
    call: &C,
    changing: Option<(usize, [u64; 2])>,
) -> Vec<(Mfn, usize)> {
    let arguments = world.p2m(0, 2);
    let slot = world.slots[0];
    world.registers[0].set_call(C::NUMBER as u64, &call.encode());
    let machine = &mut world.machine;
    let mut machine =
        Watched { machine, arguments, changing, reads: Cell::new(0), writes: Vec::new() };
    let registers = &mut world.registers[0];
    let mut outcome = world.state.enter(&mut machine, slot, registers, Entry::Call);
    while outcome == Outcome::Reschedule {
        let _ = world.state.schedule(&mut machine);
        outcome = world.state.resume(&mut machine, slot, registers);
    }
    let writes = machine.writes;
    audit::audit(&world.state, &world.machine).unwrap();
    audit::audit_translations(&world.state, &world.machine).unwrap();
    writes
}

fn is_table(world: &World<X86_64>, frame: Mfn) -> bool {
    matches!(world.state.frames.get(frame), Ok(Frame::Owned(owned)) if matches!(owned.kind, Type::Table(_)))
}

/// A processor that walks a table meanwhile sees an entry as it was or as it is.
/// Clauses: RULE.5
/// Advisories: XSA-328
#[test]
fn tables_are_written_by_exchange_alone() {
    let mut world = world();
    let [low, high, page] = [100, 101, 102].map(|pfn| world.p2m(0, pfn));
    watched(&mut world, &PtCreate { frame: low, level: Level::L1 }, None);
    watched(&mut world, &PtCreate { frame: high, level: Level::L2 }, None);
    let arguments = world.p2m(0, 2);
    let link = Target::Entry { table: high, index: 1 };
    let updates = [
        Update::new(Target::Entry { table: low, index: 0 }, Sheet::leaf(page, RO)),
        Update::new(link, Sheet::table(low)),
        Update::new(Target::Entry { table: low, index: 0 }, Sheet::leaf(page, RW)),
        Update::new(link, 0),
    ];
    for (index, update) in updates.iter().enumerate() {
        world.machine.write(arguments, 2 * index, update.target.0);
        world.machine.write(arguments, 2 * index + 1, update.value);
        let one = watched(&mut world, &PteUpdate::One(*update), None);
        assert!(!one.iter().any(|(frame, _)| is_table(&world, *frame)), "{one:?}");
    }
    let many = watched(&mut world, &PteUpdate::Many(4), None);
    assert!(!many.iter().any(|(frame, _)| is_table(&world, *frame)), "{many:?}");
    assert_eq!(world.result(0).1, 4);
}

/// Whatever two values a word changes between while a call looks at it, what takes effect is one
/// that was validated.
/// Advisories: XSA-155 XSA-166
#[test]
fn arguments_are_believed_once() {
    let mut frames = world();
    let [low, high, page] = [100, 101, 102].map(|pfn| frames.p2m(0, pfn));
    for (frame, level) in [(low, Level::L1), (high, Level::L2)] {
        frames.call(0, &PtCreate { frame, level }).unwrap();
    }
    let leaf = |table, index| Update::new(Target::Entry { table, index }, 0).target.0;
    let hypervisors = Sheet::leaf(Mfn(0x110), RW);
    let values = [
        0,
        Sheet::leaf(page, RO),
        Sheet::leaf(low, RW),
        hypervisors,
        Sheet::table(low),
        Sheet::table(page),
        Sheet::table(high),
        Sheet::table(low) | 1 << 7,
    ];
    let targets = [leaf(low, 3), leaf(high, 3), leaf(page, 3), 1, 5, u64::MAX];
    let arguments = frames.p2m(0, 2);
    let mut run = |place: usize, pair: [u64; 2], other: u64, call: &dyn Fn(&mut World<X86_64>)| {
        frames.machine.write(arguments, place, pair[0]);
        frames.machine.write(arguments, 1 - place, other);
        call(&mut frames);
    };
    for first in values {
        for second in values {
            for target in [targets[0], targets[1]] {
                run(1, [first, second], target, &|world| {
                    let changing = Some((1, [first, second]));
                    watched(world, &PteUpdate::Many(1), changing);
                    watched(world, &TrapReturn { count: 1 }, changing);
                });
            }
        }
    }
    for first in targets {
        for second in targets {
            for value in [values[1], values[4], values[3]] {
                run(0, [first, second], value, &|world| {
                    let changing = Some((0, [first, second]));
                    watched(world, &PteUpdate::Many(1), changing);
                    watched(world, &TrapReturn { count: 1 }, changing);
                });
            }
        }
    }
    // The frame of a balloon, and the number of a batch's entry: what it was when it was looked at
    // is what is done.
    for pair in [[page.0, 0x110], [low.0, page.0], [page.0, low.0]] {
        run(0, pair, 0, &|world| {
            watched(world, &BalloonInflate::frames(1), Some((0, pair)));
        });
    }
    let unpin = BatchEntry::new(&PtUnpin { frame: low }).number_or_status;
    let inflate = BatchEntry::new(&BalloonInflate::frames(1)).number_or_status;
    for pair in [[unpin, inflate], [inflate, unpin]] {
        run(0, pair, low.0, &|world| {
            watched(world, &Batch { count: 1 }, Some((0, pair)));
        });
    }
}
