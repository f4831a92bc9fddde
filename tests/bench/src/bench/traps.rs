//! Traps: faults of the kernel, faults and system calls of a process, events.
//!
//! The trap entry is the bench's own: a few instructions that do what a handler must and no
//! more, chosen by [`HANDLER`], so that the figures are the hypervisor's.

use super::{arch, measure::Bench};
use conformance::Permit;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hypercall_abi::{
    DomainId, PAGE_SIZE, Port, VirtAddr,
    calls::{
        EventAlloc, EventBind, EventSend, PtSwitch, SchedBlock, TimerSet, TrapRegister,
        pt_switch::RootChange,
    },
    start_info::{ARGUMENT_PFN, StartInfo, VCPU_PAGE_PFN},
    stubs,
    trap::TrapFlags,
    vcpu_page::{
        EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, PENDING_OFFSET, TRAP_DEPTH_OFFSET,
        TRAP_FRAMES_OFFSET,
    },
};

/// Address of the vCPU page.
pub static PAGE: AtomicU64 = AtomicU64::new(0);
/// Address of the argument frame.
pub static ARGUMENTS: AtomicU64 = AtomicU64::new(0);
/// Address of what the entry does.
pub static HANDLER: AtomicU64 = AtomicU64::new(0);
/// Traps of the process that are left before the kernel goes on.
pub static LEFT: AtomicU64 = AtomicU64::new(0);
/// The kernel's stack pointer while the process runs.
pub static STACK: AtomicU64 = AtomicU64::new(0);
/// The entry that the handler maps pages of the process with.
pub static LEAF: AtomicU64 = AtomicU64::new(0);

/// Traps of the process that are measured: pages of one level-1 table.
const TRAPS: u32 = 400;

/// An address that nothing is mapped at.
const NOWHERE: VirtAddr = VirtAddr(0x5000_0000);
/// Where the process's code is.
const CODE: VirtAddr = VirtAddr(0x40_0000);
/// What the process touches: as much as one level-1 table maps, all of it without pages.
const DATA: VirtAddr = VirtAddr(0x6000_0000);

/// Registers the entry.
#[allow(unsafe_code, reason = "the entry is assembly of this crate")]
pub fn register(info: &StartInfo) {
    PAGE.store(info.physmap_base + VCPU_PAGE_PFN.0 * PAGE_SIZE, Relaxed);
    ARGUMENTS.store(info.physmap_base + ARGUMENT_PFN.0 * PAGE_SIZE, Relaxed);
    take_events();
    // The kernel's stack, for traps from the process: what lies below its own frames then.
    let entry = arch::trap_entry as *const () as u64;
    let stack = info.physmap_base + (info.stack_pfn.0 + 1) * PAGE_SIZE;
    let call = TrapRegister { entry: VirtAddr(entry), stack: VirtAddr(stack) };
    // SAFETY: the entry is one; the lowest page of the boot stack is used by nothing else.
    let (status, _) = unsafe { stubs::call(&call) };
    assert!(status.0 == 0, "trap_register: status {}", status.0);
}

fn handle_by(handler: unsafe extern "C" fn()) {
    HANDLER.store(handler as *const () as u64, Relaxed);
}

/// From now on the entry takes events.
fn take_events() {
    handle_by(arch::take_event);
}

/// Sleeps until an event has come, and takes it.
#[allow(unsafe_code, reason = "calls, and the event mask by address")]
#[inline(always)]
pub fn wait_for_event() {
    // SAFETY: the entry takes the event; afterwards events are masked again, in a word of the
    // vCPU page.
    unsafe {
        let _ = stubs::call(&SchedBlock);
        let page = PAGE.load(Relaxed) as *mut u64;
        page.add(EVENTS_MASKED_OFFSET / 8).write_volatile(1);
    }
}

/// Sleeps for a moment.
#[allow(unsafe_code, reason = "calls")]
pub fn nap() {
    take_events();
    let deadline = pv_guest::time::now() + pv_guest::time::ticks(20);
    // SAFETY: it sets the timer.
    let _ = unsafe { stubs::call(&TimerSet { deadline }) };
    wait_for_event();
}

/// Forgets what is pending on the ports that are in use here.
pub fn clear_pending(bench: &Bench) {
    bench.vcpu(EVENTS_PENDING_OFFSET, 0);
    bench.vcpu(PENDING_OFFSET, 0);
}

/// Sends the rows.
pub fn rows(bench: &mut Bench) {
    handle_by(arch::skip);
    bench.row("fault_kernel", 1, |_| (), |_| arch::load_faulting(NOWHERE.0));
    process(bench);
    events(bench);
}

/// Has the process run code until it has trapped often enough; sends the row.
fn process_row(
    bench: &Bench,
    name: &str,
    code: &[u32],
    handler: unsafe extern "C" fn(),
    page: super::measure::Page,
) {
    for (word, pair) in code.chunks(2).enumerate() {
        let high = pair.get(1).copied().unwrap_or(0);
        bench.write(page.pfn, word, u64::from(pair[0]) | u64::from(high) << 32);
    }
    let (bytes, registers) = arch::process(CODE.0, DATA.0);
    for offset in (0..bytes).step_by(8) {
        bench.vcpu(TRAP_FRAMES_OFFSET + offset, 0);
    }
    let flags = TrapFlags::USER | TrapFlags::EVENTS_MASKED;
    bench.vcpu(TRAP_FRAMES_OFFSET, u64::from(flags.bits()) << 32);
    for (offset, value) in registers {
        bench.vcpu(TRAP_FRAMES_OFFSET + offset, value);
    }
    bench.vcpu(TRAP_DEPTH_OFFSET, 1);
    LEFT.store(TRAPS.into(), Relaxed);
    handle_by(handler);
    let start = arch::instructions();
    arch::enter_process();
    let spent = arch::instructions() - start - bench.empty();
    take_events();
    bench.send(name, spent, TRAPS);
}

fn process(bench: &mut Bench) {
    let root = bench.table(bench.entries.root_level());
    let set_root = |user_root| PtSwitch { kernel_root: RootChange::Keep, user_root };
    bench.must(&set_root(RootChange::Set(root.frame)));
    let code = bench.page();
    let table = bench.chain(root.frame, CODE);
    let leaf = bench.entries.leaf(code.frame, Permit::Execute);
    bench.set(table.frame, bench.entries.index(CODE, hypercall_abi::addr::Level::L1), leaf);
    let data = bench.page();
    LEAF.store(bench.entries.leaf(data.frame, Permit::Read), Relaxed);
    bench.reach(root.frame, DATA);
    process_row(bench, "system_call", arch::SYSTEM_CALLS, arch::count_system_call, code);
    process_row(bench, "fault_process", arch::FAULTS, arch::count_skip, code);
    process_row(bench, "fault_process_map", arch::FAULTS, arch::count_map, code);
    bench.must(&set_root(RootChange::Clear));
}

fn events(bench: &mut Bench) {
    take_events();
    let first = Port(bench.must(&EventAlloc { domain: DomainId::SELF }) as u32);
    bench.must(&EventBind { domain: DomainId::SELF, port: first });
    let send = EventSend { port: first };
    bench.row("event_self_masked", 1, |b| clear_pending(b), |b| b.go(&send));
    bench.row(
        "event_self",
        1,
        |b| {
            clear_pending(b);
            b.vcpu(EVENTS_MASKED_OFFSET, 0);
        },
        |b| b.go(&send),
    );
    bench.vcpu(EVENTS_MASKED_OFFSET, 1);
}
