//! The census of page tables: it counts what is validated, and tells the kernel's roots, those of
//! processes and empty ones apart.

use core_tests::World;
use hypercall_abi::Mfn;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::{PtCreate, PtPin, PtUnpin};
use pv_core::census::{Census, LEVELS};
use pv_core::format::{Format, Permissions};
use pv_core::{EndReason, Machine, Platform};

/// Pages of a domain that nothing uses.
const FREE: u64 = 100;

for_each_platform! {
    roots_are_told_apart
    what_ends_is_not_counted
}

fn census<P: Platform>(world: &World<P>) -> Vec<Census> {
    world.state.census(&world.machine).collect()
}

/// An ordinary page of domain 0, which nothing maps any more.
fn page<P: Platform>(world: &mut World<P>, number: u64) -> Mfn {
    let pfn = FREE + number;
    let frame = world.p2m(0, pfn);
    let address = world.physmap(pfn);
    world.update(0, Target::Page { space: Space::Kernel, address, flush: true }, 0).unwrap();
    frame
}

fn roots_are_told_apart<P: Platform>() {
    let mut world = World::<P>::new(2, 128);
    let before = census(&world);
    let root_level = usize::from(P::Format::ROOT.number()) - 1;
    for (domain, census) in (1..).zip(&before) {
        assert_eq!(census.domain.0, domain);
        assert_eq!((census.kernel_roots, census.process_roots, census.empty_roots), (1, 0, 0));
        assert_eq!(census.tables[root_level], 1);
        assert!(census.tables[..=root_level].iter().all(|count| *count > 0));
        assert!(census.tables[root_level + 1..].iter().all(|count| *count == 0));
    }

    // A root with nothing below it.
    let empty = page(&mut world, 0);
    world.call(0, &PtCreate { frame: empty, level: P::Format::ROOT }).unwrap();
    // A tree that maps a page, and one of the same shape that maps none.
    let data = page(&mut world, 1);
    let mut roots = Vec::new();
    for (tree, mapped) in [(10, true), (20, false)] {
        let mut below = P::Format::leaf(data, Permissions { write: false, execute: false });
        if !mapped {
            below = 0;
        }
        for level in 0..P::Format::ROOT.number() {
            let table = page(&mut world, tree + u64::from(level));
            world.machine.zero(table);
            world.machine.write(table, 0, below);
            below = P::Format::table(table);
            roots.push(table);
        }
        let root = *roots.last().unwrap();
        world.call(0, &PtPin { frame: root, level: P::Format::ROOT }).unwrap();
    }
    let after = census(&world);
    let mut tables = [0; LEVELS];
    for (index, (after, before)) in after[0].tables.iter().zip(before[0].tables).enumerate() {
        tables[index] = after - before;
    }
    let mut expected = [0; LEVELS];
    expected[..=root_level].fill(2);
    expected[root_level] = 3;
    // Pages that are unmapped one by one leave the kernel's own tables as they are.
    assert_eq!(tables, expected);
    assert_eq!((after[0].kernel_roots, after[0].process_roots, after[0].empty_roots), (1, 1, 2));
    assert_eq!(after[1], before[1], "the other domain's are its own");

    // What is taken apart is no table any more.
    let root = *roots.last().unwrap();
    world.call(0, &PtUnpin { frame: root }).unwrap();
    assert_eq!(census(&world)[0].empty_roots, 1);
    world.finish();
}

fn what_ends_is_not_counted<P: Platform>() {
    let mut world = World::<P>::new(2, 64);
    let id = census(&world)[0].domain;
    world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
    assert_eq!(census(&world).len(), 1);
    world.finish();
}
