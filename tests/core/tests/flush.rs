//! The flushes that stand between what a frame was and what it becomes, one test each. The
//! model's processor uses whatever it has cached for as long as nothing is flushed.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, GrantRef, Mfn, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::{Machine, X86_64, model};

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    pv_core::format::X86_64::leaf(frame, permissions)
}

/// A page of the map of memory, whose entry changes without a flush of the guest's own.
fn page(world: &World<X86_64>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: false }
}

/// The level-2 table that maps the address, by the guest's own tables.
fn level2_of(world: &World<X86_64>, address: VirtAddr) -> Mfn {
    let mut table = world.state.vcpu(world.slots[0]).kernel_root.unwrap();
    for level in [Level::L4, Level::L3] {
        let index = pv_core::format::X86_64::index(address, level);
        let value = world.machine.read(table, index);
        let Ok(pv_core::format::Entry::Table(below)) =
            pv_core::format::X86_64::decode(value, level)
        else {
            panic!("{value:#x} is no table")
        };
        table = below;
    }
    table
}

/// Advisories: XSA-401 XSA-408
#[test]
fn a_frame_that_was_mapped_writable_is_flushed_before_it_is_a_table() {
    let mut world = World::<X86_64>::new(1, 128);
    world.switch_to(0);
    let frame = world.p2m(0, 100);
    let address = world.physmap(100);
    world.machine.access(address, model::Access::Write(1)).unwrap();
    world.update(0, page(&world, 100), leaf(frame, RO)).unwrap();
    // Not flushed yet: the old translation still writes. That is the guest's own matter.
    world.machine.access(address, model::Access::Write(0)).unwrap();
    world.call(0, &PtCreate { frame, level: Level::L1 }).unwrap();
    assert_eq!(world.machine.access(address, model::Access::Write(3)), Err(model::Fault));
}

/// Advisories: XSA-408 XSA-480
#[test]
fn a_table_that_may_still_be_walked_is_flushed_before_it_is_writable() {
    let mut world = World::<X86_64>::new(1, 128);
    world.switch_to(0);
    let (table, mapped) = (world.p2m(0, 100), world.p2m(0, 101));
    // A level-1 table of the guest's own, 2 MiB beyond its map of memory.
    world.update(0, page(&world, 100), leaf(table, RO)).unwrap();
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    world.update(0, Target::Entry { table, index: 0 }, leaf(mapped, RO)).unwrap();
    let address = VirtAddr(world.physmap(0).0 + (2 << 20));
    let above = level2_of(&world, address);
    let index = pv_core::format::X86_64::index(address, Level::L2) as u16;
    let link = Target::Entry { table: above, index };
    world.update(0, link, pv_core::format::X86_64::table(table)).unwrap();
    world.machine.access(address, model::Access::Read).unwrap();
    world.update(0, link, 0).unwrap();
    world.call(0, &PtUnpin { frame: table }).unwrap();
    let flushes = world.machine.flushes;
    world.update(0, page(&world, 100), leaf(table, RW)).unwrap();
    assert_eq!(world.machine.flushes, flushes + 1);
    // What the guest writes there now is walked by nobody.
    let own = world.physmap(100);
    world.machine.flush_page(own);
    let forged = leaf(Mfn(0x111), RW);
    world.machine.access(VirtAddr(own.0 + 8), model::Access::Write(forged)).unwrap();
    let beyond = VirtAddr(address.0 + 4096);
    assert_eq!(world.machine.access(beyond, model::Access::Read), Err(model::Fault));
}

/// Advisories: XSA-217
#[test]
fn a_closed_handle_leaves_no_translation_behind() {
    let mut world = World::<X86_64>::new(2, 128);
    let theirs = world.p2m(1, 100);
    let share = GrantShare { domain: DomainId(1), frame: theirs, access: Access::ReadWrite };
    let grant = GrantRef(world.call(1, &share).unwrap() as u32);
    let map = GrantMap { domain: DomainId(2), grant, access: Access::ReadWrite };
    let mapped = MappedGrant::from_value(world.call(0, &map).unwrap());
    world.update(0, page(&world, 100), leaf(theirs, RW)).unwrap();
    let address = world.physmap(100);
    world.machine.flush_page(address);
    world.machine.access(address, model::Access::Write(1)).unwrap();
    world.update(0, page(&world, 100), 0).unwrap();
    world.machine.access(address, model::Access::Write(2)).unwrap();
    world.call(0, &GrantUnmap { handle: mapped.handle }).unwrap();
    assert_eq!(world.machine.access(address, model::Access::Write(3)), Err(model::Fault));
    assert_eq!(world.machine.read(theirs, 0), 2);
}

/// Advisories: XSA-511 XSA-346
#[test]
fn a_ballooned_frame_is_flushed_before_it_is_scrubbed() {
    let mut world = World::<X86_64>::new(1, 128);
    world.switch_to(0);
    let frame = world.p2m(0, 100);
    let arguments = world.p2m(0, 2);
    let address = world.physmap(100);
    world.machine.access(address, model::Access::Write(1)).unwrap();
    world.update(0, page(&world, 100), 0).unwrap();
    world.machine.write(arguments, 0, frame.0);
    world.call(0, &BalloonInflate::frames(1)).unwrap();
    world.machine.access(address, model::Access::Write(2)).unwrap();
    // The frame on top of the dirty list is the one that went last.
    world.call(0, &BalloonDeflate::frames(1)).unwrap();
    assert_eq!(Mfn(world.machine.read(arguments, 0)), frame);
    assert!(world.machine.is_zero(frame));
    assert_eq!(world.machine.access(address, model::Access::Write(3)), Err(model::Fault));
}

/// Nothing that a refused call leaves behind keeps a later flush from being made.
/// Clauses: RULE.10
/// Advisories: XSA-80
#[test]
fn a_refused_update_leaves_later_flushes_alone() {
    let mut world = World::<X86_64>::new(1, 128);
    world.switch_to(0);
    let (frame, arguments) = (world.p2m(0, 100), world.p2m(0, 2));
    let flushing = Target::Page { space: Space::Kernel, address: world.physmap(100), flush: true };
    let updates = [(page(&world, 101), 0), (flushing, leaf(Mfn(0x110), RW))];
    for (index, (target, value)) in updates.into_iter().enumerate() {
        let update = pte_update::Update::new(target, value);
        world.machine.write(arguments, 2 * index, update.target.0);
        world.machine.write(arguments, 2 * index + 1, update.value);
    }
    assert!(world.call(0, &PteUpdate::Many(2)).is_err());
    let address = world.physmap(100);
    world.machine.access(address, model::Access::Write(1)).unwrap();
    world.update(0, flushing, leaf(frame, RO)).unwrap();
    assert_eq!(world.machine.access(address, model::Access::Write(2)), Err(model::Fault));
}

/// A table that is unlinked and given away at once is walked by nobody when it is another's.
/// Advisories: XSA-480 XSA-346
#[test]
fn a_table_that_was_given_away_is_not_walked() {
    let mut world = World::<X86_64>::new(2, 128);
    world.switch_to(0);
    let (table, mapped) = (world.p2m(0, 100), world.p2m(0, 101));
    world.update(0, page(&world, 100), 0).unwrap();
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    world.update(0, Target::Entry { table, index: 0 }, leaf(mapped, RO)).unwrap();
    let address = VirtAddr(world.physmap(0).0 + (2 << 20));
    let above = level2_of(&world, address);
    let index = pv_core::format::X86_64::index(address, Level::L2) as u16;
    let link = Target::Entry { table: above, index };
    world.update(0, link, pv_core::format::X86_64::table(table)).unwrap();
    world.machine.access(address, model::Access::Read).unwrap();
    world.update(0, link, 0).unwrap();
    world.call(0, &PtUnpin { frame: table }).unwrap();
    let arguments = [world.p2m(0, 2), world.p2m(1, 2)];
    world.machine.write(arguments[0], 0, table.0);
    world.call(0, &BalloonInflate::frames(1)).unwrap();
    world.call(1, &BalloonDeflate::frames(1)).unwrap();
    assert_eq!(Mfn(world.machine.read(arguments[1], 0)), table, "the frame that went last");
    world.machine.write(table, 1, leaf(Mfn(0x111), RW));
    world.audit();
    world.switch_to(0);
    let beyond = VirtAddr(address.0 + 4096);
    assert_eq!(world.machine.access(beyond, model::Access::Read), Err(model::Fault));
}
