//! Attacks by instructions: what the processor refuses is a trap of the guest, and nothing of
//! the hypervisor's comes to harm. The tests run where machine code does.

use crate::{
    Check, Executed, Half, OWN, Page, Permit, Stop, Test, check, equal, registry::tests,
    test::SCRATCH,
};
use hypercall_abi::{
    Number, PAGE_SIZE, VirtAddr,
    calls::{AbiQuery, abi_query::Query},
    trap::Cause,
};

tests! { "instructions":
    privileged_instructions: "X86.11 RISCV.3 RULE.15 RULE.16 RULE.18 XSA-93 XSA-105 XSA-171 XSA-333",
    control_registers: "RISCV.3 RISCV.10 XSA-93",
    faults_of_a_process_are_its_kernels: "TRAP.3 X86.6 RISCV.5 RULE.16",
    calls_of_a_process: "X86.2 RISCV.2 XSA-76",
    software_interrupts: "X86.3 XSA-259",
    end_of_the_range: "TRAP.3 XSA-7 XSA-170",
    stack_is_not_used: "TRAP.4 XSA-183 XSA-215",
    no_other_width: "X86.4 RULE.17",
}

const HALVES: [Half; 2] = [Half::Kernel, Half::User];

/// Puts the code at [`SCRATCH`], whose page it is, and executes it.
fn run(
    t: &mut Test<'_>,
    page: Page,
    half: Half,
    code: &[u8],
    registers: [u64; 4],
) -> Check<Executed> {
    t.put_code(OWN, page, 0, code);
    t.execute(OWN, half, SCRATCH, registers)
}

/// A page for code that both halves can execute.
fn code(t: &mut Test<'_>) -> Check<Page> {
    let page = t.code_page(OWN, SCRATCH)?;
    t.user_root(OWN)?;
    Ok(page)
}

/// A stack that code may use.
fn stack(t: &mut Test<'_>) -> Check<u64> {
    let page = t.page(OWN)?;
    Ok(t.physmap(OWN, page.pfn).0 + PAGE_SIZE - 64)
}

/// The instruction by which a process asks its kernel.
pub(super) fn call_instruction(t: &Test<'_>) -> &'static [u8] {
    if t.entries().is_x86() { &[0x0f, 0x05] } else { &[0x73, 0, 0, 0] }
}

/// A breakpoint: the end of code that got so far.
pub(super) fn breakpoint(t: &Test<'_>) -> &'static [u8] {
    if t.entries().is_x86() { &[0xcc] } else { &[0x73, 0, 0x10, 0] }
}

/// What only a hypervisor may do: reading and writing model-specific, control and debug
/// registers and descriptor tables, ports, interrupts, caches, virtualization.
const X86_64_PRIVILEGED: [&[u8]; 36] = [
    &[0x0f, 0x32],             // rdmsr
    &[0x0f, 0x30],             // wrmsr
    &[0x0f, 0x33],             // rdpmc
    &[0x0f, 0x20, 0xc0],       // mov rax, cr0
    &[0x0f, 0x22, 0xc0],       // mov cr0, rax
    &[0x0f, 0x20, 0xd0],       // mov rax, cr2
    &[0x0f, 0x20, 0xd8],       // mov rax, cr3
    &[0x0f, 0x22, 0xd8],       // mov cr3, rax
    &[0x0f, 0x20, 0xe0],       // mov rax, cr4
    &[0x0f, 0x22, 0xe0],       // mov cr4, rax
    &[0x44, 0x0f, 0x22, 0xc0], // mov cr8, rax
    &[0x0f, 0x21, 0xc0],       // mov rax, dr0
    &[0x0f, 0x23, 0xc0],       // mov dr0, rax
    &[0x0f, 0x21, 0xf0],       // mov rax, dr6
    &[0x0f, 0x21, 0xf8],       // mov rax, dr7
    &[0x0f, 0x23, 0xf8],       // mov dr7, rax
    &[0x0f, 0x01, 0x14, 0x24], // lgdt [rsp]
    &[0x0f, 0x01, 0x1c, 0x24], // lidt [rsp]
    &[0x0f, 0x00, 0xd0],       // lldt ax
    &[0x0f, 0x00, 0xd8],       // ltr ax
    &[0x0f, 0x01, 0xf0],       // lmsw ax
    &[0x0f, 0x06],             // clts
    &[0x0f, 0x01, 0x3c, 0x24], // invlpg [rsp]
    &[0x0f, 0x08],             // invd
    &[0x0f, 0x09],             // wbinvd
    &[0xf4],                   // hlt
    &[0xfa],                   // cli
    &[0xfb],                   // sti
    &[0xec],                   // in al, dx
    &[0xee],                   // out dx, al
    &[0xe4, 0x70],             // in al, 0x70
    &[0x0f, 0x01, 0xf8],       // swapgs
    &[0x48, 0x0f, 0x07],       // sysretq
    &[0x0f, 0x34],             // sysenter
    &[0x0f, 0x01, 0xc1],       // vmcall
    &[0x0f, 0x01, 0xd9],       // vmmcall
];

const RISCV64_PRIVILEGED: [u32; 12] = [
    0x1020_0073, // sret
    0x3020_0073, // mret
    0x1050_0073, // wfi
    0x1200_0073, // sfence.vma
    0x1805_1573, // csrrw a0, satp, a0
    0x1005_1573, // csrrw a0, sstatus, a0
    0x1005_2573, // csrrs a0, sstatus, a0
    0x1045_1573, // csrrw a0, sie, a0
    0x1055_1573, // csrrw a0, stvec, a0
    0x1405_1573, // csrrw a0, sscratch, a0
    0x1445_1573, // csrrw a0, sip, a0
    0x1065_1573, // csrrw a0, scounteren, a0
];

fn privileged_instructions(t: &mut Test<'_>) -> Check {
    let page = code(t)?;
    let stack = stack(t)?;
    for half in HALVES {
        if t.entries().is_x86() {
            for instruction in X86_64_PRIVILEGED {
                refused(t, page, half, instruction, stack)?;
            }
        } else {
            for instruction in RISCV64_PRIVILEGED {
                refused(t, page, half, &instruction.to_le_bytes(), stack)?;
            }
        }
    }
    Ok(())
}

/// Executes an instruction that must be a trap of the guest and change nothing.
fn refused(t: &mut Test<'_>, page: Page, half: Half, instruction: &[u8], stack: u64) -> Check {
    let before = [0x1234_5678, 0x70, stack, 0];
    let Executed { trapped, registers } = run(t, page, half, instruction, before)?;
    let refused = matches!(trapped.cause, Some(Cause::Protection | Cause::IllegalInstruction));
    if refused && registers[..3] == before[..3] {
        return Ok(());
    }
    Err(Stop::Failure(crate::Message::new(format_args!(
        "{instruction:x?} in the {half:?} half: {trapped:x?}, registers {registers:x?}"
    ))))
}

/// Control and status registers that a guest may read: floating point and counters.
const READABLE: [u32; 6] = [0x001, 0x002, 0x003, 0xc00, 0xc01, 0xc02];

fn control_registers(t: &mut Test<'_>) -> Check {
    if t.entries().is_x86() {
        return Err(Stop::Skip("x86-64 has instructions for each, of another test"));
    }
    let page = code(t)?;
    for register in 0..1 << 12 {
        // csrrs a0, register, zero; ebreak
        let read: u32 = register << 20 | 0x2573;
        t.put_code(OWN, page, 4, &0x0010_0073u32.to_le_bytes());
        let Executed { trapped, registers } =
            run(t, page, Half::User, &read.to_le_bytes(), [0x5a5a, 0, 0, 0])?;
        let readable = READABLE.contains(&register);
        let want = if readable { Cause::Breakpoint } else { Cause::IllegalInstruction };
        equal((register, trapped.cause), (register, Some(want)), "reading a register")?;
        if !readable {
            equal(registers[0], 0x5a5a, "the register that would have been read to")?;
        }
    }
    Ok(())
}

fn faults_of_a_process_are_its_kernels(t: &mut Test<'_>) -> Check {
    let page = code(t)?;
    let read_only = t.page(OWN)?;
    let beside = VirtAddr(SCRATCH.0 + PAGE_SIZE);
    let value = t.entries().leaf(read_only.frame, Permit::Read);
    t.map(OWN, beside, value)?;
    // mov [rax], rdx; sd a1, 0(a0)
    let store: &[u8] =
        if t.entries().is_x86() { &[0x48, 0x89, 0x10] } else { &[0x23, 0x30, 0xb5, 0x00] };
    let end = t.guest_end().0;
    for address in [0, beside.0, end - 8, end, 0xffff_ffff_8010_0000, u64::MAX - 7] {
        for half in HALVES {
            let registers = [address, 0xbad, 0, 0];
            let Executed { trapped, registers: after } = run(t, page, half, store, registers)?;
            let canonical = (address as i64) << 16 >> 16 == address as i64;
            // x86-64 has another fault for what is no address.
            let want = if t.entries().is_x86() && !canonical {
                Cause::Protection
            } else {
                Cause::PageFault
            };
            equal((address, trapped.cause), (address, Some(want)), "a store")?;
            equal(after[..2] == registers[..2], true, "the registers are as they were")?;
        }
    }
    equal(t.read(OWN, read_only, 0), 0, "the page that cannot be written")
}

fn calls_of_a_process(t: &mut Test<'_>) -> Check {
    let page = code(t)?;
    let before = t.counts(OWN)?;
    // mv a7, a0 comes first on riscv64.
    let x86 = t.entries().is_x86();
    let (prefix, call): (&[u8], _) = if x86 {
        (&[], call_instruction(t))
    } else {
        (&[0x93, 0x08, 0x05, 0x00], call_instruction(t))
    };
    t.put_code(OWN, page, prefix.len(), call);
    let numbers = (0..Number::COUNT as u64 + 2).chain([1 << 32, u64::MAX]);
    let mut made = 0;
    for number in numbers {
        let registers = [number, 7, 0, 0];
        let Executed { trapped, registers: after } = run(t, page, Half::User, prefix, registers)?;
        equal((number, trapped.cause), (number, Some(Cause::SystemCall)), "a call")?;
        equal(after[..2] == registers[..2], true, "nothing is answered")?;
        made += 1;
    }
    let after = t.counts(OWN)?;
    // Each run takes one `trap_return` there and one back; and the counts themselves count.
    equal(after.calls - before.calls, 2 * made + 1, "calls, all of them the kernel's")?;
    equal(after.refusals, before.refusals, "refusals")
}

fn software_interrupts(t: &mut Test<'_>) -> Check {
    if !t.entries().is_x86() {
        return Err(Stop::Skip("riscv64 has no numbered software interrupts"));
    }
    let page = code(t)?;
    for half in HALVES {
        for vector in 0..=255u8 {
            let Executed { trapped, .. } = run(t, page, half, &[0xcd, vector], [0; 4])?;
            let want = match vector {
                3 => Cause::Breakpoint,
                4 => Cause::DivideError,
                _ => Cause::Protection,
            };
            equal((vector, trapped.cause), (vector, Some(want)), "a software interrupt")?;
        }
    }
    Ok(())
}

fn end_of_the_range(t: &mut Test<'_>) -> Check {
    let last = VirtAddr(t.guest_end().0 - PAGE_SIZE);
    let page = t.code_page(OWN, last)?;
    t.user_root(OWN)?;
    let call = call_instruction(t);
    let offset = PAGE_SIZE as usize - call.len();
    t.put_code(OWN, page, offset, call);
    let at = VirtAddr(last.0 + offset as u64);
    // A process: the instruction behind the call would be the hypervisor's.
    let trapped = t.execute(OWN, Half::User, at, [0; 4])?.trapped;
    equal(trapped.cause, Some(Cause::SystemCall), "a call at the end")?;
    // Running off the end.
    let nothing: &[u8] = if t.entries().is_x86() { &[0x90] } else { &[0x13, 0, 0, 0] };
    let offset = PAGE_SIZE as usize - nothing.len();
    t.put_code(OWN, page, offset, nothing);
    let at = VirtAddr(last.0 + offset as u64);
    for half in HALVES {
        let trapped = t.execute(OWN, half, at, [0; 4])?.trapped;
        let told = matches!(trapped.cause, Some(Cause::PageFault | Cause::Protection));
        check(told, "running off the end is a fault of the guest")?;
    }
    // The hypervisor is there still.
    t.ok(OWN, &AbiQuery { query: Query::Version }).map(drop)
}

fn stack_is_not_used(t: &mut Test<'_>) -> Check {
    let page = code(t)?;
    let end = t.guest_end().0;
    let table = t.table(OWN, hypercall_abi::addr::Level::L1)?;
    let read_only = t.physmap(OWN, table.pfn).0 + PAGE_SIZE;
    let (trap, call) = (breakpoint(t), call_instruction(t));
    for stack in [0, 1, 7, read_only, end - 8, end, end + 8, 1 << 63, u64::MAX - 7, u64::MAX] {
        for (code, cause) in [(trap, Cause::Breakpoint), (call, Cause::SystemCall)] {
            let Executed { trapped, registers } = run(t, page, Half::User, code, [0, 0, stack, 0])?;
            equal((stack, trapped.cause), (stack, Some(cause)), "a trap on any stack")?;
            equal(registers[2], stack, "the stack pointer")?;
        }
    }
    equal(t.read(OWN, table, 511), 0, "the last entry of the table")
}

fn no_other_width(t: &mut Test<'_>) -> Check {
    if !t.entries().is_x86() {
        return Err(Stop::Skip("control_registers shows that UXL is out of reach"));
    }
    let page = code(t)?;
    let stack = stack(t)?;
    // push rax; push rdx; retfq: a far return to the selector in rax.
    let far_return = [0x50, 0x52, 0x48, 0xcb];
    // Where it goes to: `xor eax, eax; dec rax` in 64 bits, `dec eax` twice in 32.
    let target = [0x31, 0xc0, 0x48, 0xff, 0xc8, 0xcc];
    t.put_code(OWN, page, 64, &target);
    let mut reached = 0;
    for selector in 0..0x400u64 {
        for half in HALVES {
            let registers = [selector, SCRATCH.0 + 64, stack, 0];
            let Executed { trapped, registers } = run(t, page, half, &far_return, registers)?;
            if trapped.cause == Some(Cause::Protection) {
                continue;
            }
            reached += 1;
            equal((selector, trapped.cause), (selector, Some(Cause::Breakpoint)), "a selector")?;
            equal(registers[0], u64::MAX, "the code was executed as 64-bit code")?;
        }
    }
    equal(reached, HALVES.len(), "selectors of code: one, in each half")
}
