//! Tests of what a trap leaves on the vCPU page.

use crate::{Check, OWN, Test, Touch, check, equal, registry::tests, test::SCRATCH};
use core::mem::offset_of;
use hypercall_abi::{
    Port, VirtAddr,
    calls::TimerSet,
    registers::X86_64Registers,
    trap::{Cause, TrapFlags, TrapHeader},
    vcpu_page::{
        EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET,
    },
};

tests! { "traps":
    header: "TRAP.1",
    flags_tell_the_mask: "TRAP.2 TRAP_RETURN.9",
    reserved_words: "TRAP.1 VCPU.3 XSA-122",
    registers_are_kept: "TRAP.5 TRAP_RETURN.10",
    faults_nest_by_depth: "TRAP.1",
    timer_is_an_event: "EVENT.3 TIMER_SET.3",
}

/// A word of the lowest trap frame, which stays as it is when the frame has been taken off.
fn frame(t: &mut Test<'_>, offset: usize) -> u64 {
    t.vcpu(OWN, TRAP_FRAMES_OFFSET + offset)
}

fn header(t: &mut Test<'_>) -> Check {
    for (address, touch) in [
        (SCRATCH, Touch::Read),
        (VirtAddr(SCRATCH.0 + 0xff8), Touch::Write(1)),
        (VirtAddr(SCRATCH.0 + 4096), Touch::Execute),
    ] {
        let trapped = t.faults(OWN, address, touch)?;
        let word = frame(t, offset_of!(TrapHeader, cause));
        equal(word as u32, Cause::PageFault as u32, "cause")?;
        let flags = (word >> 32) as u32;
        equal(flags, TrapFlags::EVENTS_MASKED.bits(), "flags")?;
        equal(frame(t, offset_of!(TrapHeader, code)), trapped.code, "code")?;
        equal(frame(t, offset_of!(TrapHeader, address)), address.0, "address")?;
        equal(frame(t, offset_of!(TrapHeader, reserved)), 0, "the reserved word")?;
    }
    Ok(())
}

fn flags_tell_the_mask(t: &mut Test<'_>) -> Check {
    t.unmask_events(OWN)?;
    t.faults(OWN, SCRATCH, Touch::Read)?;
    let flags = (frame(t, offset_of!(TrapHeader, cause)) >> 32) as u32;
    equal(flags, 0, "flags of a fault while events are not masked")?;
    equal(t.vcpu(OWN, EVENTS_MASKED_OFFSET), 0, "events_masked after the return")?;
    t.set_vcpu(OWN, EVENTS_MASKED_OFFSET, 1);
    t.faults(OWN, SCRATCH, Touch::Read)?;
    equal(t.vcpu(OWN, EVENTS_MASKED_OFFSET), 1, "events_masked after the return")
}

fn reserved_words(t: &mut Test<'_>) -> Check {
    if !t.entries().is_x86() {
        return Ok(());
    }
    t.faults(OWN, SCRATCH, Touch::Read)?;
    let registers = size_of::<TrapHeader>();
    for offset in [
        offset_of!(X86_64Registers, reserved_vector),
        offset_of!(X86_64Registers, reserved_error),
        offset_of!(X86_64Registers, cs),
        offset_of!(X86_64Registers, ss),
    ] {
        equal(frame(t, registers + offset), 0, "a reserved word of the registers")?;
    }
    Ok(())
}

fn registers_are_kept(t: &mut Test<'_>) -> Check {
    // An access that is mended goes on with the registers that it had: address and value.
    let page = t.page(OWN)?;
    let leaf = t.entries().leaf(page.frame, crate::Permit::Write);
    t.map(OWN, SCRATCH, 0)?;
    let target = hypercall_abi::calls::pte_update::Target::Page {
        space: hypercall_abi::calls::pte_update::Space::Kernel,
        address: SCRATCH,
        flush: true,
    };
    t.set_update(OWN, 0, hypercall_abi::calls::pte_update::Update::new(target, leaf));
    let value = 0x0123_4567_89ab_cdef;
    let (first, second) = t.caller().touch_mending(OWN, SCRATCH, Touch::Write(value), 1);
    check(first.is_some() && second.is_ok(), "the access faults once and then goes through")?;
    equal(t.read(OWN, page, 0), value, "what was written")
}

fn faults_nest_by_depth(t: &mut Test<'_>) -> Check {
    // Frames below the topmost are not the hypervisor's to touch.
    t.note(
        OWN,
        crate::journal::Undo::Word(
            hypercall_abi::start_info::VCPU_PAGE_PFN,
            (TRAP_DEPTH_OFFSET / 8) as u16,
            0,
        ),
    )?;
    t.set_vcpu(OWN, TRAP_FRAMES_OFFSET + 8, 0x7777);
    t.set_vcpu(OWN, TRAP_DEPTH_OFFSET, 1);
    t.faults(OWN, SCRATCH, Touch::Read)?;
    equal(t.vcpu(OWN, TRAP_DEPTH_OFFSET), 1, "trap_depth after the return")?;
    equal(frame(t, 8), 0x7777, "a word of the frame below")
}

fn timer_is_an_event(t: &mut Test<'_>) -> Check {
    t.note(OWN, crate::journal::Undo::StopTimer)?;
    t.unmask_events(OWN)?;
    t.ok(OWN, &TimerSet { deadline: 0 })?;
    check(t.caller().take_event(OWN, Port::TIMER.0), "the trap entry has taken the event")?;
    equal(t.vcpu(OWN, EVENTS_PENDING_OFFSET), 0, "events_pending")?;
    let word = frame(t, offset_of!(TrapHeader, cause)) as u32;
    equal(word, Cause::Event as u32, "cause")
}
