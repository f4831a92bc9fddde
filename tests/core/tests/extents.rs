//! Extents of 512 frames: given, taken, refused; memory that is reported; targets. On a machine
//! with a few blocks of 512 frames, of which contiguous domains have some.

use core_tests::World;
use hypercall_abi::balloon_statistics::{BalloonStatistics, STATISTICS_VERSION, WHOLE};
use hypercall_abi::calls::{
    BalloonDeflate, BalloonInflate, BalloonReport, Call, DomainQuery, GrantRevoke, GrantShare,
    PtCreate, PtUnpin, PteUpdate,
    grant_share::Access,
    pte_update::{Space, Target, Update},
};
use hypercall_abi::domain_info::DomainInfo;
use hypercall_abi::extent::{EXTENT_FRAMES, Order};
use hypercall_abi::vcpu_page::{PENDING_OFFSET, TARGET_FRAMES_OFFSET};
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, Port, addr::Level};
use proptest::prelude::*;
use pv_core::frame::Frame;
use pv_core::{EndReason, Machine, X86_64};
use zerocopy::{FromBytes, IntoBytes};

/// Pages of a contiguous domain: pages 512 to 1536 lie in two runs.
const FRAMES: u64 = 3 * EXTENT_FRAMES;

/// Two contiguous domains, and some blocks that are nobody's.
fn world() -> World<X86_64> {
    let mut world = World::with_memory(0, 0, 9 * EXTENT_FRAMES);
    for _ in 0..2 {
        world.create_contiguous(FRAMES, FRAMES + 2 * EXTENT_FRAMES).unwrap();
    }
    world
}

/// The frame behind a page, as the domain's map says; the map is not kept up to date here.
fn frame_of(world: &World<X86_64>, domain: usize, pfn: u64) -> Mfn {
    world.p2m(domain, pfn)
}

fn unmap_one(world: &mut World<X86_64>, domain: usize, pfn: u64) {
    let target = Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: true };
    world.quiet(domain, &PteUpdate::One(Update::new(target, 0)));
}

/// Takes pages out of the domain's map of memory: their frames, in order.
fn unmap(world: &mut World<X86_64>, domain: usize, first: u64, count: u64) -> Vec<Mfn> {
    (first..first + count)
        .map(|pfn| {
            let frame = frame_of(world, domain, pfn);
            unmap_one(world, domain, pfn);
            frame
        })
        .collect()
}

fn argue(world: &mut World<X86_64>, domain: usize, words: &[u64]) {
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    words.iter().enumerate().for_each(|(at, word)| world.machine.write(arguments, at, *word));
}

fn counts(world: &mut World<X86_64>, domain: usize) -> DomainInfo {
    world.call(domain, &DomainQuery { domain: DomainId::SELF }).unwrap();
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    let words: Vec<u64> =
        (0..size_of::<DomainInfo>() / 8).map(|word| world.machine.read(arguments, word)).collect();
    DomainInfo::read_from_bytes(words.as_bytes()).unwrap()
}

#[test]
fn a_contiguous_domain_has_runs_and_what_it_did_not_need_is_left() {
    let mut world = world();
    for domain in 0..2 {
        for run in [EXTENT_FRAMES, 2 * EXTENT_FRAMES] {
            let first = world.p2m(domain, run);
            assert_eq!(first.0 % EXTENT_FRAMES, 0);
            assert!((0..EXTENT_FRAMES).all(|at| world.p2m(domain, run + at).0 == first.0 + at));
        }
        assert_eq!(counts(&mut world, domain).frames, FRAMES);
    }
    world.audit();
}

/// Clauses: BALLOON_INFLATE.5 BALLOON_INFLATE.6 BALLOON_DEFLATE.4 BALLOON_DEFLATE.5
#[test]
fn an_extent_goes_whole_and_comes_back_whole_and_clean() {
    let mut world = world();
    let frames = unmap(&mut world, 0, EXTENT_FRAMES, EXTENT_FRAMES);
    frames.iter().for_each(|frame| world.machine.write(*frame, 7, 0xdead));
    argue(&mut world, 0, &[frames[0].0]);
    assert_eq!(world.call(0, &BalloonInflate::extents(1)), Ok(1));
    assert_eq!(counts(&mut world, 0).frames, FRAMES - EXTENT_FRAMES);
    let free = world.state.frames.unowned();
    assert_eq!(world.call(1, &BalloonDeflate::extents(1)), Ok(1));
    let arguments = world.state.vcpu(world.slots[1]).arguments;
    let first = Mfn(world.machine.read(arguments, 0));
    assert_eq!(first.0 % EXTENT_FRAMES, 0);
    for at in 0..EXTENT_FRAMES {
        let frame = Mfn(first.0 + at);
        assert!(world.machine.is_zero(frame), "{frame:?}");
        let Ok(Frame::Owned(owned)) = world.state.frames.get(frame) else { panic!("{frame:?}") };
        assert_eq!((owned.owner, owned.references, owned.type_count), (DomainId(2), 1, 0));
    }
    assert_eq!(world.state.frames.unowned(), free - EXTENT_FRAMES);
}

/// Clauses: BALLOON_INFLATE.2 BALLOON_INFLATE.3 BALLOON_INFLATE.4 BALLOON_INFLATE.8
#[test]
fn one_bad_frame_keeps_the_whole_extent() {
    let mut world = world();
    let refuse = |world: &mut World<X86_64>, frame: u64, error| {
        let before = world.state.domain(world.slots[0]).frames;
        argue(world, 0, &[frame]);
        for call in [BalloonInflate::extents(1).encode(), [1, 1, 9, 0, 0, 0]] {
            let number = if call[0] == 1 && call[1] == 1 {
                BalloonReport::NUMBER
            } else {
                BalloonInflate::NUMBER
            };
            let (status, value) = world.raw(0, number as u64, call);
            assert_eq!((status.decode(), value), (Some(Err(error)), 0), "{frame:#x}");
        }
        assert_eq!(world.state.domain(world.slots[0]).frames, before);
    };
    let frames = unmap(&mut world, 0, EXTENT_FRAMES, EXTENT_FRAMES);
    let first = frames[0].0;
    let of_peer = world.p2m(1, EXTENT_FRAMES).0;
    for (frame, error) in [
        (first + 1, Error::BadFrame),
        (u64::MAX, Error::BadFrame),
        (!511, Error::BadFrame),
        (0, Error::BadFrame),
        (1 << 20, Error::BadFrame),
        (of_peer, Error::NotOwner),
    ] {
        refuse(&mut world, frame, error);
    }
    // Whole blocks are nobody's.
    let nobodys = world.state.frames.whole_block().unwrap().0;
    refuse(&mut world, nobodys, Error::NotOwner);
    // A frame of it that is mapped, a table, granted.
    let table = frames[511];
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    refuse(&mut world, first, Error::Busy);
    world.call(0, &PtUnpin { frame: table }).unwrap();
    let share = GrantShare { domain: DomainId(2), frame: frames[3], access: Access::Read };
    let grant = world.call(0, &share).unwrap();
    refuse(&mut world, first, Error::Busy);
    let grant = GrantRef(grant as u32);
    world.call(0, &GrantRevoke { grant }).unwrap();
    // One that was given away alone.
    argue(&mut world, 0, &[frames[9].0]);
    assert_eq!(world.call(0, &BalloonInflate::frames(1)), Ok(1));
    refuse(&mut world, first, Error::NotOwner);
}

/// Clauses: BALLOON_DEFLATE.2 BALLOON_DEFLATE.3
#[test]
fn no_extent_without_room_or_a_whole_block() {
    let mut world = world();
    assert_eq!(world.call(0, &BalloonDeflate::extents(2)), Ok(2));
    let (status, value) = world.raw(0, BalloonDeflate::NUMBER as u64, [1, 9, 0, 0, 0, 0]);
    assert_eq!((status.decode(), value), (Some(Err(Error::QuotaExceeded)), 0));
    // The other takes single frames out of every block that is left.
    while world.state.frames.whole_block().is_some() {
        world.call(1, &BalloonDeflate::frames(1)).unwrap();
    }
    let (status, value) = world.raw(1, BalloonDeflate::NUMBER as u64, [1, 9, 0, 0, 0, 0]);
    assert_eq!((status.decode(), value), (Some(Err(Error::NoMemory)), 0));
    assert_eq!(world.call(1, &BalloonDeflate::frames(1)), Ok(1));
}

/// Clauses: BALLOON_DEFLATE.3
#[test]
fn a_block_that_is_lost_on_the_way_is_replaced_by_another() {
    let mut world = world();
    world.state.set_budget(300);
    let claimed = world.state.frames.whole_block().unwrap();
    world.begin(0, BalloonDeflate::NUMBER as u64, BalloonDeflate::extents(1).encode());
    for _ in 0..5 {
        world.step(0);
    }
    let unowned = |world: &World<X86_64>| -> u64 {
        let blocks = world.state.frames.block_counts();
        blocks.filter(|(first, _)| *first == claimed).map(|(_, count)| u64::from(count)).sum()
    };
    let left = unowned(&world);
    assert!(left < EXTENT_FRAMES, "some of it is taken");
    // The peer takes frames, which lie scattered: one of the very block in the end.
    while unowned(&world) == left {
        world.call(1, &BalloonDeflate::frames(1)).unwrap();
    }
    while world.is_inside(0) {
        world.step(0);
    }
    assert_eq!(world.answer(0), Ok(1));
    assert_eq!(world.state.domain(world.slots[0]).frames, FRAMES + EXTENT_FRAMES);
    let arguments = world.state.vcpu(world.slots[0]).arguments;
    assert_ne!(Mfn(world.machine.read(arguments, 0)), claimed);
}

#[test]
fn a_domain_that_ends_in_the_middle_leaves_nothing() {
    for steps in [0, 1, 7, 60] {
        let mut world = world();
        let whole = world.free_at_start;
        world.state.set_budget(300);
        world.begin(0, BalloonDeflate::NUMBER as u64, BalloonDeflate::extents(2).encode());
        for _ in 0..steps {
            world.step(0);
        }
        for domain in [DomainId(1), DomainId(2)] {
            world.state.end_domain(&mut world.machine, domain, EndReason::Destroyed);
        }
        for _ in 0..20_000 {
            let _ = world.state.schedule(&mut world.machine);
        }
        world.audit();
        assert_eq!(world.state.frames.unowned(), whole);
    }
}

/// Clauses: BALLOON_REPORT.5 BALLOON_REPORT.6
#[test]
fn reported_frames_count_apart_and_come_back_first() {
    let mut world = world();
    let frames = unmap(&mut world, 0, EXTENT_FRAMES, EXTENT_FRAMES + 3);
    argue(&mut world, 0, &[frames[0].0]);
    assert_eq!(world.call(0, &BalloonReport::Free { count: 1, order: Order::Extent }), Ok(1));
    argue(&mut world, 0, &[frames[512].0, frames[513].0, frames[514].0]);
    assert_eq!(world.call(0, &BalloonReport::Free { count: 2, order: Order::Frame }), Ok(2));
    let info = counts(&mut world, 0);
    assert_eq!((info.frames, info.reported_frames), (FRAMES - 514, 514));
    assert_eq!(info.target_frames, FRAMES, "a report is no matter of the target");
    argue(&mut world, 0, &[frames[514].0]);
    assert_eq!(world.call(0, &BalloonInflate::frames(1)), Ok(1));
    assert_eq!(counts(&mut world, 0).reported_frames, 514);
    assert_eq!(world.call(0, &BalloonDeflate::frames(500)), Ok(500));
    assert_eq!(counts(&mut world, 0).reported_frames, 14);
    assert_eq!(world.call(0, &BalloonDeflate::extents(1)), Ok(1));
    let info = counts(&mut world, 0);
    assert_eq!((info.frames, info.reported_frames), (FRAMES + 497, 0));
}

fn told() -> BalloonStatistics {
    BalloonStatistics { version: STATISTICS_VERSION, generation: 4, ..BalloonStatistics::default() }
}

/// Clauses: BALLOON_REPORT.2 BALLOON_REPORT.3 BALLOON_REPORT.4
#[test]
fn statistics_are_kept_and_lies_that_can_be_seen_are_refused() {
    let mut world = world();
    let most = FRAMES + 2 * EXTENT_FRAMES;
    let tell = |world: &mut World<X86_64>, record: BalloonStatistics| {
        let words: Vec<u64> =
            record.as_bytes().chunks(8).map(|word| u64::read_from_bytes(word).unwrap()).collect();
        argue(world, 0, &words);
        world.call(0, &BalloonReport::Statistics).map_err(|(error, _)| error)
    };
    let kept = |world: &World<X86_64>| world.state.domain(world.slots[0]).balloon.told;
    assert_eq!(kept(&world), None);
    let good = BalloonStatistics { free: most, some_over_10_s: WHOLE, faults: u64::MAX, ..told() };
    assert_eq!(tell(&mut world, good), Ok(0));
    assert_eq!(kept(&world), Some(good));
    let (frames, free) = (world.state.domain(world.slots[0]).frames, world.state.frames.unowned());
    for lie in [
        BalloonStatistics { version: 0, ..told() },
        BalloonStatistics { version: 2, ..told() },
        BalloonStatistics { reserved: 1, ..told() },
        BalloonStatistics { free: most + 1, ..told() },
        BalloonStatistics { available: u64::MAX, ..told() },
        BalloonStatistics { cache: most + 1, ..told() },
        BalloonStatistics { needed: most + 1, ..told() },
        BalloonStatistics { balloon: most + 1, ..told() },
        BalloonStatistics { some_over_10_s: WHOLE + 1, ..told() },
        BalloonStatistics { some_over_60_s: WHOLE + 1, ..told() },
        BalloonStatistics { full_over_10_s: u16::MAX, ..told() },
        BalloonStatistics { full_over_60_s: WHOLE + 1, ..told() },
    ] {
        assert_eq!(tell(&mut world, lie), Err(Error::BadArgument), "{lie:?}");
        assert_eq!(kept(&world), Some(good), "a refusal changes nothing");
    }
    assert_eq!(world.state.domain(world.slots[0]).frames, frames);
    assert_eq!(world.state.frames.unowned(), free);
}

/// Clauses: VCPU.5 DOMAIN_QUERY.3
#[test]
fn a_target_is_told_once_in_the_page_by_an_event_and_by_query() {
    let mut world = world();
    let page = world.state.vcpu(world.slots[0]).page;
    let pending =
        |world: &World<X86_64>| world.machine.read(page, PENDING_OFFSET / 8) >> Port::BALLOON.0 & 1;
    assert_eq!(world.machine.read(page, TARGET_FRAMES_OFFSET / 8), FRAMES);
    assert_eq!(pending(&world), 0);
    let set = |world: &mut World<X86_64>, frames| {
        world.state.set_target(&mut world.machine, DomainId(1), frames)
    };
    assert_eq!(set(&mut world, FRAMES), Ok(()));
    assert_eq!(pending(&world), 0, "nothing new is no event");
    assert_eq!(set(&mut world, 100), Ok(()));
    assert_eq!((world.machine.read(page, TARGET_FRAMES_OFFSET / 8), pending(&world)), (100, 1));
    assert_eq!(counts(&mut world, 0).target_frames, 100);
    assert_eq!(world.state.domain(world.slots[0]).balloon.targets_set, 1);
    assert_eq!(set(&mut world, u64::MAX), Ok(()));
    assert_eq!(
        counts(&mut world, 0).target_frames,
        FRAMES + 2 * EXTENT_FRAMES,
        "at most its limit"
    );
    let nobody = world.state.set_target(&mut world.machine, DomainId(9), 1);
    assert_eq!(nobody, Err(Error::NoDomain));
    world.audit();
}

/// One thing that a domain, or the operator, does.
#[derive(Clone, Copy, Debug)]
enum Op {
    Inflate(usize, u64),
    Report(usize, u64),
    InflateExtent(usize, u64, bool),
    Deflate(usize, u64),
    DeflateExtent(usize),
    Table(usize, u64),
    Grant(usize, u64),
    Target(usize, u64),
    Lie(usize, u64),
    End(usize),
    Schedule,
}

fn op() -> impl Strategy<Value = Op> {
    let domain = 0..2usize;
    let page = EXTENT_FRAMES..FRAMES;
    prop_oneof![
        4 => (domain.clone(), page.clone()).prop_map(|(d, p)| Op::Inflate(d, p)),
        2 => (domain.clone(), page.clone()).prop_map(|(d, p)| Op::Report(d, p)),
        4 => (domain.clone(), 1..4u64, any::<bool>()).prop_map(|(d, b, r)| Op::InflateExtent(d, b, r)),
        3 => (domain.clone(), 1..40u64).prop_map(|(d, n)| Op::Deflate(d, n)),
        3 => domain.clone().prop_map(Op::DeflateExtent),
        2 => (domain.clone(), page.clone()).prop_map(|(d, p)| Op::Table(d, p)),
        2 => (domain.clone(), page).prop_map(|(d, p)| Op::Grant(d, p)),
        2 => (domain.clone(), 0..4000u64).prop_map(|(d, n)| Op::Target(d, n)),
        1 => (domain.clone(), any::<u64>()).prop_map(|(d, n)| Op::Lie(d, n)),
        1 => domain.prop_map(Op::End),
        2 => Just(Op::Schedule),
    ]
}

/// Does it; what is refused is refused. The audit runs after every step of a call.
fn act(world: &mut World<X86_64>, ended: &mut [bool; 2], op: Op) {
    let one = |world: &mut World<X86_64>, domain: usize, number: u64, args: [u64; 6], word: u64| {
        argue(world, domain, &[word]);
        let _ = world.raw(domain, number, args);
    };
    let (inflate, report) = (BalloonInflate::NUMBER as u64, BalloonReport::NUMBER as u64);
    let running = |domain: usize| !ended[domain];
    match op {
        Op::Inflate(d, page) | Op::Report(d, page) if running(d) => {
            let frame = world.p2m(d, page).0;
            if page.is_multiple_of(2) {
                unmap_one(world, d, page);
            }
            match op {
                Op::Inflate(..) => one(world, d, inflate, [1, 0, 0, 0, 0, 0], frame),
                _ => one(world, d, report, [1, 1, 0, 0, 0, 0], frame),
            }
        }
        Op::InflateExtent(d, block, reported) if running(d) => {
            let first = world.p2m(d, (block * EXTENT_FRAMES).min(FRAMES - 1)).0;
            if block < 3 && block % 2 == 1 {
                for page in 0..EXTENT_FRAMES {
                    unmap_one(world, d, block * EXTENT_FRAMES + page);
                }
            }
            match reported {
                false => one(world, d, inflate, [1, 9, 0, 0, 0, 0], first),
                true => one(world, d, report, [1, 1, 9, 0, 0, 0], first),
            }
        }
        Op::Deflate(d, count) if running(d) => {
            let _ = world.call(d, &BalloonDeflate::frames(count));
        }
        Op::DeflateExtent(d) if running(d) => {
            let _ = world.call(d, &BalloonDeflate::extents(1));
        }
        Op::Table(d, page) if running(d) => {
            let frame = world.p2m(d, page);
            unmap_one(world, d, page);
            let _ = world.call(d, &PtCreate { frame, level: Level::L1 });
        }
        Op::Grant(d, page) if running(d) => {
            let frame = world.p2m(d, page);
            let domain = DomainId(2 - d as u16);
            let _ = world.call(d, &GrantShare { domain, frame, access: Access::ReadWrite });
        }
        Op::Target(d, frames) => {
            let domain = DomainId(1 + d as u16);
            let _ = world.state.set_target(&mut world.machine, domain, frames);
        }
        Op::Lie(d, word) if running(d) => {
            argue(world, d, &[1, word, word, word, word, word, word]);
            let _ = world.call(d, &BalloonReport::Statistics);
        }
        Op::End(d) if running(d) && ended.iter().all(|ended| !ended) => {
            ended[d] = true;
            let domain = DomainId(1 + d as u16);
            world.state.end_domain(&mut world.machine, domain, EndReason::Destroyed);
        }
        Op::Schedule => {
            let _ = world.state.schedule(&mut world.machine);
        }
        _ => {}
    }
    world.audit();
}

/// Whatever happens around the balloon, the invariants hold, and at the end nothing is lost.
fn run(budget: u32, ops: Vec<Op>) {
    let mut world = world();
    let whole = world.free_at_start;
    world.state.set_budget(budget);
    let mut ended = [false; 2];
    ops.into_iter().for_each(|op| act(&mut world, &mut ended, op));
    world.state.set_budget(1400);
    for domain in [DomainId(1), DomainId(2)] {
        world.state.end_domain(&mut world.machine, domain, EndReason::Destroyed);
    }
    for _ in 0..20_000 {
        let _ = world.state.schedule(&mut world.machine);
    }
    world.audit();
    assert_eq!(world.state.frames.unowned(), whole);
}

fn plays() -> impl Strategy<Value = (u32, Vec<Op>)> {
    let budget = prop_oneof![Just(1400u32), Just(37u32), Just(5000u32)];
    (budget, prop::collection::vec(op(), 1..24))
}

/// An extent comes back by pieces to a domain that had reported one and has all that it may.
#[test]
fn what_was_reported_comes_back_within_the_limit() {
    let ops = [
        Op::DeflateExtent(0),
        Op::Deflate(0, 2),
        Op::InflateExtent(0, 1, true),
        Op::DeflateExtent(0),
    ];
    for budget in [1400, 37] {
        run(budget, ops.to_vec());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_balloon_among_grants_tables_targets_and_ends((budget, ops) in plays()) {
        run(budget, ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    #[ignore = "takes half a minute: `cargo xtask test` has it"]
    fn the_balloon_among_everything_for_long((budget, ops) in plays()) {
        run(budget, ops);
    }
}
