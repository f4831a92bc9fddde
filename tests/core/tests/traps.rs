//! Invariants about traps that no state can show: how many frames an entry writes, and what a
//! process's system call is.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::trap::{Cause, TrapFlags};
use hypercall_abi::vcpu_page::{
    EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET,
};
use hypercall_abi::{Status, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::vcpu::Mode;
use pv_core::{Entry, Machine, Outcome, Trap, X86_64};

const RO: Permissions = Permissions { write: false, execute: false };

/// I37: an entry writes one trap frame, whatever else is due, and a return takes one off.
#[test]
fn one_entry_delivers_one_trap() {
    let mut world = World::<X86_64>::new(1, 128);
    let entry = TrapRegister { entry: VirtAddr(0x1000_0000), stack: VirtAddr(0x4000_0000) };
    world.call(0, &entry).unwrap();
    let (slot, page) = (world.slots[0], world.state.vcpu(world.slots[0]).page);
    let word = |world: &World<X86_64>, offset: usize| world.machine.read(page, offset / 8);
    world.machine.write(page, EVENTS_MASKED_OFFSET / 8, 0);
    world.machine.write(page, EVENTS_PENDING_OFFSET / 8, 1);
    let trap = Trap { cause: Cause::PageFault, code: 1, address: 0x5000 };
    let enter = |world: &mut World<X86_64>, entry| {
        let (state, machine) = (&mut world.state, &mut world.machine);
        assert_eq!(state.enter(machine, slot, &mut world.registers[0], entry), Outcome::Return);
        world.audit();
    };
    enter(&mut world, Entry::Trap(trap));
    assert_eq!(word(&world, TRAP_DEPTH_OFFSET), 1, "the event waits");
    assert_eq!(word(&world, TRAP_FRAMES_OFFSET) as u32, Cause::PageFault as u32);
    // The return takes the fault off, and only then is the event delivered: in its place.
    let registers = &mut world.registers[0];
    (registers.rax, registers.rdi) = (TrapReturn::NUMBER as u64, 0);
    enter(&mut world, Entry::Call);
    assert_eq!(word(&world, TRAP_DEPTH_OFFSET), 1);
    assert_eq!(word(&world, TRAP_FRAMES_OFFSET) as u32, Cause::Event as u32);
    assert_ne!(word(&world, EVENTS_MASKED_OFFSET), 0, "and no second one comes on top of it");
    world.machine.write(page, EVENTS_PENDING_OFFSET / 8, 0);
    let registers = &mut world.registers[0];
    (registers.rax, registers.rdi) = (TrapReturn::NUMBER as u64, 0);
    enter(&mut world, Entry::Call);
    assert_eq!(word(&world, TRAP_DEPTH_OFFSET), 0);
    world.finish();
}

/// I38: what a kernel does by a call is a trap to the kernel when a process does it.
#[test]
fn a_process_makes_no_calls() {
    let mut world = World::<X86_64>::new(1, 128);
    let root = world.p2m(0, 80);
    let address = world.physmap(80);
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    world.update(0, target, pv_core::format::X86_64::leaf(root, RO)).unwrap();
    world.call(0, &PtCreate { frame: root, level: Level::L4 }).unwrap();
    let user_root = RootChange::Set(root);
    world.call(0, &PtSwitch { kernel_root: RootChange::Keep, user_root }).unwrap();
    let entry = TrapRegister { entry: VirtAddr(0x1000_0000), stack: VirtAddr(0x4000_0000) };
    world.call(0, &entry).unwrap();
    let (slot, page) = (world.slots[0], world.state.vcpu(world.slots[0]).page);
    // The kernel returns to a process.
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8, u64::from(TrapFlags::USER.bits()) << 32);
    world.machine.write(page, TRAP_DEPTH_OFFSET / 8, 1);
    assert_eq!(world.raw(0, TrapReturn::NUMBER as u64, [0; 6]).0, Status(0));
    assert_eq!(world.state.vcpu(slot).mode, Mode::User);
    let before = world.state.domain(slot).frames;
    for number in [BalloonDeflate::NUMBER as u64, TrapReturn::NUMBER as u64, 0x7777] {
        world.machine.write(page, TRAP_DEPTH_OFFSET / 8, 0);
        let mut inside = world.clone();
        inside.begin(0, number, [1, 0, 0, 0, 0, 0]);
        assert!(!inside.is_inside(0));
        assert_eq!(inside.machine.read(page, TRAP_DEPTH_OFFSET / 8), 1);
        let cause = inside.machine.read(page, TRAP_FRAMES_OFFSET / 8) as u32;
        assert_eq!(cause, Cause::SystemCall as u32);
        assert_eq!(inside.state.vcpu(slot).mode, Mode::Kernel);
        assert_eq!(inside.state.domain(slot).frames, before);
    }
    world.finish();
}
