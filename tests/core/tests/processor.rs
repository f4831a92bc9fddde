//! What happens to a vCPU besides the calls that it makes: traps with an entry and without one,
//! processes, returns to bad addresses, on the model machine.

use core_tests::World;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::{
    AbiQuery, Call, PtSwitch, SchedBlock, TimerSet, TrapRegister, TrapReturn,
};
use hypercall_abi::start_info::StartInfo;
use hypercall_abi::trap::{Cause, TRAP_FRAMES, TrapFlags};
use hypercall_abi::vcpu_page::{
    EVENTS_MASKED_OFFSET, PENDING_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET,
};
use hypercall_abi::{AbiVersion, Mfn, Port, Status, VirtAddr};
use pv_core::domain::Life;
use pv_core::format::Format;
use pv_core::{EndReason, Entry, Machine, Outcome, Platform, Registers, Trap};
use std::mem::offset_of;

const ENTRY: VirtAddr = VirtAddr(0x1000_0100);
const STACK: VirtAddr = VirtAddr(core_tests::PHYSMAP + 0x8000);
const FAULT: Trap = Trap { cause: Cause::PageFault, code: 1, address: 0x1234 };

/// A world of one domain.
fn world<P: Platform>() -> World<P> {
    World::new(1, 128)
}

fn page<P: Platform>(world: &World<P>) -> Mfn {
    world.state.vcpu(world.slots[0]).page
}

fn read<P: Platform>(world: &World<P>, offset: usize) -> u64 {
    world.machine.read(page(world), offset / 8)
}

fn write<P: Platform>(world: &mut World<P>, offset: usize, value: u64) {
    let page = page(world);
    world.machine.write(page, offset / 8, value);
}

fn register<P: Platform>(world: &mut World<P>) {
    assert_eq!(world.call(0, &TrapRegister { entry: ENTRY, stack: STACK }), Ok(0));
}

fn enter<P: Platform>(world: &mut World<P>, entry: Entry) -> Outcome {
    let (slot, registers) = (world.slots[0], &mut world.registers[0]);
    let outcome = world.state.enter(&mut world.machine, slot, registers, entry);
    world.audit();
    outcome
}

fn reason<P: Platform>(world: &World<P>) -> EndReason {
    match &world.state.domain(world.slots[0]).life {
        Life::Ending { reason, .. } => *reason,
        other => panic!("the domain has not ended: {other:?}"),
    }
}

/// Clauses: TRAP.7 X86.5 RISCV.4
fn a_trap_without_an_entry_ends_the_domain<P: Platform>() {
    let mut world = world::<P>();
    assert_eq!(enter(&mut world, Entry::Trap(FAULT)), Outcome::Reschedule);
    assert_eq!(reason(&world), EndReason::NoTrapEntry(FAULT));
    assert_eq!(read(&world, TRAP_DEPTH_OFFSET), 0);
    world.finish();
}

/// Clauses: SCHED_BLOCK.4 X86.5 RISCV.4
fn events_without_an_entry_are_found_by_looking<P: Platform>() {
    let mut world = world::<P>();
    assert_eq!(world.call(0, &TimerSet { deadline: 0 }), Ok(0));
    assert_eq!(world.call(0, &SchedBlock), Ok(0));
    assert_eq!(read(&world, EVENTS_MASKED_OFFSET), 0);
    assert_eq!(read(&world, PENDING_OFFSET) >> Port::TIMER.0 & 1, 1);
    assert_eq!(read(&world, TRAP_DEPTH_OFFSET), 0, "no trap was delivered");
    world.finish();
}

/// Clauses: TRAP.7
fn a_trap_that_finds_no_frame_free_ends_the_domain<P: Platform>() {
    for depth in [u64::from(TRAP_FRAMES), 1 << 40, u64::MAX] {
        let mut world = world::<P>();
        register(&mut world);
        write(&mut world, TRAP_DEPTH_OFFSET, depth);
        assert_eq!(enter(&mut world, Entry::Trap(FAULT)), Outcome::Reschedule);
        assert_eq!(reason(&world), EndReason::TrapsTooDeep(FAULT));
        world.finish();
    }
}

/// Clauses: TRAP.4
fn a_trap_from_the_kernel_keeps_its_stack<P: Platform>() {
    let mut world = world::<P>();
    register(&mut world);
    for low in [0, 1, 8, 15] {
        world.registers[0] = Registers::start(0x1000_0000, core_tests::PHYSMAP + 0x9000 + low, 0);
        assert_eq!(enter(&mut world, Entry::Trap(FAULT)), Outcome::Return);
        let registers = &world.registers[0];
        assert_eq!((registers.pc(), registers.sp()), (ENTRY.0, core_tests::PHYSMAP + 0x9000));
    }
    world.finish();
}

/// Registers that each hold something of their own.
fn distinct<R: Registers>() -> R {
    let mut registers = R::default();
    for (index, word) in registers.words_mut().iter_mut().enumerate() {
        *word = 0x5000 + 8 * index as u64;
    }
    registers
}

/// Returns from a trap to a process with these registers, on the domain's own root.
fn process<P: Platform>(registers: &P::Registers) -> World<P> {
    let mut world = world::<P>();
    register(&mut world);
    let info = world.p2m(0, 0);
    let root = Mfn(world.machine.read(info, offset_of!(StartInfo, root) / 8));
    let switch = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Set(root) };
    assert_eq!(world.call(0, &switch), Ok(0));
    let flags = u64::from(TrapFlags::USER.bits()) << 32;
    write(&mut world, TRAP_FRAMES_OFFSET, flags);
    for (index, word) in registers.words().iter().enumerate() {
        write(&mut world, TRAP_FRAMES_OFFSET + 32 + 8 * index, *word);
    }
    write(&mut world, TRAP_DEPTH_OFFSET, 1);
    world.begin(0, TrapReturn::NUMBER as u64, TrapReturn { count: 0 }.encode());
    world
}

/// Clauses: TRAP_RETURN.10 TRAP_RETURN.12
fn a_return_from_a_trap_writes_no_status<P: Platform>() {
    let registers = distinct::<P::Registers>();
    let mut want = registers.clone();
    want.sanitise().expect("registers that can be loaded");
    let world = process::<P>(&registers);
    assert_eq!(world.registers[0], want);
    world.finish();
}

/// Clauses: CALL.1 TRAP.4 PT_SWITCH.9
fn a_call_of_a_process_is_a_trap<P: Platform>() {
    let mut world = process::<P>(&Registers::start(0x5000, 0x7008, 0));
    assert_eq!(enter(&mut world, Entry::Call), Outcome::Return);
    let registers = &world.registers[0];
    assert_eq!((registers.pc(), registers.sp()), (ENTRY.0, STACK.0));
    assert_eq!(read(&world, TRAP_FRAMES_OFFSET) as u32, Cause::SystemCall as u32);
    assert_eq!(read(&world, TRAP_FRAMES_OFFSET) >> 32, u64::from(TrapFlags::USER.bits()));
    world.finish();
}

/// Clauses: X86.1 RISCV.1
fn a_call_changes_only_its_result<P: Platform>() {
    let mut world = world::<P>();
    world.registers[0] = distinct();
    let (number, args) = (AbiQuery::NUMBER as u64, [0, 11, 12, 13, 14, 15]);
    let mut want = distinct::<P::Registers>();
    want.set_call(number, &args);
    want.step_over_call();
    want.set_result(Status::SUCCESS, AbiVersion::CURRENT.to_value());
    world.begin(0, number, args);
    assert_eq!(world.registers[0], want);
    world.finish();
}

/// Clauses: CALL.9
fn a_call_that_would_return_out_of_range_ends_the_domain<P: Platform>() {
    let mut world = world::<P>();
    register(&mut world);
    let end = P::Format::GUEST_END;
    // The instruction is the last of the range: on riscv64 the core steps over its four bytes, on
    // x86-64 the processor has done so.
    let pc = if P::Registers::WORDS == 24 { end } else { end - 4 };
    world.switch_to(0);
    // All the other registers are 0: `abi_query`.
    world.registers[0] = Registers::start(pc, 0, 0);
    assert_eq!(enter(&mut world, Entry::Call), Outcome::Reschedule);
    assert_eq!(reason(&world), EndReason::BadReturnAddress(VirtAddr(end)));
    world.finish();
}

for_each_platform! {
    a_trap_without_an_entry_ends_the_domain
    events_without_an_entry_are_found_by_looking
    a_trap_that_finds_no_frame_free_ends_the_domain
    a_trap_from_the_kernel_keeps_its_stack
    a_return_from_a_trap_writes_no_status
    a_call_of_a_process_is_a_trap
    a_call_changes_only_its_result
    a_call_that_would_return_out_of_range_ends_the_domain
}
