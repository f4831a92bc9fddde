//! Tests of `trap_return`.

use crate::{
    Check, Entries, OWN, Stop, Test, Touch, check, equal, journal::Undo, registry::tests,
    test::SCRATCH,
};
use core::mem::offset_of;
use hypercall_abi::{
    Error, VirtAddr,
    addr::Level,
    calls::{
        PtSwitch, TrapReturn,
        pt_switch::RootChange,
        pte_update::{Space, Target, Update},
    },
    registers::{Riscv64Registers, X86_64Registers},
    start_info::VCPU_PAGE_PFN,
    trap::{Cause, TRAP_FRAMES, TrapFlags, TrapHeader},
    vcpu_page::{EVENTS_MASKED_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

tests! { "trap_return":
    returns_to_the_access: "TRAP_RETURN.8 TRAP_RETURN.10",
    updates_on_return: "TRAP_RETURN.7",
    events_are_delivered_on_return: "TRAP_RETURN.9",
    events_stay_masked: "TRAP_RETURN.9 TRAP.6",
    bad_count: "TRAP_RETURN.1",
    refused_update: "TRAP_RETURN.2",
    updates_take_effect_before_a_bad_frame: "TRAP_RETURN.3 TRAP_RETURN.7",
    no_frame: "TRAP_RETURN.3",
    too_many_frames: "TRAP_RETURN.3 VCPU.2 XSA-215",
    unknown_flag: "TRAP_RETURN.4 VCPU.2 VERSION.4",
    program_counter_range: "TRAP_RETURN.5 X86.8 RISCV.7 XSA-4 XSA-7",
    no_user_root: "TRAP_RETURN.6 XSA-1",
    segment_bases: "TRAP_RETURN.11 X86.8 RULE.18 XSA-193",
}

const RETURN: TrapReturn = TrapReturn { count: 0 };

/// Bytes of a trap frame, and the offset of the program counter in it.
fn frame_layout(entries: Entries) -> (usize, usize) {
    if entries.is_x86() {
        (224, 32 + offset_of!(X86_64Registers, rip))
    } else {
        (288, 32 + offset_of!(Riscv64Registers, pc))
    }
}

/// Puts a frame on top that could be returned to but for what the test says.
fn push_frame(t: &mut Test<'_>, flags: u32, pc: u64) -> Check {
    let (size, pc_offset) = frame_layout(t.entries());
    t.note(OWN, Undo::Word(VCPU_PAGE_PFN, (TRAP_DEPTH_OFFSET / 8) as u16, 0))?;
    for offset in (0..size).step_by(8) {
        t.set_vcpu(OWN, TRAP_FRAMES_OFFSET + offset, 0);
    }
    t.set_vcpu(OWN, TRAP_FRAMES_OFFSET, u64::from(flags) << 32);
    t.set_vcpu(OWN, TRAP_FRAMES_OFFSET + pc_offset, pc);
    t.set_vcpu(OWN, TRAP_DEPTH_OFFSET, 1);
    Ok(())
}

fn depth(t: &mut Test<'_>) -> u64 {
    t.vcpu(OWN, TRAP_DEPTH_OFFSET)
}

fn returns_to_the_access(t: &mut Test<'_>) -> Check {
    // The handler that records a fault leaves by `trap_return`.
    t.faults(OWN, SCRATCH, Touch::Read)?;
    equal(depth(t), 0, "trap_depth")?;
    equal(t.vcpu(OWN, EVENTS_MASKED_OFFSET), 1, "events_masked")
}

fn updates_on_return(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    t.write(OWN, page, 0, 42);
    let leaf = super::writable(t, page);
    t.map(OWN, SCRATCH, 0)?;
    let target = |address| Target::Page { space: Space::Kernel, address, flush: true };
    t.set_update(OWN, 0, Update::new(target(VirtAddr(SCRATCH.0 + 4096)), 0));
    t.set_update(OWN, 1, Update::new(target(SCRATCH), leaf));
    let (first, second) = t.caller().touch_mending(OWN, SCRATCH, Touch::Read, 2);
    let cause = first.and_then(|trapped| trapped.cause);
    equal(cause, Some(Cause::PageFault), "the cause of the first trap")?;
    equal(second, Ok(42), "the access after it")
}

fn events_are_delivered_on_return(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &hypercall_abi::calls::EventSend { port: first })?;
    check(t.is_pending(OWN, second), "the port is pending")?;
    // A fault while events are unmasked: its frame says so, and the return delivers them.
    t.unmask_events(OWN)?;
    t.faults(OWN, SCRATCH, Touch::Read)?;
    check(t.caller().take_event(OWN, second.0), "the trap entry has taken the event")
}

fn events_stay_masked(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &hypercall_abi::calls::EventSend { port: first })?;
    t.faults(OWN, SCRATCH, Touch::Read)?;
    check(!t.caller().take_event(OWN, second.0), "no event is taken")?;
    check(t.is_pending(OWN, second), "the port is pending")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [257, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &RETURN, 0, count, Error::BadArgument)?;
    }
    Ok(())
}

fn refused_update(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let page = t.page(OWN)?;
    let leaf = super::read_only(t, page);
    let entry = |index| Target::Entry { table: table.frame, index };
    push_frame(t, 0, 1 << 63)?;
    t.set_update(OWN, 0, Update::new(entry(0), leaf));
    let bad = t.entries().supervisor_leaf(page.frame);
    t.set_update(OWN, 1, Update::new(entry(1), bad));
    t.set_update(OWN, 2, Update::new(entry(2), leaf));
    t.refused_after(OWN, &TrapReturn { count: 3 }, Error::BadEntry, 1)?;
    equal(t.read(OWN, table, 0), leaf, "the update before it")?;
    equal(t.read(OWN, table, 2), 0, "the update after it")?;
    equal(depth(t), 1, "trap_depth")
}

fn updates_take_effect_before_a_bad_frame(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let page = t.page(OWN)?;
    let leaf = super::read_only(t, page);
    let target = Target::Entry { table: table.frame, index: 9 };
    t.set_update(OWN, 0, Update::new(target, leaf));
    t.refused_after(OWN, &TrapReturn { count: 1 }, Error::BadTrapFrame, 1)?;
    equal(t.read(OWN, table, 9), leaf, "the entry")
}

fn no_frame(t: &mut Test<'_>) -> Check {
    equal(depth(t), 0, "trap_depth")?;
    t.refused(OWN, &RETURN, Error::BadTrapFrame)
}

fn too_many_frames(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::Word(VCPU_PAGE_PFN, (TRAP_DEPTH_OFFSET / 8) as u16, 0))?;
    for depth in [u64::from(TRAP_FRAMES) + 1, 1 << 32, 1 << 63, u64::MAX] {
        t.set_vcpu(OWN, TRAP_DEPTH_OFFSET, depth);
        t.refused(OWN, &RETURN, Error::BadTrapFrame)?;
    }
    Ok(())
}

fn unknown_flag(t: &mut Test<'_>) -> Check {
    for bit in [2, 3, 16, 31] {
        push_frame(t, 1 << bit, 0x1000)?;
        t.refused(OWN, &RETURN, Error::BadTrapFrame)?;
        equal(depth(t), 1, "trap_depth")?;
    }
    Ok(())
}

fn program_counter_range(t: &mut Test<'_>) -> Check {
    let end = t.guest_end();
    for pc in [end.0, 1 << 63, 0xffff_ffff_8010_0000, u64::MAX - 1] {
        push_frame(t, 0, pc)?;
        t.refused(OWN, &RETURN, Error::BadTrapFrame)?;
        equal(depth(t), 1, "trap_depth")?;
    }
    Ok(())
}

fn no_user_root(t: &mut Test<'_>) -> Check {
    let clear = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Clear };
    t.ok(OWN, &clear)?;
    push_frame(t, TrapFlags::USER.bits(), 0x1000)?;
    t.refused(OWN, &RETURN, Error::NotRegistered)?;
    equal(depth(t), 1, "trap_depth")
}

fn segment_bases(t: &mut Test<'_>) -> Check {
    if !t.entries().is_x86() {
        return Err(Stop::Skip("only x86-64 has segment bases"));
    }
    for register in [offset_of!(X86_64Registers, fs_base), offset_of!(X86_64Registers, gs_base)] {
        for base in [1 << 47, 1 << 63, 0xffff_7fff_ffff_ffff] {
            push_frame(t, 0, 0x1000)?;
            t.set_vcpu(OWN, TRAP_FRAMES_OFFSET + size_of::<TrapHeader>() + register, base);
            t.refused(OWN, &RETURN, Error::BadTrapFrame)?;
            equal(depth(t), 1, "trap_depth")?;
        }
    }
    Ok(())
}
