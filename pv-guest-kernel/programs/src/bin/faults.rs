//! Faults: each ends in the right signal, which tells the right address; a handler can mend the
//! fault, and the instruction is then made again; without one the process alone ends.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is read, written and executed where that is wrong")]

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use kernel_programs::calls::{
    Ended, Info, MAP_PRIVATE, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, Reaction, SIGILL, SIGSEGV,
    exit, hold_back, load, new_memory, protect, react, run, set_of, store,
};
use kernel_programs::{Start, check, println, program};

program!(main);

/// Codes of the signal: nothing is mapped there; what is there does not permit it.
const MAPERR: i32 = 1;
const ACCERR: i32 = 2;

static EXPECTED: AtomicUsize = AtomicUsize::new(0);
static CODE: AtomicUsize = AtomicUsize::new(0);
static MENDED: AtomicUsize = AtomicUsize::new(0);

/// Status of a child whose handler found what it should.
const RIGHT: i32 = 42;

fn main(_: &Start) -> i32 {
    let memory = new_memory(4 * PAGE, MAP_PRIVATE);
    check!(memory.is_ok(), "memory: {memory:?}");
    let memory = memory.unwrap_or(0);
    // SAFETY: nobody uses these pages.
    let protected = unsafe {
        [protect(memory + PAGE, PAGE, PROT_NONE), protect(memory + 2 * PAGE, PAGE, PROT_READ)]
    };
    check!(protected == [Ok(()); 2], "pages are protected: {protected:?}");
    let text = main as *const () as usize;
    let (guard, fixed) = (memory + PAGE + 100, memory + 2 * PAGE + 200);
    fault("a read of address 0", 0, Some(MAPERR), read_at);
    fault("a write to address 8", 8, Some(MAPERR), write_at);
    fault("a read of a page without access", guard, Some(ACCERR), read_at);
    fault("a write to a page without access", guard, Some(ACCERR), write_at);
    fault("a write to a page for reading", fixed, Some(ACCERR), write_at);
    fault("a write to the program's text", text, Some(ACCERR), write_at);
    fault("a jump to data", memory, Some(ACCERR), jump_to);
    fault("a jump to address 4096", 4096, Some(MAPERR), jump_to);
    fault("a read of the kernel's half", usize::MAX - PAGE + 1, None, read_at);
    fault("a write to the kernel's half", usize::MAX - PAGE + 1, None, write_at);
    fault("a jump to the kernel's half", usize::MAX - PAGE + 1, None, jump_to);
    across(memory);
    illegal();
    mended(memory);
    without_handler();
    stack_overflow();
    0
}

fn read_at(address: usize) {
    // SAFETY: a handler is ready for the fault.
    black_box(unsafe { load(black_box(address)) });
}

fn write_at(address: usize) {
    // SAFETY: as above.
    unsafe { store(black_box(address), 1) };
}

fn jump_to(address: usize) {
    // SAFETY: as above; what is there is no function, which is the point.
    let function: extern "C" fn() = unsafe { core::mem::transmute(black_box(address)) };
    function();
}

extern "C" fn compare(signal: usize, info: &Info, _: usize) {
    let code = CODE.load(Relaxed);
    let right = signal == SIGSEGV
        && info.signal == SIGSEGV as i32
        && info.address == EXPECTED.load(Relaxed)
        && (code == 0 || code == info.code as usize);
    if !right {
        println!("signal {signal}, code {}, address {:#x}", info.code, info.address);
    }
    exit(if right { RIGHT } else { 1 });
}

/// Something faults at an address, in a child whose handler compares.
fn fault(what: &str, address: usize, code: Option<i32>, access: fn(usize)) {
    let ended = run(|| {
        EXPECTED.store(address, Relaxed);
        CODE.store(code.unwrap_or(0) as usize, Relaxed);
        let set = react(SIGSEGV, Reaction::Handle(compare, 0, 0));
        check!(set.is_ok(), "a handler: {set:?}");
        access(address);
        2
    });
    check!(ended == Ended::Exit(RIGHT), "{what} at {address:#x}: {ended:?}");
    println!("{what}: the signal and its address are right");
}

/// A read of a word of which only the last bytes lie in the page without access.
fn across(memory: usize) {
    let before = memory + PAGE - 8;
    // SAFETY: the page before it may be read.
    let last = unsafe { load(memory + PAGE - 1) };
    check!(last == 0, "the byte before the page");
    let ended = run(|| {
        let set = react(SIGSEGV, Reaction::Default);
        check!(set.is_ok(), "no handler: {set:?}");
        for byte in 0..16 {
            read_at(before + byte);
        }
        0
    });
    check!(ended == Ended::Signal(SIGSEGV), "the byte behind it: {ended:?}");
    println!("the byte before the page without access can be read, the next one not");
}

extern "C" fn instruction(_: usize, info: &Info, _: usize) {
    exit(if info.signal == SIGILL as i32 { RIGHT } else { 1 });
}

fn illegal() {
    let ended = run(|| {
        check!(react(SIGILL, Reaction::Handle(instruction, 0, 0)).is_ok(), "a handler");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a handler is ready for it.
        unsafe {
            core::arch::asm!("ud2")
        };
        #[cfg(target_arch = "riscv64")]
        // SAFETY: a handler is ready for it.
        unsafe {
            core::arch::asm!("unimp")
        };
        2
    });
    check!(ended == Ended::Exit(RIGHT), "an illegal instruction: {ended:?}");
    println!("an illegal instruction: the signal is right");
}

extern "C" fn mend(_: usize, info: &Info, _: usize) {
    let page = info.address / PAGE * PAGE;
    // SAFETY: whoever faulted there wants the page.
    let done = unsafe { protect(page, PAGE, PROT_READ | PROT_WRITE) };
    check!(done.is_ok(), "the page is there: {done:?}");
    MENDED.fetch_add(1, Relaxed);
}

/// A handler lets the access be: it is made again and goes through.
fn mended(memory: usize) {
    check!(react(SIGSEGV, Reaction::Handle(mend, 0, 0)).is_ok(), "a handler");
    for round in 1..=20_u8 {
        for page in 0..4 {
            // SAFETY: the handler gives the page back when it is needed.
            let protected = unsafe { protect(memory + page * PAGE, PAGE, PROT_NONE) };
            check!(protected.is_ok(), "a page is protected: {protected:?}");
        }
        for page in 0..4 {
            let place = memory + page * PAGE + 300;
            // SAFETY: the handler lets it be.
            let found = unsafe { load(place) };
            check!(found == round - 1, "page {page} holds {found} in round {round}");
            // SAFETY: the handler has let it be.
            unsafe { store(place, round) };
        }
    }
    let count = MENDED.load(Relaxed);
    check!(count == 80, "{count} faults were mended");
    check!(react(SIGSEGV, Reaction::Default).is_ok(), "no handler");
    println!("{count} faults were mended by a handler, and the instructions made again");
}

fn without_handler() {
    let ended = run(|| {
        read_at(0);
        0
    });
    check!(ended == Ended::Signal(SIGSEGV), "without a handler: {ended:?}");
    for held in [false, true] {
        let ended = run(|| {
            if held {
                check!(hold_back(set_of(SIGSEGV)).is_ok(), "the signal is held back");
            } else {
                check!(react(SIGSEGV, Reaction::Ignore).is_ok(), "the signal is ignored");
            }
            read_at(0);
            0
        });
        check!(ended == Ended::Signal(SIGSEGV), "held back ({held}) or ignored: {ended:?}");
    }
    println!("without a handler, or with the signal ignored or held back, the process ends");
}

fn deeper(depth: usize) -> usize {
    let space = black_box([depth; 64]);
    if space[depth % 64] == usize::MAX { 0 } else { deeper(depth + 1) + space[0] }
}

fn stack_overflow() {
    let ended = run(|| deeper(0) as i32);
    check!(ended == Ended::Signal(SIGSEGV), "a stack without end: {ended:?}");
    println!("a stack that grows without end ends its process");
}
