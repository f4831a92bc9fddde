//! A process in virtual user mode: it makes no calls, and what goes wrong in it is its
//! kernel's to deal with.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::trap::Cause;
use hypercall_abi::vcpu_page::{EVENTS_MASKED_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET};
use hypercall_abi::{Number, VirtAddr};
use pv_core::domain::Life;
use pv_core::format::{Format, Sv39, X86_64 as X86Format};
use pv_core::vcpu::Mode;
use pv_core::{EndReason, Entry, Machine, Outcome, Platform, Registers, Riscv64Sv39, Trap, X86_64};

const ENTRY: u64 = 0x1000_0800;
const STACK: u64 = 0x4000_1000;

/// Where the program counter is among the registers.
fn pc_word<P: Platform>() -> usize {
    if P::Registers::WORDS == 24 { 19 } else { 31 }
}

/// A domain whose process is about to execute the instruction at `pc`.
fn process<P: Platform>(pc: u64) -> World<P> {
    let mut world = World::<P>::new(1, 128);
    let slot = world.slots[0];
    let register = TrapRegister { entry: VirtAddr(ENTRY), stack: VirtAddr(STACK) };
    world.call(0, &register).unwrap();
    let root = world.state.vcpu(slot).kernel_root.unwrap();
    let user_root = RootChange::Set(root);
    world.call(0, &PtSwitch { kernel_root: RootChange::Keep, user_root }).unwrap();
    let page = world.state.vcpu(slot).page;
    // A frame with nothing in it but the user flag and the program counter.
    world.machine.write(page, EVENTS_MASKED_OFFSET / 8, 1);
    for word in 0..36 {
        world.machine.write(page, TRAP_FRAMES_OFFSET / 8 + word, 0);
    }
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8, 1 << 32);
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8 + 4 + pc_word::<P>(), pc);
    world.machine.write(page, TRAP_DEPTH_OFFSET / 8, 1);
    world.begin(0, TrapReturn::NUMBER as u64, TrapReturn { count: 0 }.encode());
    assert_eq!(world.state.vcpu(slot).mode, Mode::User);
    assert_eq!(world.registers[0].pc(), pc);
    world
}

fn trap_of<P: Platform>(world: &World<P>) -> Option<Cause> {
    let page = world.state.vcpu(world.slots[0]).page;
    let cause = world.machine.read(page, TRAP_FRAMES_OFFSET / 8) as u32;
    hypercall_abi::trap::CauseBits(cause).decode()
}

fn makes_no_calls<P: Platform>() {
    for number in (0..Number::COUNT as u64 + 2).chain([1 << 32, u64::MAX]) {
        let mut world = process::<P>(0x1000_0100);
        let calls = world.state.domain(world.slots[0]).counters.total_refusals();
        let before = world.state.frames.clone();
        world.begin(0, number, [1, 2, 3, 4, 5, 6]);
        let slot = world.slots[0];
        assert_eq!(world.state.vcpu(slot).mode, Mode::Kernel);
        assert_eq!(trap_of(&world), Some(Cause::SystemCall), "call {number}");
        assert_eq!((world.registers[0].pc(), world.registers[0].sp()), (ENTRY, STACK));
        assert_eq!(world.state.domain(slot).counters.total_refusals(), calls);
        assert_eq!(world.state.frames, before);
        world.finish();
    }
}

/// A call from user mode is no call, whatever its number.
/// Advisories: XSA-76
#[test]
fn a_process_makes_no_calls() {
    makes_no_calls::<X86_64>();
    makes_no_calls::<Riscv64Sv39>();
}

/// Behind the last instruction of the range lies what is not the guest's. A process that gets there
/// has a fault; a kernel that makes a call there ends.
/// Advisories: XSA-7 XSA-170
#[test]
fn nobody_returns_beyond_the_range() {
    let end = X86Format::GUEST_END;
    let mut world = process::<X86_64>(end - 1);
    let slot = world.slots[0];
    world.registers[0].words_mut()[pc_word::<X86_64>()] = end;
    let trap = Trap { cause: Cause::Breakpoint, code: 0, address: 0 };
    let outcome =
        world.state.enter(&mut world.machine, slot, &mut world.registers[0], Entry::Trap(trap));
    assert_eq!(outcome, Outcome::Return);
    assert_eq!(world.registers[0].pc(), ENTRY);
    // The kernel goes back to where the process was, and is refused.
    assert!(world.call(0, &TrapReturn { count: 0 }).is_err());
    for end in [end, end + 1, 1 << 63, u64::MAX] {
        let mut world = World::<X86_64>::new(1, 64);
        world.registers[0].words_mut()[pc_word::<X86_64>()] = end;
        world.begin(0, Number::AbiQuery as u64, [0; 6]);
        let life = &world.state.domain(world.slots[0]).life;
        let reason = EndReason::BadReturnAddress(VirtAddr(end));
        assert!(matches!(life, Life::Ending { reason: found, .. } if *found == reason));
        world.finish();
    }
    let mut world = World::<Riscv64Sv39>::new(1, 64);
    // `ecall` is four bytes long.
    world.registers[0].words_mut()[31] = Sv39::GUEST_END - 4;
    world.begin(0, Number::AbiQuery as u64, [0; 6]);
    assert!(!world.is_running(0));
    world.finish();
}

/// One trap for one cause; without an entry for it the domain ends, once.
/// Advisories: XSA-8 XSA-339
#[test]
fn a_trap_is_delivered_once() {
    let mut world = process::<X86_64>(0x1000_0100);
    let slot = world.slots[0];
    let trap = Trap { cause: Cause::IllegalInstruction, code: 0, address: 0 };
    let page = world.state.vcpu(slot).page;
    world.state.enter(&mut world.machine, slot, &mut world.registers[0], Entry::Trap(trap));
    assert_eq!(world.machine.read(page, TRAP_DEPTH_OFFSET / 8), 1);
    assert_eq!(world.state.domain(slot).counters.traps, 1);
    // An interrupt, and going on, delivers nothing more.
    world.state.enter(&mut world.machine, slot, &mut world.registers[0], Entry::Interrupt);
    world.switch_to(0);
    let outcome = world.state.resume(&mut world.machine, slot, &mut world.registers[0]);
    assert_eq!(outcome, Outcome::Return);
    assert_eq!(world.machine.read(page, TRAP_DEPTH_OFFSET / 8), 1);
    world.finish();

    let mut world = World::<X86_64>::new(1, 64);
    let slot = world.slots[0];
    let outcome =
        world.state.enter(&mut world.machine, slot, &mut world.registers[0], Entry::Trap(trap));
    assert_eq!(outcome, Outcome::Reschedule);
    let life = &world.state.domain(slot).life;
    let reason = EndReason::NoTrapEntry(trap);
    assert!(matches!(life, Life::Ending { reason: found, .. } if *found == reason));
    world.finish();
}

/// The processor is on the root that the books say, after what went well and after what was
/// refused.
/// Advisories: XSA-494
#[test]
fn the_loaded_root_is_the_one_in_the_books() {
    let mut world = World::<X86_64>::new(1, 128);
    let slot = world.slots[0];
    let register = TrapRegister { entry: VirtAddr(ENTRY), stack: VirtAddr(STACK) };
    world.call(0, &register).unwrap();
    let kernel = world.state.vcpu(slot).kernel_root.unwrap();
    let user = world.p2m(0, 100);
    let address = world.physmap(100);
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    world.update(0, target, 0).unwrap();
    world.call(0, &PtCreate { frame: user, level: Level::L4 }).unwrap();
    let loaded = |world: &World<X86_64>| {
        assert_eq!(world.state.tlb.root(), world.state.vcpu(slot).root());
        world.state.tlb.root()
    };
    let keep = RootChange::Keep;
    let set = |kernel_root, user_root| PtSwitch { kernel_root, user_root };
    world.call(0, &set(keep, RootChange::Set(user))).unwrap();
    let page = world.state.vcpu(slot).page;
    let no_table = world.p2m(0, 101);
    for (kernel_root, user_root) in
        [(RootChange::Set(no_table), keep), (RootChange::Set(user), RootChange::Set(no_table))]
    {
        assert!(world.call(0, &set(kernel_root, user_root)).is_err());
        assert_eq!(loaded(&world), Some(kernel));
    }
    // A return that is refused, then one that is not, and the trap that ends it.
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8, 1 << 32);
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8 + 4 + pc_word::<X86_64>(), 1 << 63);
    world.machine.write(page, TRAP_DEPTH_OFFSET / 8, 1);
    assert!(world.call(0, &TrapReturn { count: 0 }).is_err());
    assert_eq!(loaded(&world), Some(kernel));
    world.machine.write(page, TRAP_FRAMES_OFFSET / 8 + 4 + pc_word::<X86_64>(), 0x1000_0000);
    world.begin(0, TrapReturn::NUMBER as u64, TrapReturn { count: 0 }.encode());
    assert_eq!(loaded(&world), Some(user));
    let trap = Trap { cause: Cause::PageFault, code: 4, address: 0x1000_0000 };
    world.state.enter(&mut world.machine, slot, &mut world.registers[0], Entry::Trap(trap));
    assert_eq!(loaded(&world), Some(kernel));
    world.finish();
}
