//! The main paths of the core on the model machine, for each format: build, pin, map, refuse,
//! grant, balloon, end.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::start_info::StartInfo;
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::model;
use pv_core::{Machine, Platform, X86_64};
use std::mem::offset_of;

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };

fn page<P: Platform>(world: &World<P>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: true }
}

fn domains_come_and_go<P: Platform>() {
    let mut world = World::<P>::new(2, 128);
    let value = world.call(0, &AbiQuery { query: abi_query::Query::Version });
    assert_eq!(value, Ok(1 << 16 | 3));
    world.finish();
}

fn tables_are_never_writable<P: Platform>() {
    let mut world = World::<P>::new(1, 128);
    let table = world.p2m(0, 100);
    let create = PtCreate { frame: table, level: Level::L1 };
    assert_eq!(world.call(0, &create), Err((Error::TypeConflict, 0)));
    world.machine.access(world.physmap(100), model::Access::Write(7)).unwrap();
    let target = page(&world, 100);
    world.update(0, target, P::Format::leaf(table, RO)).unwrap();
    assert_eq!(world.call(0, &create), Ok(0));
    let write = world.machine.access(world.physmap(100), model::Access::Write(7));
    assert_eq!(write, Err(model::Fault));
    let target = page(&world, 100);
    assert_eq!(world.update(0, target, P::Format::leaf(table, RW)), Err(Error::TypeConflict));
    assert_eq!(world.call(0, &create), Err((Error::TypeConflict, 0)));
    assert_eq!(world.call(0, &PtUnpin { frame: table }), Ok(0));
    assert_eq!(world.update(0, target, P::Format::leaf(table, RW)), Ok(1));
    world.finish();
}

fn foreign_frames_need_a_grant<P: Platform>() {
    let mut world = World::<P>::new(2, 128);
    let theirs = world.p2m(1, 100);
    let target = page(&world, 100);
    let entry = P::Format::leaf(theirs, RW);
    assert_eq!(world.update(0, target, entry), Err(Error::NotOwner));
    assert_eq!(world.update(0, target, P::Format::leaf(Mfn(0x111), RO)), Err(Error::NotOwner));
    assert_eq!(world.update(0, target, P::Format::leaf(Mfn(0x120), RO)), Err(Error::BadFrame));
    assert_eq!(world.update(0, target, P::Format::leaf(Mfn(0x9999), RO)), Err(Error::BadFrame));
    let share = GrantShare { domain: DomainId(1), frame: theirs, access: Access::ReadWrite };
    let grant = GrantRef(world.call(1, &share).unwrap() as u32);
    let map = GrantMap { domain: DomainId(2), grant, access: Access::ReadWrite };
    let mapped = MappedGrant::from_value(world.call(0, &map).unwrap());
    assert_eq!(mapped.frame, theirs);
    assert_eq!(world.update(0, target, entry), Ok(1));
    let address = world.physmap(100);
    world.machine.access(address, model::Access::Write(42)).unwrap();
    assert_eq!(world.machine.read(theirs, 0), 42);
    let unmap = GrantUnmap { handle: mapped.handle };
    assert_eq!(world.call(0, &unmap), Err((Error::Busy, 0)));
    assert_eq!(world.call(1, &GrantRevoke { grant }), Err((Error::Busy, 0)));
    let own = world.p2m(0, 100);
    world.update(0, target, P::Format::leaf(own, RW)).unwrap();
    assert_eq!(world.call(0, &unmap), Ok(0));
    assert_eq!(world.call(0, &unmap), Err((Error::NoHandle, 0)));
    assert_eq!(world.call(1, &GrantRevoke { grant }), Ok(0));
    world.finish();
}

fn frames_go_out_and_come_back_clean<P: Platform>() {
    let mut world = World::<P>::new(1, 128);
    let frame = world.p2m(0, 100);
    let arguments = world.p2m(0, 2);
    world.machine.write(arguments, 0, frame.0);
    let inflate = BalloonInflate::frames(1);
    assert_eq!(world.call(0, &inflate), Err((Error::Busy, 0)));
    world.machine.access(world.physmap(100), model::Access::Write(7)).unwrap();
    let target = page(&world, 100);
    world.update(0, target, 0).unwrap();
    assert_eq!(world.call(0, &inflate), Ok(1));
    assert_eq!(world.call(0, &inflate), Err((Error::NotOwner, 0)));
    assert_eq!(world.call(0, &BalloonDeflate::frames(17)), Ok(17));
    for word in 0..17 {
        let frame = Mfn(world.machine.read(arguments, word));
        assert!(world.machine.is_zero(frame), "{frame:?}");
    }
    let none = world.call(0, &BalloonDeflate::frames(1));
    assert_eq!(none, Err((Error::QuotaExceeded, 0)));
    world.finish();
}

/// Clauses: START.3 START.6
fn segments_are_filled_with_zeros<P: Platform>() {
    let mut world = World::<P>::new(1, 128);
    let info = world.p2m(0, 0);
    let image = world.machine.read(info, offset_of!(StartInfo, image_pfn) / 8);
    // Three bytes of the file, 0x1800 in memory; mapped at its own address, without the right
    // to write.
    let address = |offset: u64| VirtAddr(0x1000_0000 + offset);
    world.switch_to(0);
    assert_eq!(world.machine.access(address(0), model::Access::Read), Ok(0x03_0201));
    for offset in (8..0x2000).step_by(8) {
        assert_eq!(world.machine.access(address(offset), model::Access::Read), Ok(0));
    }
    assert_eq!(world.machine.access(address(0), model::Access::Write(1)), Err(model::Fault));
    assert_eq!(world.machine.read(world.p2m(0, image), 0), 0x03_0201);
    world.finish();
}

/// Clauses: START.9
fn a_module_has_pages_of_its_own<P: Platform>() {
    let file: Vec<u8> = (0..4100u32).map(|byte| byte as u8 | 1).collect();
    for bytes in [0, 1, 4095, 4096, 4097, 4100] {
        let mut world = World::<P>::new(0, 128);
        let module = (bytes > 0).then_some(&file[..bytes]);
        world.create_with(128, module).unwrap();
        let info = world.p2m(0, 0);
        let told = |field: usize| world.machine.read(info, field / 8);
        let first = told(offset_of!(StartInfo, module_pfn));
        let stack = told(offset_of!(StartInfo, stack_pfn));
        assert_eq!(told(offset_of!(StartInfo, module_bytes)), bytes as u64);
        assert_eq!(told(offset_of!(StartInfo, version)) as u32, 3 << 16 | 1);
        // The image of these tests has two pages.
        let image = told(offset_of!(StartInfo, image_pfn));
        assert_eq!(first, if bytes == 0 { 0 } else { image + 2 });
        assert_eq!(stack, image + 2 + bytes.div_ceil(4096) as u64);
        let mut expected = file[..bytes].to_vec();
        expected.resize(bytes.next_multiple_of(4096), 0);
        for (index, word) in expected.chunks_exact(8).enumerate() {
            let frame = world.p2m(0, first + index as u64 / 512);
            let word = u64::from_le_bytes(word.try_into().unwrap());
            assert_eq!(world.machine.read(frame, index % 512), word, "{bytes}: word {index}");
        }
        world.finish();
    }
}

fn a_module_that_does_not_fit_is_refused<P: Platform>() {
    let mut world = World::<P>::new(0, 128);
    let file = vec![1; 128 * 4096];
    let error = world.create_with(128, Some(&file)).unwrap_err();
    assert_eq!(error, pv_core::BuildError::TooSmall { frames: 128 });
    world.audit();
}

for_each_platform! {
    a_module_has_pages_of_its_own
    a_module_that_does_not_fit_is_refused
    domains_come_and_go
    segments_are_filled_with_zeros
    tables_are_never_writable
    foreign_frames_need_a_grant
    frames_go_out_and_come_back_clean
}

#[test]
fn domains_that_all_wait_for_nothing_are_ended() {
    let mut world = World::<X86_64>::new(2, 128);
    assert!(!world.state.end_if_stuck(&mut world.machine));
    world.begin(0, SchedBlock::NUMBER as u64, SchedBlock.encode());
    let deadline = TimerSet { deadline: 1_000_000 };
    assert_eq!(world.call(1, &deadline), Ok(0));
    world.begin(1, SchedBlock::NUMBER as u64, SchedBlock.encode());
    assert!(!world.state.end_if_stuck(&mut world.machine), "a timer is set");
    while world.state.schedule(&mut world.machine) == pv_core::Next::Busy {}
    assert_eq!(world.state.schedule(&mut world.machine), pv_core::Next::Idle);
    world.machine.advance(2_000_000);
    let run = world.state.schedule(&mut world.machine);
    assert_eq!(run, pv_core::Next::Run(world.slots[1]));
    // Its timer has fired; it takes the event by hand and sleeps again.
    let page = world.state.vcpu(world.slots[1]).page;
    world.machine.write(page, hypercall_abi::vcpu_page::PENDING_OFFSET / 8, 0);
    world.begin(1, SchedBlock::NUMBER as u64, SchedBlock.encode());
    assert!(world.state.end_if_stuck(&mut world.machine));
    world.finish();
}
