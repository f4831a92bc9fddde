//! Attacks on what is kept in the processor: flags, single steps, floating point, segments,
//! translations. The tests run where machine code does.

use super::{
    instructions::{breakpoint, call_instruction},
    leaf,
};
use crate::{
    Check, Executed, Half, OWN, PEER, Page, Permit, Side, Stop, Test, equal, registry::tests,
    test::SCRATCH,
};
use hypercall_abi::{
    PAGE_SIZE, VirtAddr,
    addr::Level,
    calls::{AbiQuery, abi_query::Query},
    trap::Cause,
};

tests! { "processor_state":
    flags: "X86.7 XSA-44 XSA-202",
    single_steps: "TRAP.5 XSA-156 XSA-204 XSA-260 XSA-265",
    segment_bases: "X86.8 X86.4 XSA-193 XSA-293",
    segment_selectors: "X86.4 XSA-91",
    extended_state_is_off: "X86.10 RISCV.9 RULE.18 XSA-62",
    floating_point_is_kept_apart: "X86.9 RISCV.8 XSA-52 XSA-165 XSA-267",
    changed_user_table: "TRAP_RETURN.10 XSA-292 XSA-294",
}

fn code(t: &mut Test<'_>, side: Side) -> Check<Page> {
    t.code_page(side, SCRATCH)
}

fn run(
    t: &mut Test<'_>,
    side: Side,
    half: Half,
    page: Page,
    code: &[u8],
    registers: [u64; 4],
) -> Check<Executed> {
    t.put_code(side, page, 0, code);
    t.execute(side, half, SCRATCH, registers)
}

fn only_x86(t: &Test<'_>) -> Check {
    if t.entries().is_x86() { Ok(()) } else { Err(Stop::Skip("only x86-64 has these")) }
}

/// Flags that are never a guest's: I/O privilege, resume, virtual 8086, virtual interrupts.
const FORBIDDEN: u64 = 3 << 12 | 1 << 16 | 1 << 17 | 1 << 19 | 1 << 20;
const TRAP_FLAG: u64 = 1 << 8;
const INTERRUPT_FLAG: u64 = 1 << 9;

fn flags(t: &mut Test<'_>) -> Check {
    only_x86(t)?;
    let page = code(t, OWN)?;
    t.user_root(OWN)?;
    let stack = t.page(OWN)?;
    let stack = t.physmap(OWN, stack.pfn).0 + PAGE_SIZE - 64;
    for bit in 0..64 {
        for flags in [1 << bit, !(1u64 << bit)] {
            let flags = flags & !TRAP_FLAG;
            for half in [Half::Kernel, Half::User] {
                // pushfq; pop rax; int3: what a return gave.
                let found = run(t, OWN, half, page, &[0x9c, 0x58, 0xcc], [0, 0, stack, flags])?;
                equal(found.trapped.cause, Some(Cause::Breakpoint), "cause")?;
                equal(found.registers[0] & FORBIDDEN, 0, "flags that are not the guest's")?;
                equal(found.registers[0] & INTERRUPT_FLAG, INTERRUPT_FLAG, "interrupts are on")?;
            }
            // push rax; popfq; mov eax, abi_query; xor edi, edi; syscall; int3: entries with
            // what the guest can set by itself, nested task and alignment check among it.
            let call = [0x50, 0x9d, 0xb8, 0, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, 0xcc];
            let found = run(t, OWN, Half::Kernel, page, &call, [flags, 0, stack, 0])?;
            equal(found.trapped.cause, Some(Cause::Breakpoint), "cause after a call")?;
            equal(found.registers[0], 0, "status of the call")?;
            equal(found.registers[3] & FORBIDDEN, 0, "flags after the call")?;
            // push rax; popfq; ud2.
            let found =
                run(t, OWN, Half::User, page, &[0x50, 0x9d, 0x0f, 0x0b], [flags, 0, stack, 0])?;
            equal(found.trapped.cause, Some(Cause::IllegalInstruction), "cause of a fault")?;
        }
    }
    Ok(())
}

fn single_steps(t: &mut Test<'_>) -> Check {
    only_x86(t)?;
    let page = code(t, OWN)?;
    t.user_root(OWN)?;
    let cases: [(&[u8], &[Cause]); 8] = [
        // nop; nop
        (&[0x90, 0x90], &[Cause::Debug]),
        // syscall
        (&[0x0f, 0x05], &[Cause::SystemCall]),
        // icebp, which emulators take for this or that
        (&[0xf1], &[Cause::Debug, Cause::Protection, Cause::IllegalInstruction]),
        // int3; int 4; ud2
        (&[0xcc], &[Cause::Breakpoint]),
        (&[0xcd, 4], &[Cause::DivideError]),
        (&[0x0f, 0x0b], &[Cause::IllegalInstruction]),
        // mov ss, dx, which puts debug exceptions off, then an entry.
        (&[0x8e, 0xd2, 0x0f, 0x05], &[Cause::SystemCall, Cause::Debug]),
        (&[0x8e, 0xd2, 0xcc], &[Cause::Breakpoint, Cause::Debug]),
    ];
    // Twice, as the processor's own status of debug exceptions sticks.
    for (code, causes) in cases.iter().chain(&cases) {
        for flags in [TRAP_FLAG, 0] {
            let registers = [0, 0x1b, 0, flags];
            if flags == 0 && code[0] == 0x90 {
                continue;
            }
            let Executed { trapped, .. } = run(t, OWN, Half::User, page, code, registers)?;
            let told = trapped.cause.filter(|cause| causes.contains(cause));
            equal((code, flags, trapped.cause), (code, flags, told), "the instruction's cause")?;
        }
    }
    // What was stepped leaves no step behind: this would trap at its first instruction.
    let nops = [0x90, 0x90, 0xcc];
    let found = run(t, OWN, Half::Kernel, page, &nops, [0; 4])?;
    equal(found.trapped.cause, Some(Cause::Breakpoint), "code without the flag")
}

fn segment_bases(t: &mut Test<'_>) -> Check {
    only_x86(t)?;
    t.need_peer()?;
    let (page, theirs) = (code(t, OWN)?, code(t, PEER)?);
    t.user_root(OWN)?;
    // wrfsbase rax; int3, and wrgsbase.
    for write in [[0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xcc], [0xf3, 0x48, 0x0f, 0xae, 0xd8, 0xcc]] {
        for base in [1 << 47, 0xffff_7fff_ffff_ffff, 1 << 63] {
            let found = run(t, OWN, Half::User, page, &write, [base, 0, 0, 0])?;
            if found.trapped.cause == Some(Cause::IllegalInstruction) {
                return Err(Stop::Skip("the processor has no wrfsbase"));
            }
            // Emulators may take any base; the hypervisor has to live with it.
            let lives = matches!(found.trapped.cause, Some(Cause::Protection | Cause::Breakpoint));
            equal((base, lives), (base, true), "a base that is no address")?;
            t.ok(OWN, &AbiQuery { query: Query::Version })?;
        }
        for base in [0, 0x1234, 0xffff_8000_0000_0000, u64::MAX] {
            let found = run(t, OWN, Half::User, page, &write, [base, 0, 0, 0])?;
            equal(found.trapped.cause, Some(Cause::Breakpoint), "a base that is an address")?;
            let found = run(t, PEER, Half::Kernel, theirs, &write, [base, 0, 0, 0])?;
            equal(found.trapped.cause, Some(Cause::Breakpoint), "the peer's base")?;
        }
    }
    // rdfsbase rax; rdgsbase rdx; int3: what the frame said, not what the peer left.
    let read = [0xf3, 0x48, 0x0f, 0xae, 0xc0, 0xf3, 0x48, 0x0f, 0xae, 0xca, 0xcc];
    let found = run(t, OWN, Half::Kernel, page, &read, [1, 1, 0, 0])?;
    equal(found.registers[..2] == [0, 0], true, "the bases are those of the frame")
}

fn segment_selectors(t: &mut Test<'_>) -> Check {
    only_x86(t)?;
    t.need_peer()?;
    let (page, theirs) = (code(t, OWN)?, code(t, PEER)?);
    // mov ds, eax; int3, then es, fs, gs.
    for register in [0xd8, 0xc0, 0xe0, 0xe8] {
        for selector in 0..0x80u64 {
            let load = [0x8e, register, 0xcc];
            let found = run(t, PEER, Half::Kernel, theirs, &load, [selector, 0, 0, 0])?;
            // Null selectors and the guest's own data are all that can be loaded.
            let allowed = selector < 4 || matches!(selector, 0x18..=0x1b | 0x20..=0x23);
            let want = if allowed { Cause::Breakpoint } else { Cause::Protection };
            let got = (register, selector, found.trapped.cause);
            equal(got, (register, selector, Some(want)), "a selector")?;
        }
        let found = run(t, PEER, Half::Kernel, theirs, &[0x8e, register, 0xcc], [3, 0, 0, 0])?;
        equal(found.trapped.cause, Some(Cause::Breakpoint), "a null selector")?;
        // mov eax, ds; int3: the peer's is not seen.
        let found = run(t, OWN, Half::Kernel, page, &[0x8c, register, 0xcc], [0; 4])?;
        equal((register, found.registers[0]), (register, 0x1b), "the selector")?;
    }
    Ok(())
}

fn extended_state_is_off(t: &mut Test<'_>) -> Check {
    let page = code(t, OWN)?;
    t.user_root(OWN)?;
    let x86: [&[u8]; 6] = [
        &[0x31, 0xc9, 0x0f, 0x01, 0xd0], // xor ecx, ecx; xgetbv
        &[0x0f, 0x01, 0xd1],             // xsetbv
        &[0xc5, 0xf8, 0x58, 0xc0],       // vaddps xmm0, xmm0, xmm0
        &[0x0f, 0x01, 0xee],             // rdpkru
        &[0x0f, 0x01, 0xef],             // wrpkru
        &[0x0f, 0xae, 0x24, 0x24],       // xsave [rsp]
    ];
    let riscv: [u32; 2] = [
        0x0000_72d7, // vsetvli t0, zero, e8
        0x0205_0007, // vle8.v v0, (a0)
    ];
    for half in [Half::Kernel, Half::User] {
        for index in 0..if t.entries().is_x86() { x86.len() } else { riscv.len() } {
            let word = riscv[index.min(riscv.len() - 1)].to_le_bytes();
            let code = if t.entries().is_x86() { x86[index] } else { &word };
            let found = run(t, OWN, half, page, code, [0; 4])?;
            let want = Some(Cause::IllegalInstruction);
            equal((index, found.trapped.cause), (index, want), "an instruction")?;
        }
    }
    Ok(())
}

fn floating_point_is_kept_apart(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (page, theirs) = (code(t, OWN)?, code(t, PEER)?);
    let x86 = t.entries().is_x86();
    // Into a register, its control and status too; and out of it.
    let mut write = heapless::Vec::<u8, 32>::new();
    let mut read = heapless::Vec::<u8, 32>::new();
    let (code_in, code_out): (&[u8], &[u8]) = if x86 {
        // movq xmm5, rax; push rdx; ldmxcsr [rsp]
        // movq rax, xmm5; push 0; stmxcsr [rsp]; pop rdx
        (
            &[0x66, 0x48, 0x0f, 0x6e, 0xe8, 0x52, 0x0f, 0xae, 0x14, 0x24],
            &[0x66, 0x48, 0x0f, 0x7e, 0xe8, 0x6a, 0, 0x0f, 0xae, 0x1c, 0x24, 0x5a],
        )
    } else {
        // fmv.d.x f5, a0; fscsr a1
        // fmv.x.d a0, f5; frcsr a1
        (
            &[0xd3, 0x02, 0x05, 0xf2, 0x73, 0x90, 0x35, 0x00],
            &[0x53, 0x85, 0x02, 0xe2, 0xf3, 0x25, 0x30, 0x00],
        )
    };
    let end = breakpoint(t);
    for (code, part) in [(&mut write, code_in), (&mut read, code_out)] {
        let fits = code.extend_from_slice(part).is_ok() && code.extend_from_slice(end).is_ok();
        equal(fits, true, "the code fits")?;
    }
    let stack = t.page(OWN)?;
    let stack = t.physmap(OWN, stack.pfn).0 + PAGE_SIZE - 64;
    let their_stack = t.page(PEER)?;
    let their_stack = t.physmap(PEER, their_stack.pfn).0 + PAGE_SIZE - 64;
    let (own, peer) = if x86 { (0x1fa0, 0x1f80) } else { (0x41, 0x22) };
    let found = run(t, OWN, Half::Kernel, page, &write, [0x0a0a, own, stack, 0])?;
    equal(found.trapped.cause, Some(Cause::Breakpoint), "floating point is there at once")?;
    let found = run(t, PEER, Half::Kernel, theirs, &read, [0, 0, their_stack, 0])?;
    equal(found.registers[0] == 0x0a0a, false, "the peer sees the domain's register")?;
    let found = run(t, PEER, Half::Kernel, theirs, &write, [0x5ec3e7, peer, their_stack, 0])?;
    equal(found.trapped.cause, Some(Cause::Breakpoint), "the peer's floating point")?;
    let found = run(t, OWN, Half::Kernel, page, &read, [0, 0, stack, 0])?;
    equal(found.registers[0], 0x0a0a, "the register")?;
    equal(found.registers[1], own, "control and status")?;
    let found = run(t, PEER, Half::Kernel, theirs, &read, [0, 0, their_stack, 0])?;
    equal(found.registers[0], 0x5ec3e7, "the peer's register")?;
    // As it was before, for those that come after.
    let reset = if x86 { 0x1f80 } else { 0 };
    run(t, OWN, Half::Kernel, page, &write, [0, reset, stack, 0])?;
    run(t, PEER, Half::Kernel, theirs, &write, [0, reset, their_stack, 0]).map(drop)
}

fn changed_user_table(t: &mut Test<'_>) -> Check {
    let page = code(t, OWN)?;
    let (one, two) = (t.page(OWN)?, t.page(OWN)?);
    t.write(OWN, one, 0, 1);
    t.write(OWN, two, 0, 2);
    let address = VirtAddr(SCRATCH.0 + PAGE_SIZE);
    let values = [leaf(t, one, Permit::Read), leaf(t, two, Permit::Read)];
    t.map(OWN, address, values[0])?;
    t.user_root(OWN)?;
    let table = t.reach(OWN, address)?;
    let index = t.entries().index(address, Level::L1);
    // mov rax, [rax], then a call; ld a0, 0(a0).
    let load: &[u8] =
        if t.entries().is_x86() { &[0x48, 0x8b, 0x00] } else { &[0x03, 0x35, 0x05, 0x00] };
    let call = call_instruction(t);
    t.put_code(OWN, page, load.len(), call);
    for round in 0..4 {
        let which = round % 2;
        // While the kernel runs, and without a flush.
        t.set_entry(OWN, table, index, values[which])?;
        let found = run(t, OWN, Half::User, page, load, [address.0, 0, 0, 0])?;
        equal(found.trapped.cause, Some(Cause::SystemCall), "the end of the process's code")?;
        equal(found.registers[0], which as u64 + 1, "what the process reads")?;
    }
    Ok(())
}
