//! The sample of frames in use: what it picks, what it clears, what it sees.

use core_tests::World;
use hypercall_abi::DomainId;
use hypercall_abi::addr::Level;
use pv_core::format::Format;
use pv_core::frame::{Frame, Type};
use pv_core::sweep::{Phase, Sweep, Watched};
use pv_core::{Machine, Platform, X86_64};

type F = <X86_64 as Platform>::Format;

/// Goes on until the sweep has nothing to do; how many steps it took.
fn go_on(world: &mut World<X86_64>, sweep: &mut Sweep) -> u32 {
    let mut steps = 1;
    while world.state.sweep(&mut world.machine, sweep) {
        steps += 1;
        assert!(steps < 100_000, "it ends");
    }
    world.audit();
    steps
}

/// Entries that map a frame: tables and indices.
fn entries(world: &World<X86_64>, frame: hypercall_abi::Mfn) -> Vec<(hypercall_abi::Mfn, usize)> {
    let mut found = Vec::new();
    for (table, state) in world.state.frames.iter() {
        let Frame::Owned(owned) = state else { continue };
        if owned.kind != Type::Table(Level::L1) {
            continue;
        }
        for index in 0..F::ENTRIES {
            let value = world.machine.read(table, index);
            if F::is_present(value)
                && matches!(F::decode(value, Level::L1), Ok(pv_core::format::Entry::Leaf(leaf)) if leaf.frame == frame)
            {
                found.push((table, index));
            }
        }
    }
    found
}

#[test]
fn what_is_touched_between_two_looks_is_seen_and_nothing_else() {
    let mut world = World::<X86_64>::new(2, 128);
    let ranks = [0u64, 5, 5, 63, 100, 127, 500];
    let watched = [DomainId(1), DomainId(2)]
        .into_iter()
        .flat_map(|domain| ranks.map(|rank| Watched::new(domain, rank)))
        .collect();
    let mut sweep = Sweep::new(watched).unwrap();
    assert!(go_on(&mut world, &mut sweep) > 2, "it goes in pieces");
    assert_eq!(sweep.phase(), Phase::Watching);
    let picked: Vec<Watched> = sweep.watched().to_vec();
    for one in &picked {
        let Some(frame) = one.frame else {
            assert_eq!(one.rank, 500, "only a rank beyond its frames is not found");
            continue;
        };
        let Ok(Frame::Owned(owned)) = world.state.frames.get(frame) else { panic!("{one:?}") };
        assert_eq!(owned.owner, one.domain);
        for (table, index) in entries(&world, frame) {
            assert_eq!(world.machine.read(table, index) & F::ACCESSED, 0, "{one:?}");
        }
    }
    // The processor uses two of them, and one that is not watched.
    let used = [picked[0].frame.unwrap(), picked[10].frame.unwrap()];
    for frame in used {
        let (table, index) = entries(&world, frame)[0];
        world.machine.fetch_or(table, index, F::ACCESSED);
    }
    sweep.look();
    go_on(&mut world, &mut sweep);
    assert_eq!(sweep.phase(), Phase::Over);
    for one in sweep.watched() {
        assert_eq!(one.touched, one.frame.is_some_and(|frame| used.contains(&frame)), "{one:?}");
    }
}

#[test]
fn a_domain_that_ends_on_the_way_is_no_trouble() {
    let mut world = World::<X86_64>::new(2, 128);
    let watched = (0..100).map(|rank| Watched::new(DomainId(1), rank)).collect();
    let mut sweep = Sweep::new(watched).unwrap();
    for _ in 0..2 {
        world.state.sweep(&mut world.machine, &mut sweep);
    }
    let reason = pv_core::EndReason::Destroyed;
    world.state.end_domain(&mut world.machine, DomainId(1), reason);
    for _ in 0..5000 {
        let _ = world.state.schedule(&mut world.machine);
    }
    go_on(&mut world, &mut sweep);
    sweep.look();
    go_on(&mut world, &mut sweep);
    assert!(sweep.watched().iter().all(|one| !one.touched));
}
