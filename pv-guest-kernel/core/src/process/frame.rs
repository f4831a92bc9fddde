//! What the kernel puts on the stack of a process for a signal handler, as each machine's Linux
//! lays it out (`struct rt_sigframe`), and what it takes back from there.
//!
//! What comes back could be anything: the process can write to its stack, or make the call that
//! returns without ever having had a signal. So words of registers go through
//! [`Registers::set_signal_words`](crate::Registers::set_signal_words), and floating-point state
//! through [`sanitised`].

use super::{AlternateStack, Cause, Info, SignalSet, siginfo::SIGINFO};
use crate::{FLOAT_BYTES, FloatState, Machine};
use alloc::{vec, vec::Vec};

/// Where things lie in a frame; from its first byte unless said otherwise.
struct FrameLayout {
    /// `struct siginfo`.
    info: usize,
    /// `struct ucontext`.
    context: usize,
    /// In the context: the blocked signals.
    mask: usize,
    /// In the context: the registers.
    registers: usize,
    /// In the context: its end.
    end: usize,
    /// Bytes below the stack pointer that are the process's.
    red_zone: u64,
}

/// In the context: the stack for handlers.
const STACK: usize = 16;
/// Behind the registers of x86-64, as words from the first: where the floating-point state is.
const FLOAT_POINTER: usize = 23;
/// As words from the first, of x86-64: the blocked signals again, and the address of a fault.
const OLD_MASK: usize = 21;
const FAULT_ADDRESS: usize = 22;
/// Behind the registers of riscv64, as words from the first: floating-point registers.
const FLOAT: usize = 32;
/// Bytes of riscv64's floating-point registers with their status.
const RISCV_FLOAT: usize = 264;

const X86_64: FrameLayout =
    FrameLayout { info: 312, context: 8, mask: 296, registers: 40, end: 304, red_zone: 128 };

const RISCV64: FrameLayout =
    FrameLayout { info: 0, context: 128, mask: 40, registers: 176, end: 960, red_zone: 0 };

const fn layout(machine: Machine) -> FrameLayout {
    match machine {
        Machine::X86_64 => X86_64,
        Machine::Riscv64 => RISCV64,
    }
}

impl FrameLayout {
    /// Bytes of a frame, on x86-64 without the floating-point state behind it.
    const fn size(&self) -> usize {
        if self.info > self.context { self.info + SIGINFO } else { self.context + self.end }
    }
}

/// Where the floating-point state of a frame of x86-64 is: aligned, behind the frame.
const fn float_behind(frame: u64) -> u64 {
    (frame + X86_64.size() as u64).next_multiple_of(64)
}

/// What a frame is made of.
pub struct SignalFrame<'a> {
    /// For which machine.
    pub machine: Machine,
    /// The registers to come back to.
    pub registers: Vec<u64>,
    /// Floating-point registers, likewise.
    pub float: &'a FloatState,
    /// What is blocked afterwards.
    pub blocked: SignalSet,
    /// The stack for handlers.
    pub stack: AlternateStack,
    /// Why.
    pub info: Info,
}

impl SignalFrame<'_> {
    /// Where the frame goes when the stack pointer is there: the new stack pointer. `None`:
    /// there is no room.
    pub fn place(&self, sp: u64, on_stack: bool) -> Option<u64> {
        let there = self.stack.has(sp);
        let switched = on_stack && self.stack.size != 0 && !there;
        let layout = layout(self.machine);
        let top = if switched {
            self.stack.start.checked_add(self.stack.size)?
        } else {
            sp.checked_sub(layout.red_zone)?
        };
        let size = layout.size() as u64;
        let frame = match self.machine {
            Machine::X86_64 => {
                let float = top.checked_sub(FLOAT_BYTES as u64)? & !63;
                // As behind a call: the stack is aligned, but for the return address.
                (float.checked_sub(size)? & !15).checked_sub(8)?
            }
            Machine::Riscv64 => top.checked_sub(size)? & !15,
        };
        // What does not fit on the stack for handlers must not go on below it.
        if (switched || there) && frame < self.stack.start { None } else { Some(frame) }
    }

    /// Where `siginfo` and `ucontext` are in a frame at an address.
    pub fn parts(machine: Machine, frame: u64) -> (u64, u64) {
        let layout = layout(machine);
        (frame + layout.info as u64, frame + layout.context as u64)
    }

    /// The bytes of a frame for an address, from which the handler returns to another.
    pub fn to_bytes(&self, frame: u64, return_to: u64) -> Vec<u8> {
        let layout = layout(self.machine);
        let mut bytes = vec![0; layout.size()];
        let put = |bytes: &mut [u8], at: usize, value: u64| {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        };
        bytes[layout.info..layout.info + SIGINFO].copy_from_slice(&self.info.to_bytes());
        let context = layout.context;
        put(&mut bytes, context + STACK, self.stack.start);
        put(&mut bytes, context + STACK + 8, self.stack.flags(None).into());
        put(&mut bytes, context + STACK + 16, self.stack.size);
        put(&mut bytes, context + layout.mask, self.blocked.0);
        let word = |index: usize| context + layout.registers + index * 8;
        for (index, value) in self.registers.iter().enumerate() {
            put(&mut bytes, word(index), *value);
        }
        match self.machine {
            Machine::X86_64 => {
                let float = float_behind(frame);
                put(&mut bytes, 0, return_to);
                put(&mut bytes, word(OLD_MASK), self.blocked.0);
                if let Cause::Fault { address, .. } = self.info.cause {
                    put(&mut bytes, word(FAULT_ADDRESS), address);
                }
                put(&mut bytes, word(FLOAT_POINTER), float);
                bytes.resize((float - frame) as usize, 0);
                bytes.extend_from_slice(&self.float.0);
            }
            Machine::Riscv64 => {
                let at = word(FLOAT);
                bytes[at..at + RISCV_FLOAT].copy_from_slice(&self.float.0[..RISCV_FLOAT]);
            }
        }
        bytes
    }
}

/// Where the context and its bytes are when a handler has returned with that stack pointer.
pub fn context_of(machine: Machine, sp: u64) -> (u64, usize) {
    let layout = layout(machine);
    let address = match machine {
        // The return address is gone from the stack, and the context is behind it.
        Machine::X86_64 => sp,
        Machine::Riscv64 => sp.wrapping_add(layout.context as u64),
    };
    (address, layout.end)
}

/// What a context says.
pub struct Context<'a> {
    machine: Machine,
    bytes: &'a [u8],
}

impl<'a> Context<'a> {
    /// The context in these bytes, as many as [`context_of`] said.
    pub fn new(machine: Machine, bytes: &'a [u8]) -> Context<'a> {
        Context { machine, bytes }
    }

    fn word(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    fn register(&self, index: usize) -> u64 {
        self.word(layout(self.machine).registers + index * 8)
    }

    /// Registers.
    pub fn registers(&self, count: usize) -> Vec<u64> {
        (0..count).map(|index| self.register(index)).collect()
    }

    /// What is blocked.
    pub fn blocked(&self) -> SignalSet {
        SignalSet(self.word(layout(self.machine).mask))
    }

    /// The stack for handlers, and its flags.
    pub fn stack(&self) -> (AlternateStack, u32) {
        let (start, size) = (self.word(STACK), self.word(STACK + 16));
        (AlternateStack { start, size }, self.word(STACK + 8) as u32)
    }

    /// Floating-point state: in the context, or at an address.
    pub fn float(&self) -> Float<'a> {
        match self.machine {
            Machine::X86_64 => match self.register(FLOAT_POINTER) {
                0 => Float::None,
                address => Float::At(address),
            },
            Machine::Riscv64 => {
                let at = RISCV64.registers + FLOAT * 8;
                Float::Here(self.bytes.get(at..at + RISCV_FLOAT).unwrap_or_default())
            }
        }
    }
}

/// Where floating-point state is.
pub enum Float<'a> {
    /// There is none: the registers are as at a program's start.
    None,
    /// These bytes.
    Here(&'a [u8]),
    /// In the memory of the process, [`FLOAT_BYTES`] of them.
    At(u64),
}

/// Floating-point state that the processor takes, from bytes of a process: `old` is what the
/// processor gave itself.
pub fn sanitised(machine: Machine, bytes: &[u8], old: &FloatState) -> FloatState {
    let mut state = old.clone();
    let count = bytes.len().min(FLOAT_BYTES);
    state.0[..count].copy_from_slice(&bytes[..count]);
    match machine {
        Machine::X86_64 => {
            // A set bit of MXCSR that the processor does not have would fault in the kernel.
            let word = |at: usize, from: &FloatState| {
                u32::from_le_bytes([from.0[at], from.0[at + 1], from.0[at + 2], from.0[at + 3]])
            };
            let supported = match word(MXCSR_MASK, old) {
                0 => MXCSR_DEFAULT_MASK,
                mask => mask & 0xffff,
            };
            let mxcsr = word(MXCSR, &state) & supported;
            state.0[MXCSR..MXCSR + 4].copy_from_slice(&mxcsr.to_le_bytes());
            state.0[MXCSR_MASK..MXCSR_MASK + 4].copy_from_slice(&old.0[MXCSR_MASK..MXCSR_MASK + 4]);
        }
        Machine::Riscv64 => {
            // Above the rounding mode and the flags, bits are reserved.
            state.0[RISCV_FLOAT - 7..].fill(0);
        }
    }
    state
}

/// In the state of x86-64: the control and status register of SSE, and which bits of it the
/// processor has.
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
/// The bits if the processor does not say.
const MXCSR_DEFAULT_MASK: u32 = 0xffbf;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Signal;

    fn frame(machine: Machine, float: &FloatState) -> SignalFrame<'_> {
        SignalFrame {
            machine,
            registers: (100..118).collect(),
            float,
            blocked: SignalSet(0x55),
            stack: AlternateStack { start: 0x9000, size: 0x2000 },
            info: Info { signal: Signal::SEGV, cause: Cause::Fault { code: 1, address: 0x77 } },
        }
    }

    #[test]
    fn what_is_put_on_the_stack_is_what_comes_back() {
        let float = FloatState(core::array::from_fn(|index| index as u8));
        for machine in [Machine::X86_64, Machine::Riscv64] {
            let frame = frame(machine, &float);
            let sp = frame.place(0x7000, false).unwrap();
            let bytes = frame.to_bytes(sp, 0x1234);
            let popped = if machine == Machine::X86_64 { 8 } else { 0 };
            let (address, length) = context_of(machine, sp + popped);
            assert_eq!(address, SignalFrame::parts(machine, sp).1);
            let at = (address - sp) as usize;
            let context = Context::new(machine, &bytes[at..at + length]);
            assert_eq!(context.registers(18), frame.registers);
            assert_eq!(context.blocked(), SignalSet(0x55));
            assert_eq!(context.stack().0, frame.stack);
            match context.float() {
                Float::At(address) => {
                    assert_eq!(address % 64, 0);
                    assert_eq!(bytes[(address - sp) as usize..], float.0);
                }
                Float::Here(bytes) => assert_eq!(bytes, &float.0[..RISCV_FLOAT]),
                Float::None => panic!("{machine:?} has no floating-point state"),
            }
        }
    }

    #[test]
    fn frames_are_aligned_as_functions_expect_and_below_the_red_zone() {
        let float = FloatState([0; FLOAT_BYTES]);
        for sp in 0x7000..0x7100 {
            let x86 = frame(Machine::X86_64, &float).place(sp, false).unwrap();
            assert_eq!(x86 % 16, 8);
            let end = float_behind(x86) + FLOAT_BYTES as u64;
            assert!(end <= sp - 128 && end + 200 > sp - 128, "{sp:#x} {end:#x}");
            let riscv = frame(Machine::Riscv64, &float).place(sp, false).unwrap();
            assert_eq!(riscv % 16, 0);
            assert!(riscv + RISCV64.size() as u64 <= sp);
        }
    }

    #[test]
    fn a_stack_for_handlers_is_used_once_and_not_left_at_its_end() {
        let float = FloatState([0; FLOAT_BYTES]);
        for machine in [Machine::X86_64, Machine::Riscv64] {
            let frame = frame(machine, &float);
            let first = frame.place(0x7000, true).unwrap();
            assert!(frame.stack.has(first));
            let second = frame.place(first, true).unwrap();
            assert!(second < first && frame.stack.has(second));
            assert_eq!(frame.place(0x9100, true), None);
            assert_eq!(frame.place(10, false), None);
        }
    }

    #[test]
    fn the_offsets_are_those_of_linux() {
        assert_eq!((X86_64.size(), RISCV64.size()), (440, 1088));
    }

    #[test]
    fn reserved_bits_of_floating_point_state_do_not_come_back() {
        let mut old = FloatState([0; FLOAT_BYTES]);
        old.0[MXCSR_MASK..MXCSR_MASK + 4].copy_from_slice(&0xffff_u32.to_le_bytes());
        let hostile = [0xff; FLOAT_BYTES];
        let state = sanitised(Machine::X86_64, &hostile, &old);
        assert_eq!(state.0[MXCSR..MXCSR + 8], [0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
        let state = sanitised(Machine::Riscv64, &hostile[..RISCV_FLOAT], &old);
        assert_eq!(state.0[256..264], [0xff, 0, 0, 0, 0, 0, 0, 0]);
    }
}
