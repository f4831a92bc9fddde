//! Random code in virtual user mode: a process with one page of code and one of data. It ends
//! with a trap, of the timer if nothing else.
#![allow(unsafe_code, reason = "code and trap frames are written by address")]

use super::{arch, hostile, random};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hypercall_abi::{
    Mfn, Number, PAGE_SIZE, VirtAddr,
    calls::pt_switch::RootChange,
    trap::{TRAP_FRAMES, TrapFlags},
};
use pv_guest::{calls, memory::Memory, paging::Protection, physmap, space::AddressSpace, vcpu};

/// Where the process has its pages.
const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
/// Words of code that are written anew each time.
const CODE_WORDS: u64 = 16;
/// Words of a trap frame before the registers.
const HEADER: usize = 4;

static ROOT: AtomicU64 = AtomicU64::new(0);
static CODE_PAGE: AtomicU64 = AtomicU64::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Makes the process.
pub fn prepare(memory: &mut Memory) -> Result<(), &'static str> {
    let mut space = AddressSpace::new(memory).map_err(|_| "no address space")?;
    for (address, protection) in [(CODE, Protection::EXECUTE), (DATA, Protection::WRITE)] {
        let page = memory.allocate_zeroed().ok_or("too little memory")?;
        if address == CODE {
            // The kernel's own mapping of it stays writable.
            CODE_PAGE.store(physmap::address(page.pfn()).0, Relaxed);
        }
        let mapped = space.map(memory, VirtAddr(address), page, protection);
        mapped.map_err(|_| "a page of the process cannot be mapped")?;
    }
    memory.flush().map_err(|_| "a page of the process cannot be mapped")?;
    ROOT.store(space.root().0, Relaxed);
    Ok(())
}

/// Sets the process's root; random calls may have set another.
pub fn set_root() {
    let root = RootChange::Set(Mfn(ROOT.load(Relaxed)));
    // SAFETY: the kernel's root stays.
    let _ = unsafe { calls::pt_switch(RootChange::Keep, root) };
}

/// How often random code has run.
pub fn count() -> u64 {
    COUNT.load(Relaxed)
}

/// Runs random code; comes back only if the return to it is refused.
pub fn go() {
    let page = CODE_PAGE.load(Relaxed) as *mut u64;
    let first = random::below(PAGE_SIZE / 8 - CODE_WORDS);
    for index in first..first + CODE_WORDS {
        // SAFETY: the page is mapped writable, the index within it; the process does not run.
        unsafe { page.add(index as usize).write_volatile(arch::code_word()) };
    }
    arch::code_written();
    let mut words = registers();
    words[arch::PC] = CODE + 8 * first;
    write_frame(0, TrapFlags::USER.bits().into(), &words);
    vcpu::trap_depth().store(1, Relaxed);
    COUNT.fetch_add(1, Relaxed);
    hostile::set_alarm();
    hostile::plain_call(Number::TrapReturn as u64);
}

/// Lays out a frame for a `trap_return` to nearly anywhere.
pub fn lay_frame() {
    let mut words = registers();
    let landing = arch::landing as *const () as u64;
    words[arch::PC] = match random::below(8) {
        0 => random::next(),
        1 => CODE + random::below(PAGE_SIZE),
        2 => 0x8000_0000_0000 - random::below(2),
        3 => DATA,
        _ => landing,
    };
    let flags = match random::below(8) {
        0 => random::next() & 0xffff_ffff,
        flags => flags & 3,
    };
    let depth = random::below(u64::from(TRAP_FRAMES) + 2);
    if let Some(index) = depth.checked_sub(1).filter(|index| *index < TRAP_FRAMES.into()) {
        write_frame(index, flags, &words);
    }
    vcpu::trap_depth().store(depth, Relaxed);
}

/// Random registers, of which many are addresses of the process's data.
fn registers() -> [u64; arch::WORDS] {
    core::array::from_fn(|word| match random::below(4) {
        // Bases of segments on x86-64 must be canonical.
        _ if word < 2 && random::one_in(2) => 0,
        0 => random::next() >> random::below(64),
        _ => DATA + 8 * random::below(PAGE_SIZE / 8),
    })
}

fn write_frame(index: u64, flags: u64, words: &[u64; arch::WORDS]) {
    let frame = vcpu::trap_frame(index).cast::<u64>();
    let header = [flags << 32, 0, 0, 0];
    for (word, value) in header.iter().chain(words).enumerate() {
        // SAFETY: the frame is of that many words, and the hypervisor reads it in a call only.
        unsafe { frame.add(word).write_volatile(*value) };
    }
}

const _: () = assert!(
    size_of::<hypercall_abi::trap::TrapFrame>() == 8 * (HEADER + arch::WORDS),
    "a trap frame is its header and the registers"
);
