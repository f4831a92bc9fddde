//! Going wrong on purpose, for the tests that a guest's end is its own affair.
#![allow(unsafe_code, reason = "what is done here is wrong on purpose")]

use super::{
    options::Crash,
    surprise::{Surprise, surprise},
};
use core::hint::black_box;
use pv_guest::{
    abi::{
        Error, Number, stubs,
        trap::{TRAP_FRAMES, TrapFlags, TrapFrame},
    },
    arch::TrapFrameExt,
    calls, events, println,
    stack::Stack,
    trap, vcpu,
};

/// Calls that `garbage` makes.
const GARBAGE_CALLS: u32 = 2_000;

/// Misbehaves as long as no trap entry is registered, if it is to.
pub fn before_traps(crash: Option<Crash>) {
    match crash {
        Some(Crash::Null) => {
            println!("    about to read address 0");
            touch(0);
        }
        Some(Crash::Spin) => {
            println!("    about to spin");
            loop {
                core::hint::spin_loop();
            }
        }
        Some(Crash::Garbage) => garbage(),
        Some(Crash::BadPc) => bad_pc(),
        Some(Crash::Block) => {
            println!("    about to wait for an event that nobody sends");
            loop {
                calls::sched_block();
            }
        }
        Some(Crash::Panic | Crash::Stack | Crash::Depth) | None => {}
    }
}

/// Misbehaves with a trap entry, page tables and a stack of the kernel's own, if it is to.
pub fn with_traps(crash: Option<Crash>, stack: Stack) -> Result<(), Surprise> {
    match crash {
        Some(Crash::Panic) => panic!("on purpose"),
        Some(Crash::Stack) => {
            println!("    about to use up the stack, to the guard at {:#x}", stack.guard.0);
            println!("{}", recurse(1));
            Ok(())
        }
        Some(Crash::Depth) => {
            println!("    about to trap {TRAP_FRAMES} deep and once more");
            trap::register(trap_again).map_err(|error| surprise!("trap_register: {error}"))?;
            touch(0);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn touch(address: usize) {
    // SAFETY: nothing is mapped there: the read faults, and the domain ends.
    black_box(unsafe { (black_box(address) as *const u8).read_volatile() });
}

fn trap_again(_frame: &mut TrapFrame) {
    touch(0);
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    recurse(room[7] + 1) + room[9]
}

/// A generator of arbitrary numbers (xorshift64), the same in each run.
struct Arbitrary(u64);

impl Arbitrary {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Small numbers, frame-like ones, addresses, all bits: each often.
    fn argument(&mut self) -> u64 {
        let value = self.next();
        match value >> 61 {
            0 => value & 0xf,
            1 => value & 0x3_ffff,
            2 => value & 0x3f_ffff_f000,
            3 => u64::MAX - (value & 7),
            _ => value,
        }
    }
}

/// Makes calls without rhyme or reason, then executes what is no instruction. Calls that would
/// end, block or flood it are left out, and the one that would make the instruction a trap of
/// its own.
fn garbage() {
    const NOT_THESE: [Number; 4] =
        [Number::Shutdown, Number::SchedBlock, Number::ConsoleWrite, Number::TrapRegister];
    println!("    about to make {GARBAGE_CALLS} arbitrary calls, then none that is an instruction");
    events::mask();
    let mut arbitrary = Arbitrary(0x5eed);
    for _ in 0..GARBAGE_CALLS {
        let number = arbitrary.argument() % 48;
        if NOT_THESE.iter().any(|not| *not as u64 == number) {
            continue;
        }
        let args = [(); 6].map(|()| arbitrary.argument());
        // SAFETY: none; whatever happens to this domain's memory is what it asked for.
        unsafe { stubs::hypercall(number, &args) };
    }
    // SAFETY: the instruction traps, and the domain ends.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("ud2");
        #[cfg(target_arch = "riscv64")]
        core::arch::asm!("unimp");
    }
}

/// Returns to the hypervisor's addresses and to none, which is refused; then goes to one.
fn bad_pc() {
    for address in [0xffff_8000_0000_0000, 0x8000_0000_0000, u64::MAX, 1 << 62] {
        let mut frame = TrapFrame::new_user(address, 0, [0, 0]);
        frame.header.flags = TrapFlags::empty();
        // SAFETY: no trap entry is registered, so the frames of the page are this function's.
        unsafe { vcpu::trap_frame(0).write(frame) };
        vcpu::trap_depth().store(1, core::sync::atomic::Ordering::SeqCst);
        // SAFETY: the return is refused.
        let refused = unsafe { calls::trap_return(0) };
        println!("    trap_return to {address:#x}: {}", refused.error);
        assert_eq!(refused.error, Error::BadTrapFrame, "such a return is refused");
    }
    println!("    about to go to address 0xffff800000000000 all the same");
    let address = black_box(0xffff_8000_0000_0000_usize);
    // SAFETY: none; the jump faults, and the domain ends.
    let function = unsafe { core::mem::transmute::<usize, extern "C" fn()>(address) };
    function();
}
