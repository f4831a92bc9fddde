//! The hostile role: one call after another, from a loop that holds nothing on its stack. A trap
//! of any kind, and a trap return to wherever, end in [`go_on`], on a fresh stack.
#![allow(unsafe_code, reason = "random calls, and memory that the hypervisor shares")]

use super::{
    Order, arch,
    arguments::{self, Maker},
    excursion, pool, random,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hypercall_abi::{
    Mfn, Number, PAGE_SIZE, Status, VirtAddr,
    calls::{batch::BatchEntry, shutdown::ShutdownReason},
    start_info::{ARGUMENT_PFN, PageTableFormat, StartInfo},
    stubs,
};
use pv_guest::{calls, memory::Memory, physmap, println, time, vcpu};
use zerocopy::IntoBytes;

/// Loops between two that run random code.
const BETWEEN_EXCURSIONS: u64 = 16;
/// Loops after which the process's root is set again, in case it is gone.
const BETWEEN_ROOTS: u64 = 512;
/// Microseconds after which a sleep, or random code, is ended.
const NAP: u64 = 40;

static MADE: AtomicU64 = AtomicU64::new(0);
static TRAPS: AtomicU64 = AtomicU64::new(0);
static SUCCESSES: AtomicU64 = AtomicU64::new(0);

/// What the loop needs; written once, before it begins.
struct Known(core::cell::UnsafeCell<Option<Maker>>);

// SAFETY: written once, before anything reads it; there is one vCPU.
unsafe impl Sync for Known {}

static KNOWN: Known = Known(core::cell::UnsafeCell::new(None));

/// Sets everything up and begins.
pub fn run(info: &'static StartInfo, order: Order) -> Result<(), &'static str> {
    random::seed(order.seed);
    let mut memory = Memory::take(info).map_err(|_| "the memory cannot be taken over")?;
    pool::fill(&mut memory)?;
    excursion::prepare(&mut memory)?;
    let format = PageTableFormat::new(info.page_table_format).ok_or("an unknown format")?;
    let root = memory.kernel_root();
    // SAFETY: nothing has read it, nothing runs beside this.
    unsafe { *KNOWN.0.get() = Some(Maker { entries: conformance::Entries(format), order, root }) };
    go_on()
}

/// Called after every trap, with the number of traps then held.
pub extern "C" fn trapped() -> ! {
    TRAPS.fetch_add(1, Relaxed);
    go_on()
}

/// The loop: it holds nothing that a trap could lose.
pub extern "C" fn go_on() -> ! {
    // SAFETY: `run` has written it, and nothing writes it again.
    let Some(maker) = (unsafe { *KNOWN.0.get() }) else { calls::shutdown(ShutdownReason::Crash) };
    vcpu::trap_depth().store(0, Relaxed);
    vcpu::events_masked().store(1, Relaxed);
    register();
    loop {
        let made = MADE.fetch_add(1, Relaxed);
        if made >= maker.order.calls {
            done();
        }
        if made.is_multiple_of(BETWEEN_ROOTS) {
            excursion::set_root();
        }
        if random::one_in(BETWEEN_EXCURSIONS) {
            excursion::go();
        }
        step(&maker);
    }
}

fn done() -> ! {
    let (traps, good) = (TRAPS.load(Relaxed), SUCCESSES.load(Relaxed));
    let excursions = excursion::count();
    let made = MADE.load(Relaxed) - 1;
    println!(
        "\n{made} calls, {good} of which succeeded; {excursions} runs of random code; {traps} traps"
    );
    calls::shutdown(ShutdownReason::PowerOff)
}

fn register() {
    let entry = VirtAddr(arch::trap_entry as *const () as u64);
    // SAFETY: the entry sets a stack of its own, whatever is registered.
    let _ = unsafe { calls::trap_register(entry, arch::stack()) };
}

/// One call, with something written before it.
fn step(maker: &Maker) {
    if random::one_in(4) {
        pool::scribble(maker.entry());
    }
    let (number, args) = maker.request();
    lay(maker, number);
    if number == Number::SchedBlock as u64 || number == Number::TrapReturn as u64 {
        set_alarm();
        if number == Number::TrapReturn as u64 {
            excursion::lay_frame();
        }
    }
    let mut registers = core::array::from_fn(|_| random::next());
    arch::set_call(&mut registers, number, &args);
    // SAFETY: what the call can change is not what this image stands on, as `arguments` says.
    let arch::Returned { status, value } = unsafe { arch::enter(&registers) };
    vcpu::trap_depth().store(0, Relaxed);
    vcpu::events_masked().store(1, Relaxed);
    if Status(status) == Status::SUCCESS {
        SUCCESSES.fetch_add(1, Relaxed);
    }
    if number == Number::BalloonDeflate as u64 && value <= 512 {
        for index in 0..value as usize {
            pool::gained(Mfn(argument(index)));
        }
    }
    if [Number::TrapRegister, Number::Batch].iter().any(|call| *call as u64 == number) {
        register();
    }
}

/// Has the timer end a sleep or random code. Random calls may have masked its port.
pub fn set_alarm() {
    vcpu::mask(0).store(0, Relaxed);
    time::set_timer(NAP);
}

/// A call without arguments, by the instruction alone.
pub fn plain_call(number: u64) {
    // SAFETY: what a trap return leaves is not missed.
    let _ = unsafe { stubs::hypercall(number, &[0; 6]) };
}

/// Where a word of the argument frame is.
fn place(index: usize) -> *mut u64 {
    let page = physmap::address(ARGUMENT_PFN).0;
    (page + 8 * (index as u64 % (PAGE_SIZE / 8))) as *mut u64
}

fn argument(index: usize) -> u64 {
    // SAFETY: the argument frame is mapped for as long as the guest runs.
    unsafe { place(index).read_volatile() }
}

/// Fills the argument frame, in part: for a batch with calls.
fn lay(maker: &Maker, number: u64) {
    let put = |index, value| {
        // SAFETY: the argument frame is mapped writable, and nothing of Rust's lies in it.
        unsafe { place(index).write_volatile(value) }
    };
    if number == Number::Batch as u64 {
        const WORDS: usize = size_of::<BatchEntry>() / 8;
        for entry in 0..random::below(8) as usize {
            let (number, args) = maker.request();
            put(WORDS * entry, number);
            for (index, value) in args.into_iter().enumerate() {
                put(WORDS * entry + 1 + index, value);
            }
        }
    } else if number == Number::BalloonReport as u64 && !random::one_in(4) {
        let lies = arguments::lies();
        for (index, word) in lies.as_bytes().as_chunks::<8>().0.iter().enumerate() {
            put(index, u64::from_le_bytes(*word));
        }
    } else if random::one_in(2) {
        for index in 0..random::below(12) as usize {
            put(index, maker.argument(index));
        }
    }
}
