//! Traps: how the hypervisor hands a fault, a process's system call or an event to the
//! guest kernel.
//!
//! The guest kernel registers one entry ([`trap_register`](crate::calls::trap_register)).
//! When a trap is delivered the hypervisor
//!
//! 1. writes a [`TrapFrame`] to the vCPU page at index `trap_depth` and adds one to
//!    `trap_depth`; if there are [`TRAP_FRAMES`] already, the domain is ended;
//! 2. sets `events_masked` to 1, so that no event arrives on top of the trap;
//! 3. goes on at the entry in virtual kernel mode, on the kernel root, with the registered
//!    stack if the trap came from user mode and the interrupted stack pointer if not
//!    (rounded down to a multiple of 16). Every other register is as it was, but that on x86-64
//!    the flags TF, DF and AC are clear.
//!
//! [`trap_return`](crate::calls::trap_return) takes the topmost frame off again. The guest
//! may change the frame first, copy frames elsewhere and change `trap_depth` itself: that is
//! how it switches between its own threads.

use crate::registers::{Riscv64Registers, X86_64Registers};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Frames that the vCPU page holds: the depth to which traps nest.
pub const TRAP_FRAMES: u32 = 8;

/// Why a trap was delivered, as it lies in the frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct CauseBits(pub u32);

/// Why a trap was delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum Cause {
    /// An unmasked port is pending.
    Event = 0,
    /// `syscall` or `ecall` in virtual user mode. On riscv64 the program counter is that of
    /// the `ecall` itself; on x86-64 of the instruction after `syscall`.
    SystemCall = 1,
    /// Address translation failed; `address` is the address, `code` a [`FaultAccess`].
    PageFault = 2,
    /// The instruction does not exist or is privileged.
    IllegalInstruction = 3,
    /// A breakpoint instruction.
    Breakpoint = 4,
    /// Division by zero or overflow (x86-64).
    DivideError = 5,
    /// An access that is not aligned as it must be; `address` is the address on riscv64.
    Misaligned = 6,
    /// A floating-point exception (x86-64).
    FloatingPoint = 7,
    /// A protection fault that is none of the others (x86-64 #GP, #NP, #SS); `code` is the
    /// processor's error code.
    Protection = 8,
    /// A single step or a hardware breakpoint (x86-64 #DB).
    Debug = 9,
    /// The address has a translation but no memory answers there; `address` is the address.
    AccessFault = 10,
}

impl Cause {
    /// Every cause, in the order of their numbers, which begin at 0 without a gap.
    pub const ALL: [Cause; 11] = [
        Cause::Event,
        Cause::SystemCall,
        Cause::PageFault,
        Cause::IllegalInstruction,
        Cause::Breakpoint,
        Cause::DivideError,
        Cause::Misaligned,
        Cause::FloatingPoint,
        Cause::Protection,
        Cause::Debug,
        Cause::AccessFault,
    ];

    /// What it is, in a few words.
    pub const fn description(self) -> &'static str {
        match self {
            Cause::Event => "event",
            Cause::SystemCall => "system call",
            Cause::PageFault => "page fault",
            Cause::IllegalInstruction => "illegal instruction",
            Cause::Breakpoint => "breakpoint",
            Cause::DivideError => "divide error",
            Cause::Misaligned => "misaligned access",
            Cause::FloatingPoint => "floating-point exception",
            Cause::Protection => "protection fault",
            Cause::Debug => "debug exception",
            Cause::AccessFault => "access fault",
        }
    }
}

impl CauseBits {
    /// The cause; `None` for a number that this version does not know.
    pub const fn decode(self) -> Option<Cause> {
        if (self.0 as usize) < Cause::ALL.len() { Some(Cause::ALL[self.0 as usize]) } else { None }
    }
}

impl From<Cause> for CauseBits {
    fn from(cause: Cause) -> CauseBits {
        CauseBits(cause as u32)
    }
}

/// State of the vCPU that a trap interrupted. Unknown bits are kept, and refused on return.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct TrapFlags(u32);

bitflags::bitflags! {
    impl TrapFlags: u32 {
        /// It was in virtual user mode, on the user root; on return: go there.
        const USER = 1 << 0;
        /// Events were masked; on return: mask them.
        const EVENTS_MASKED = 1 << 1;

        const _ = !0;
    }
}

impl TrapFlags {
    /// Flags that this version names.
    pub const KNOWN: TrapFlags = TrapFlags::USER.union(TrapFlags::EVENTS_MASKED);
}

/// What a page fault tried to do: `code` of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct FaultAccess(u64);

bitflags::bitflags! {
    impl FaultAccess: u64 {
        /// To read.
        const READ = 1 << 0;
        /// To write.
        const WRITE = 1 << 1;
        /// To fetch an instruction.
        const EXECUTE = 1 << 2;
        /// The page was present but did not permit it. Only x86-64 tells.
        const PRESENT = 1 << 3;

        const _ = !0;
    }
}

/// The first 32 bytes of a trap frame; the registers follow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct TrapHeader {
    /// A [`Cause`]. Ignored on return.
    pub cause: CauseBits,
    /// State of the interrupted vCPU, and to return to.
    pub flags: TrapFlags,
    /// A [`FaultAccess`] for a page fault, the processor's error code for a protection
    /// fault, else 0. Ignored on return.
    pub code: u64,
    /// The address that faulted, else 0. Ignored on return.
    pub address: u64,
    /// Reserved: 0 in a trap frame, ignored on return.
    pub reserved: u64,
}

const _: () = assert!(size_of::<TrapHeader>() == 32);

/// A trap frame of x86-64: 224 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct X86_64TrapFrame {
    /// What happened.
    pub header: TrapHeader,
    /// The registers at that moment.
    pub registers: X86_64Registers,
}

const _: () = assert!(size_of::<X86_64TrapFrame>() == 224);

/// A trap frame of riscv64: 288 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Riscv64TrapFrame {
    /// What happened.
    pub header: TrapHeader,
    /// The registers at that moment.
    pub registers: Riscv64Registers,
}

const _: () = assert!(size_of::<Riscv64TrapFrame>() == 288);

/// The trap frame of the architecture that this is compiled for.
#[cfg(target_arch = "x86_64")]
pub type TrapFrame = X86_64TrapFrame;
/// The trap frame of the architecture that this is compiled for.
#[cfg(target_arch = "riscv64")]
pub type TrapFrame = Riscv64TrapFrame;
