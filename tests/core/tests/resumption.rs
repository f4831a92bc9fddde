//! Long calls: each is done in bounded steps, and whatever happens between two of them, the
//! frames and their counts are right. The audit runs after every step.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, Number, Status};
use pv_core::format::{Format, Permissions};
use pv_core::model::ModelMachine;
use pv_core::{EndReason, Machine, Next, Registers, State, X86_64, audit};

type Sheet = pv_core::format::X86_64;

const RO: Permissions = Permissions { write: false, execute: false };
/// Pages of the domain that the tests use; the loader uses none of them.
const TARGET: u64 = 60;
const TABLES: u64 = 61;
const SPARE: u64 = 70;

/// Units of work in one step, and the most by which a step can pass them.
const BUDGET: u32 = 200;
const OVER: u32 = 96;

/// A call that is long: its registers, and the units of work that it takes at least.
struct Long {
    name: &'static str,
    number: Number,
    args: Args,
    work: u32,
}

fn long<C: Call>(name: &'static str, call: &C, work: u32) -> Long {
    Long { name, number: C::NUMBER, args: call.encode(), work }
}

fn at(table: Mfn, index: u16) -> Target {
    Target::Entry { table, index }
}

/// Makes a page a table that is not validated yet, with these entries.
fn written(world: &mut World<X86_64>, pfn: u64, entries: impl Fn(usize) -> u64) -> Mfn {
    let frame = world.p2m(0, pfn);
    let address = world.physmap(pfn);
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    world.update(0, target, Sheet::leaf(frame, RO)).unwrap();
    for index in 0..512 {
        world.machine.write(frame, index, entries(index));
    }
    frame
}

/// A table with 512 leaves.
fn full(world: &mut World<X86_64>) -> Mfn {
    let leaf = Sheet::leaf(world.p2m(0, TARGET), RO);
    written(world, TABLES, |_| leaf)
}

fn empty(world: &mut World<X86_64>, pfn: u64, level: Level) -> Mfn {
    let frame = written(world, pfn, |_| 0);
    world.call(0, &PtCreate { frame, level }).unwrap();
    frame
}

fn set_arguments(world: &mut World<X86_64>, words: impl IntoIterator<Item = u64>) {
    let arguments = world.p2m(0, 2);
    for (word, value) in words.into_iter().enumerate() {
        world.machine.write(arguments, word, value);
    }
}

fn pin(world: &mut World<X86_64>) -> Long {
    let frame = full(world);
    long("pt_pin", &PtPin { frame, level: Level::L1 }, 512 * 8)
}

fn unpin(world: &mut World<X86_64>) -> Long {
    let frame = full(world);
    world.call(0, &PtPin { frame, level: Level::L1 }).unwrap();
    long("pt_unpin", &PtUnpin { frame }, 512 * 8)
}

fn link(world: &mut World<X86_64>) -> Long {
    let (frame, above) = (full(world), empty(world, TABLES + 1, Level::L2));
    let update = Update::new(at(above, 0), Sheet::table(frame));
    long("pte_update of a link", &PteUpdate::One(update), 512 * 8)
}

fn unlink(world: &mut World<X86_64>) -> Long {
    let (frame, above) = (full(world), empty(world, TABLES + 1, Level::L2));
    world.update(0, at(above, 0), Sheet::table(frame)).unwrap();
    long("pte_update of the last link", &PteUpdate::One(Update::new(at(above, 0), 0)), 512 * 8)
}

fn switch(world: &mut World<X86_64>) -> Long {
    let (low, middle) = (full(world), empty(world, TABLES + 1, Level::L2));
    world.update(0, at(middle, 9), Sheet::table(low)).unwrap();
    let high = empty(world, TABLES + 2, Level::L3);
    world.update(0, at(high, 511), Sheet::table(middle)).unwrap();
    let root = empty(world, TABLES + 3, Level::L4);
    world.update(0, at(root, 100), Sheet::table(high)).unwrap();
    let keep = RootChange::Keep;
    let set = PtSwitch { kernel_root: keep, user_root: RootChange::Set(root) };
    world.call(0, &set).unwrap();
    for frame in [root, high, middle] {
        world.call(0, &PtUnpin { frame }).unwrap();
    }
    let clear = PtSwitch { kernel_root: keep, user_root: RootChange::Clear };
    long("pt_switch from the last root", &clear, 512 * 8)
}

fn many(world: &mut World<X86_64>) -> Long {
    let table = empty(world, TABLES, Level::L1);
    let leaf = Sheet::leaf(world.p2m(0, TARGET), RO);
    let update = |index: u16| Update::new(at(table, index), leaf);
    set_arguments(world, (0..256).flat_map(|index| [update(index).target.0, update(index).value]));
    long("pte_update of many", &PteUpdate::Many(256), 256 * 20)
}

fn inflate(world: &mut World<X86_64>) -> Long {
    let frames: Vec<u64> = (SPARE..SPARE + 50).map(|pfn| world.p2m(0, pfn).0).collect();
    for pfn in SPARE..SPARE + 50 {
        let address = world.physmap(pfn);
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        world.update(0, target, 0).unwrap();
    }
    set_arguments(world, frames);
    long("balloon_inflate", &BalloonInflate::frames(50), 50 * 8)
}

fn deflate(_: &mut World<X86_64>) -> Long {
    long("balloon_deflate", &BalloonDeflate::frames(16), 16 * 96)
}

fn batch(world: &mut World<X86_64>) -> Long {
    let frame = full(world);
    let pin = BatchEntry::new(&PtPin { frame, level: Level::L1 });
    let unpin = BatchEntry::new(&PtUnpin { frame });
    let entries = [pin, unpin, pin, unpin];
    set_arguments(
        world,
        entries.iter().flat_map(|entry| {
            let [a, b, c, d, e, f] = entry.args;
            [entry.number_or_status, a, b, c, d, e, f, 0]
        }),
    );
    long("batch", &Batch { count: 4 }, 4 * 512 * 8)
}

const LONG_CALLS: [fn(&mut World<X86_64>) -> Long; 9] =
    [pin, unpin, link, unlink, switch, many, inflate, deflate, batch];

/// Begins a long call in a world of its own.
fn begin(make: fn(&mut World<X86_64>) -> Long, budget: u32) -> (World<X86_64>, Long) {
    let mut world = World::<X86_64>::new(1, 128);
    let call = make(&mut world);
    world.state.set_budget(budget);
    world.begin(0, call.number as u64, call.args);
    (world, call)
}

/// Ends a domain as it is now, in a copy of everything: every frame comes back.
fn end_here(world: &World<X86_64>, id: DomainId) {
    let (mut state, mut machine): (State<X86_64>, ModelMachine<Sheet>) =
        (world.state.clone(), world.machine.clone());
    state.set_budget(2048);
    state.end_domain(&mut machine, id, EndReason::Destroyed);
    while state.schedule(&mut machine) != Next::Finished {
        audit::audit(&state, &machine).unwrap();
    }
    audit::audit(&state, &machine).unwrap();
    assert_eq!(state.frames.unowned(), world.free_at_start);
}

/// No call holds the processor for as long as its work takes.
/// Advisories: XSA-45 XSA-290 XSA-37
#[test]
fn long_calls_yield() {
    for make in LONG_CALLS {
        let (mut world, call) = begin(make, BUDGET);
        let mut steps = 1;
        while world.is_inside(0) {
            world.step(0);
            steps += 1;
        }
        assert!(steps >= call.work / (BUDGET + OVER), "{} took {steps} steps", call.name);
        assert_eq!(world.result(0).0, Status::SUCCESS, "{}", call.name);
        world.finish();
    }
}

/// Whatever is half done is undone.
/// Advisories: XSA-310 XSA-159 XSA-116 XSA-299 XSA-242
#[test]
fn a_domain_can_end_at_every_step_of_a_call() {
    for make in LONG_CALLS {
        let (mut world, _) = begin(make, BUDGET);
        while world.is_inside(0) {
            end_here(&world, DomainId(1));
            world.step(0);
        }
        end_here(&world, DomainId(1));
    }
}

/// A refusal drops what was taken, no more and no less, wherever the work was interrupted before.
/// Advisories: XSA-58 XSA-299
#[test]
fn a_refusal_at_the_last_entry_gives_everything_back() {
    for budget in [1, 33] {
        let mut world = World::<X86_64>::new(1, 128);
        let leaf = Sheet::leaf(world.p2m(0, TARGET), RO);
        let low = written(&mut world, TABLES, |index| if index % 64 == 0 { leaf } else { 0 });
        let bad = Sheet::table(low) | 1 << 7;
        let links = [Sheet::table(low), Sheet::table(low), bad];
        let high = written(&mut world, TABLES + 1, |index| match index {
            0 | 1 => links[index],
            511 => links[2],
            _ => 0,
        });
        let before = world.state.frames.clone();
        world.state.set_budget(budget);
        let call = PtPin { frame: high, level: Level::L2 };
        world.begin(0, Number::PtPin as u64, call.encode());
        while world.is_inside(0) {
            if budget > 1 {
                end_here(&world, DomainId(1));
            }
            world.step(0);
        }
        assert_eq!(world.result(0), (Status::from(Err(Error::BadEntry)), 0));
        for frame in [low, high, world.p2m(0, TARGET)] {
            let counts = |frames: &pv_core::frame::FrameTable| match frames.get(frame) {
                Ok(pv_core::frame::Frame::Owned(owned)) => (owned.references, owned.type_count),
                other => panic!("{other:?}"),
            };
            assert_eq!(counts(&world.state.frames), counts(&before), "{frame:?}");
        }
        world.finish();
    }
}

/// The registers of a call that is under way are the hypervisor's copy; the guest's pages say
/// nothing about how far it is.
/// Clauses: RULE.4
/// Advisories: XSA-296 XSA-111
#[test]
fn what_a_guest_changes_meanwhile_changes_no_call() {
    for make in LONG_CALLS {
        let (mut world, call) = begin(make, BUDGET);
        let page = world.state.vcpu(world.slots[0]).page;
        let uses_arguments =
            matches!(call.number, Number::PteUpdate | Number::BalloonInflate | Number::Batch);
        while world.is_inside(0) {
            // Every general register, and all of both pages that are shared.
            world.registers[0].words_mut()[2..17].fill(u64::MAX);
            for word in 40..128 {
                world.machine.write(page, word, u64::MAX);
            }
            if !uses_arguments {
                set_arguments(&mut world, [u64::MAX; 512]);
            }
            world.step(0);
        }
        assert_eq!(world.result(0).0, Status::SUCCESS, "{}", call.name);
        world.finish();
    }
}

/// An interruption before any entry loses no status.
/// Advisories: XSA-318
#[test]
fn every_entry_of_a_batch_is_answered() {
    let mut world = World::<X86_64>::new(1, 128);
    let frame = full(&mut world);
    let count = batch::MAX_ENTRIES;
    for index in 0..count {
        let entry = match index % 3 {
            0 => BatchEntry::new(&PtPin { frame, level: Level::L1 }),
            1 => BatchEntry::new(&AbiQuery { query: abi_query::Query::CallCount }),
            _ => BatchEntry::new(&PtUnpin { frame }),
        };
        let [a, b, c, d, e, f] = entry.args;
        let words = [entry.number_or_status, a, b, c, d, e, f, 0];
        let arguments = world.p2m(0, 2);
        for (word, value) in words.into_iter().enumerate() {
            world.machine.write(arguments, index as usize * 8 + word, value);
        }
    }
    world.state.set_budget(1000);
    assert_eq!(world.call(0, &Batch { count }), Ok(count));
    let arguments = world.p2m(0, 2);
    for index in 0..count as usize {
        let result = [0, 1].map(|word| world.machine.read(arguments, index * 8 + word));
        let value = if index % 3 == 1 { Number::COUNT as u64 } else { 0 };
        assert_eq!(result, [0, value], "entry {index}");
    }
    world.finish();
}

/// A domain with all that it can have is taken apart between the turns of another, and never in one
/// go.
/// Advisories: XSA-344 XSA-380 XSA-410
#[test]
fn the_end_of_a_domain_holds_nobody_up() {
    let mut world = World::<X86_64>::new(2, 128);
    let mut links = 0;
    while world.call(0, &EventAlloc { domain: DomainId(2) }).is_ok() {
        links += 1;
    }
    for pfn in SPARE..SPARE + 40 {
        let share = |frame, domain| GrantShare { domain, frame, access: Access::ReadWrite };
        let theirs = world.p2m(1, pfn);
        let grant = world.call(1, &share(theirs, DomainId(1))).unwrap();
        let access = Access::ReadWrite;
        let map = GrantMap { domain: DomainId(2), grant: GrantRef(grant as u32), access };
        world.call(0, &map).unwrap();
        let own = world.p2m(0, pfn);
        world.call(0, &share(own, DomainId(2))).unwrap();
        links += 2;
    }
    let frame = full(&mut world);
    world.call(0, &PtPin { frame, level: Level::L1 }).unwrap();
    assert!(links > 300);
    world.state.set_budget(BUDGET);
    world.state.end_domain(&mut world.machine, DomainId(1), EndReason::Destroyed);
    let mut turns = 0;
    while world.state.domain_of(DomainId(1)).is_some() {
        assert_eq!(world.state.schedule(&mut world.machine), Next::Run(world.slots[1]));
        world.audit();
        turns += 1;
        assert!(turns < 100_000, "it ends");
    }
    assert!(turns > links, "{turns} turns for {links} links");
    world.finish();
}
