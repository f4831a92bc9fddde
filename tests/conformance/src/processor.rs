//! Tests of what the pages of the architectures say: privilege, system calls, other ways in,
//! floating point. Each writes machine code, a few instructions, and runs it; on a model of a
//! machine, which has no instructions, they are skipped.

mod code;

use crate::{
    Check, Half, OWN, PEER, Page, Permit, Ran, Run, Side, Stop, THIRD, Test, Touch, check, equal,
    journal::Undo, registry::tests, test::SCRATCH,
};
use code::Code;
use core::mem::offset_of;
use hypercall_abi::{
    Features, VirtAddr,
    addr::Level,
    calls::{PtSwitch, TimerSet, pt_switch::RootChange},
    start_info::StartInfo,
    trap::Cause,
};

tests! { "processor":
    code_returns: "TRAP_RETURN.10 TRAP_RETURN.12",
    least_privilege: "X86.4 RISCV.3 RISCV.6",
    system_call: "X86.2 RISCV.2 PT_SWITCH.9",
    other_ways_in: "X86.3 X86.11 RISCV.3",
    what_may_be_read: "X86.11 RISCV.10",
    forced_flags: "X86.7 RISCV.6 RISCV.7",
    extensions: "X86.10 RISCV.9",
    floating_point_starts_clean: "X86.9 RISCV.8",
    floating_point_is_kept: "X86.9 RISCV.8",
}

/// The code at [`SCRATCH`], for the kernel.
fn load(t: &mut Test<'_>, side: Side, code: &[u32]) -> Check<Page> {
    let page = t.page(side)?;
    write(t, side, page, code);
    let leaf = t.entries().leaf(page.frame, Permit::Execute);
    t.map(side, SCRATCH, leaf)?;
    Ok(page)
}

/// Writes code to a page, four bytes at a time.
fn write(t: &mut Test<'_>, side: Side, page: Page, code: &[u32]) {
    for (word, pair) in code.chunks(2).enumerate() {
        let high = pair.get(1).copied().unwrap_or(0);
        t.write(side, page, word, u64::from(pair[0]) | u64::from(high) << 32);
    }
}

const KERNEL: Run = Run { half: Half::Kernel, code: SCRATCH, registers: [0, 0, 0, 0x202] };
const USER: Run = Run { half: Half::User, ..KERNEL };

/// The same, with this in the register of the first argument and that of the status.
const fn with(run: Run, value: u64) -> Run {
    let [_, second, stack, flags] = run.registers;
    Run { registers: [value, second, stack, flags], ..run }
}

/// The same, with these flags, where the architecture has any.
const fn flagged(run: Run, flags: u64) -> Run {
    let [value, second, stack, _] = run.registers;
    Run { registers: [value, second, stack, flags], ..run }
}

/// Makes an address space for a process, with the page at [`SCRATCH`].
fn process(t: &mut Test<'_>, page: Page) -> Check {
    let entries = t.entries();
    let mut level = entries.root_level();
    let root = t.table(OWN, level)?;
    let mut table = root;
    while let Some(below) = level.below() {
        let next = t.table(OWN, below)?;
        t.set_entry(OWN, table.frame, entries.index(SCRATCH, level), entries.table(next.frame))?;
        (table, level) = (next, below);
    }
    let leaf = entries.leaf(page.frame, Permit::Execute);
    t.set_entry(OWN, table.frame, entries.index(SCRATCH, Level::L1), leaf)?;
    t.note(OWN, Undo::ClearUserRoot)?;
    let switch = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Set(root.frame) };
    t.ok(OWN, &switch).map(drop)
}

/// The code traps with this cause, in the kernel and in a process.
fn traps(t: &mut Test<'_>, page: Page, code: &[u32], causes: &[Cause]) -> Check {
    write(t, OWN, page, code);
    for mode in [KERNEL, USER] {
        let ran = t.run(OWN, mode)?;
        let cause = ran.trapped.and_then(|trapped| trapped.cause);
        let known = cause.is_some_and(|cause| causes.contains(&cause));
        if !known {
            return Err(Stop::Failure(crate::Message::new(format_args!(
                "code {code:x?}, {:?}: got {ran:x?}, want {causes:?}",
                mode.half
            ))));
        }
    }
    Ok(())
}

fn code_returns(t: &mut Test<'_>) -> Check {
    load(t, OWN, Code::of(t).nothing)?;
    // The register of the status holds what the frame has, not a status.
    let ran = t.run(OWN, with(KERNEL, 0x0123_4567_89ab_cdef))?;
    equal(
        ran,
        Ran { registers: [0x0123_4567_89ab_cdef, 0, 0, 0], trapped: None, pc: 0 },
        "what it came to",
    )
}

fn least_privilege(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    if let Some(selector) = code.code_selector {
        load(t, OWN, selector)?;
        let ran = t.run(OWN, KERNEL)?;
        equal(ran.value() & 3, 3, "the ring that the selector tells")?;
    }
    let page = load(t, OWN, code.nothing)?;
    process(t, page)?;
    for instruction in code.privileged {
        traps(t, page, instruction, &[code.privileged_cause])?;
    }
    Ok(())
}

fn system_call(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    let page = load(t, OWN, code.system_call)?;
    process(t, page)?;
    let before = t.counts(OWN)?;
    let ran = t.run(OWN, with(USER, 0x77))?;
    let cause = ran.trapped.and_then(|trapped| trapped.cause);
    equal(cause, Some(Cause::SystemCall), "the cause")?;
    equal(ran.pc, SCRATCH.0 + code.behind_system_call, "the program counter")?;
    equal(ran.value(), 0x77, "the register of the number")?;
    let after = t.counts(OWN)?;
    equal(after.traps, before.traps + 1, "traps")?;
    equal(after.calls, before.calls + 3, "calls: two returns from a trap, and this one")
}

fn other_ways_in(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    let page = load(t, OWN, code.nothing)?;
    process(t, page)?;
    for (instruction, causes) in code.other_ways {
        traps(t, page, instruction, causes)?;
    }
    Ok(())
}

fn what_may_be_read(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    let page = load(t, OWN, code.nothing)?;
    process(t, page)?;
    for readable in code.readable {
        write(t, OWN, page, readable);
        let ran = t.run(OWN, USER)?;
        let cause = ran.trapped.and_then(|trapped| trapped.cause);
        equal(cause, Some(Cause::SystemCall), "it reads, and then makes its system call")?;
    }
    write(t, OWN, page, code.counter);
    let before = t.caller().now();
    let ran = t.run(OWN, KERNEL)?;
    let after = t.caller().now();
    check((before..=after).contains(&ran.value()), "the counter is that of deadlines")
}

fn forced_flags(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    if let Some(flags) = code.flags {
        load(t, OWN, flags)?;
        // All but the trap flag, which would end the code after one instruction.
        let ran = t.run(OWN, flagged(KERNEL, !0x100))?;
        equal(ran.value(), 0x0024_0ed7, "the flags that count, and those that are forced")?;
    }
    let page = load(t, OWN, code.for_ever)?;
    process(t, page)?;
    // Interrupts reach it: the timer ends what would go on for ever.
    for mode in [flagged(KERNEL, 0), flagged(USER, 0)] {
        t.note(OWN, Undo::StopTimer)?;
        t.unmask_events(OWN)?;
        let deadline = t.caller().now() + t.ticks(1000);
        t.ok(OWN, &TimerSet { deadline })?;
        let ran = t.run(OWN, mode)?;
        let cause = ran.trapped.and_then(|trapped| trapped.cause);
        equal(cause, Some(Cause::Event), "the cause")?;
        check(t.caller().now() >= deadline, "the deadline has come")?;
    }
    write(t, OWN, page, code.nothing);
    if t.entries().is_x86() {
        return Ok(());
    }
    let odd = t.run(OWN, Run { code: VirtAddr(SCRATCH.0 + 1), ..KERNEL })?;
    equal(odd.trapped, None, "the trap of an odd program counter")
}

fn extensions(t: &mut Test<'_>) -> Check {
    let code = Code::of(t);
    let page = load(t, OWN, code.nothing)?;
    process(t, page)?;
    traps(t, page, code.vector, &[Cause::IllegalInstruction])
}

/// A page of data that the code reaches through its argument.
fn data(t: &mut Test<'_>, side: Side) -> Check<(Page, u64)> {
    let page = t.page(side)?;
    for word in 0..8 {
        t.write(side, page, word, u64::MAX);
    }
    let address = t.physmap(side, page.pfn).0;
    Ok((page, address))
}

/// Skips the test where floating point is not a feature: all that is said then is that it traps.
fn need_floating_point(t: &mut Test<'_>) -> Check {
    let features = t.start_info(OWN, offset_of!(StartInfo, features));
    if Features::from_bits_retain(features).contains(Features::FLOATING_POINT) {
        return Ok(());
    }
    Err(Stop::Skip("the processor has no floating point"))
}

fn floating_point_starts_clean(t: &mut Test<'_>) -> Check {
    need_floating_point(t)?;
    if !t.caller().has(THIRD) {
        return Err(Stop::Skip("there is no domain that has not used its registers"));
    }
    let code = Code::of(t);
    load(t, THIRD, code.store_floating_point)?;
    let (page, value) = data(t, THIRD)?;
    equal(t.run(THIRD, with(KERNEL, value))?.trapped, None, "the trap of the stores")?;
    for (word, want) in code.clean_floating_point.iter().enumerate() {
        let (mask, want) = *want;
        equal(t.read(THIRD, page, word) & mask, want, "a register at the start")?;
    }
    Ok(())
}

/// Loads a side's floating-point registers from words that are all `pattern`, but for control.
fn fill(t: &mut Test<'_>, side: Side, pattern: u64) -> Check {
    let code = Code::of(t);
    let code_page = load(t, side, code.load_floating_point)?;
    let (page, value) = data(t, side)?;
    for (word, (mask, clean)) in code.clean_floating_point.iter().enumerate() {
        // Control registers keep what they start with.
        let value = if *mask == u64::MAX && word >= 2 { pattern } else { *clean };
        t.write(side, page, word, value);
    }
    equal(t.run(side, with(KERNEL, value))?.trapped, None, "the trap of the loads")?;
    write(t, side, code_page, code.store_floating_point);
    Ok(())
}

fn floating_point_is_kept(t: &mut Test<'_>) -> Check {
    need_floating_point(t)?;
    t.need_peer()?;
    let pattern = 0x3ff1_2345_6789_abcd;
    fill(t, OWN, pattern)?;
    // Another vCPU fills its own; calls, faults and a change of the tables come between.
    fill(t, PEER, 0x4009_21fb_5444_2d18)?;
    t.faults(OWN, VirtAddr(SCRATCH.0 + 4096), Touch::Read)?;
    let code = Code::of(t);
    load(t, OWN, code.store_floating_point)?;
    let (page, value) = data(t, OWN)?;
    equal(t.run(OWN, with(KERNEL, value))?.trapped, None, "the trap of the stores")?;
    for (word, (mask, _)) in code.clean_floating_point.iter().enumerate().skip(2) {
        if *mask == u64::MAX {
            equal(t.read(OWN, page, word), pattern, "a register")?;
        }
    }
    // As they were at the start.
    fill(t, OWN, 0)?;
    fill(t, PEER, 0)
}
