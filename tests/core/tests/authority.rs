//! Who may do what, who pays for it, and what is left of a domain when it is gone: nothing
//! that names it, nothing that it knew, nothing that it held.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, Number, PAGE_SIZE, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::frame::{Frame, Type};
use pv_core::{EndReason, Machine, Next, X86_64};

type Sheet = pv_core::format::X86_64;

const RO: Permissions = Permissions { write: false, execute: false };

fn protect(world: &mut World<X86_64>, domain: usize, pfn: u64, value: u64) {
    let address = world.physmap(pfn);
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    world.update(domain, target, value).unwrap();
}

/// Ends a domain and takes it apart, to the last.
fn end(world: &mut World<X86_64>, id: DomainId) {
    world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
    for _ in 0..100_000 {
        if world.state.domain_of(id).is_none() {
            return;
        }
        let _ = world.state.schedule(&mut world.machine);
    }
    panic!("{id:?} never ends");
}

/// Domains come and go, and nothing gets less.
/// Advisories: XSA-149 XSA-151 XSA-207 XSA-253
#[test]
fn domains_come_and_go_without_a_trace() {
    let mut world = World::<X86_64>::new(1, 64);
    let (heir, baseline) = (DomainId(1), world.state.frames.unowned());
    for _ in 0..200 {
        let slot = world.create(64).unwrap();
        let id = world.state.domain(slot).id;
        let domain = world.slots.len() - 1;
        let frame = world.p2m(domain, 50);
        let share = GrantShare { domain: heir, frame, access: Access::Read };
        let grant = GrantRef(world.call(domain, &share).unwrap() as u32);
        let map = GrantMap { domain: id, grant, access: Access::Read };
        let handle = grant_map::MappedGrant::from_value(world.call(0, &map).unwrap()).handle;
        world.call(domain, &EventAlloc { domain: heir }).unwrap();
        world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
        for _ in 0..50 {
            let _ = world.state.schedule(&mut world.machine);
        }
        world.call(0, &GrantUnmap { handle }).unwrap();
        end(&mut world, id);
        assert_eq!(world.state.frames.unowned(), baseline);
        assert!(world.state.take_summary().is_some());
    }
    world.finish();
}

/// Tables, grants, handles and ports take no memory but the domain's own.
/// Clauses: RULE.22
/// Advisories: XSA-409
#[test]
fn a_domain_pays_for_itself() {
    let mut world = World::<X86_64>::new(2, 128);
    let (unowned, frames) =
        (world.state.frames.unowned(), world.state.domain(world.slots[0]).frames);
    for pfn in 60..100 {
        let frame = world.p2m(0, pfn);
        protect(&mut world, 0, pfn, Sheet::leaf(frame, RO));
        world.call(0, &PtCreate { frame, level: Level::L2 }).unwrap();
        world.call(0, &EventAlloc { domain: DomainId(2) }).unwrap();
        let share = GrantShare { domain: DomainId(2), frame, access: Access::Read };
        let grant = GrantRef(world.call(0, &share).unwrap() as u32);
        let map = GrantMap { domain: DomainId(1), grant, access: Access::Read };
        world.call(1, &map).unwrap();
    }
    assert_eq!(world.state.frames.unowned(), unowned);
    let domain = world.state.domain(world.slots[0]);
    assert_eq!((domain.frames, domain.tables >= 40), (frames, true));
    world.finish();
}

/// What a guest writes into its P2M is nothing to the hypervisor.
/// Clauses: RULE.8
/// Advisories: XSA-251
#[test]
fn a_ruined_p2m_is_its_owners_loss() {
    for value in [0, u64::MAX, u64::MAX - 1, 1 << 63, 0x5555_5555_5555_5555, 0x112] {
        let mut world = World::<X86_64>::new(2, 128);
        let map = world.p2m(0, 3);
        let frame = world.p2m(0, 100);
        for word in 0..512 {
            world.machine.write(map, word, value);
        }
        protect(&mut world, 0, 100, Sheet::leaf(frame, RO));
        world.call(0, &PtCreate { frame, level: Level::L1 }).unwrap();
        world.call(0, &BalloonDeflate::frames(4)).unwrap();
        world.finish();
    }
}

/// What a frame was used as goes with its owner.
/// Advisories: XSA-214
#[test]
fn a_frame_that_changes_hands_keeps_no_type() {
    let mut world = World::<X86_64>::new(2, 128);
    let (table, target) = (world.p2m(0, 100), world.p2m(0, 101));
    protect(&mut world, 0, 100, 0);
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    world.update(0, Target::Entry { table, index: 7 }, Sheet::leaf(target, RO)).unwrap();
    world.call(0, &PtUnpin { frame: table }).unwrap();
    let arguments = [world.p2m(0, 2), world.p2m(1, 2)];
    world.machine.write(arguments[0], 0, table.0);
    world.call(0, &BalloonInflate::frames(1)).unwrap();
    world.call(1, &BalloonDeflate::frames(1)).unwrap();
    assert_eq!(Mfn(world.machine.read(arguments[1], 0)), table, "the frame that went last");
    assert!(world.machine.is_zero(table));
    let Ok(Frame::Owned(owned)) = world.state.frames.get(table) else { panic!("it is owned") };
    assert_eq!((owned.owner, owned.kind, owned.references), (DomainId(2), Type::None, 1));
    assert_eq!(world.call(1, &PtUnpin { frame: table }), Err((Error::NotTable, 0)));
    // Its entries are looked at when it becomes a table again: this one is another's.
    world.machine.write(table, 7, Sheet::leaf(target, RO));
    let pin = PtPin { frame: table, level: Level::L1 };
    assert_eq!(world.call(1, &pin), Err((Error::NotOwner, 0)));
    world.finish();
}

/// Memory that was the hypervisor's, firmware's or another domain's has nothing in it; nor has what
/// lies between and behind the parts of an image.
/// Advisories: XSA-100 XSA-164 XSA-194 XSA-372
#[test]
fn a_new_domain_finds_zeros() {
    let mut world = World::<X86_64>::new(1, 128);
    let end_of_image = 3usize;
    let root = world.state.vcpu(world.slots[0]).kernel_root.unwrap();
    let image =
        [0x1000_0000, 0x1000_0000 + PAGE_SIZE].map(|address| frame_at(&world, root, address));
    assert_eq!(world.machine.read(image[0], 0) & 0xff_ffff, 0x03_0201, "the image is there");
    assert_eq!(world.machine.read(image[0], 0) >> (8 * end_of_image), 0, "behind its data");
    assert!((1..512).all(|word| world.machine.read(image[0], word) == 0), "its first page");
    assert!(world.machine.is_zero(image[1]), "its second page");
    for pfn in 100..128 {
        assert!(world.machine.is_zero(world.p2m(0, pfn)), "page {pfn}");
    }
    // One domain writes everywhere, and the next has the same frames.
    for pfn in 60..128 {
        let frame = world.p2m(0, pfn);
        for word in 0..512 {
            world.machine.write(frame, word, 0x005e_c3e7);
        }
    }
    end(&mut world, DomainId(1));
    world.create(128).unwrap();
    let slot = world.slots[1];
    let id = world.state.domain(slot).id;
    for (frame, state) in world.state.frames.iter() {
        if matches!(state, Frame::Owned(owned) if owned.owner == id) {
            let leaked = (0..512).any(|word| world.machine.read(frame, word) == 0x005e_c3e7);
            assert!(!leaked, "{frame:?}");
        }
    }
}

fn frame_at(world: &World<X86_64>, root: Mfn, address: u64) -> Mfn {
    let mut table = root;
    for level in [Level::L4, Level::L3, Level::L2] {
        let index = Sheet::index(VirtAddr(address), level);
        let value = world.machine.read(table, index);
        table = Mfn((value & 0x000f_ffff_ffff_f000) >> 12);
    }
    let value = world.machine.read(table, Sheet::index(VirtAddr(address), Level::L1));
    Mfn((value & 0x000f_ffff_ffff_f000) >> 12)
}

/// A guest that does wrong writes nothing to anybody's log.
/// Advisories: XSA-118 XSA-146 XSA-152
#[test]
fn refusals_write_nothing() {
    let mut world = World::<X86_64>::new(1, 128);
    for round in 0..200 {
        for number in Number::ALL {
            use Number::{SchedBlock, SchedYield, SpareDrop, TimerSet};
            let harmless = [SchedBlock, SchedYield, SpareDrop, TimerSet];
            if !harmless.contains(&number) && number != Number::PtSwitch {
                let (status, _) = world.raw(0, number as u64, [u64::MAX - round; 6]);
                assert_ne!(status.0, 0, "{number:?}");
            }
        }
        world.raw(0, u64::MAX - round, [0; 6]);
    }
    assert!(world.machine.console.is_empty());
    assert_eq!(world.state.schedule(&mut world.machine), Next::Run(world.slots[0]));
    world.finish();
}
