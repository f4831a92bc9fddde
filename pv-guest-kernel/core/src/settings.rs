//! How a kernel is set up: [`Settings`], partly from its command line.

use crate::{
    Machine, PAGE, fs,
    memory::{self, Layout},
};

/// How a kernel is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How it treats memory.
    pub memory: memory::Settings,
    /// What its files may use.
    pub files: fs::Limits,
    /// Processes at most, those included that were not waited for.
    pub processes: usize,
    /// Nanoseconds of a time slice.
    pub slice: u64,
    /// Where things lie in the memory of a process.
    pub layout: Layout,
    /// Nanoseconds since 1970 when the machine started; 0 if it does not know.
    pub wall_clock: u64,
}

impl Settings {
    /// The usual ones for a machine.
    pub const fn new(machine: Machine) -> Settings {
        // The lower half of the addresses, but for the last page: x86-64 with four levels of
        // tables, riscv64 with three.
        let end = match machine {
            Machine::X86_64 => 1 << 47,
            Machine::Riscv64 => 1 << 38,
        } - PAGE as u64;
        Settings {
            memory: memory::Settings { leaves: 1024, around: 16 },
            files: fs::Limits::DEFAULT,
            processes: 256,
            slice: 10_000_000,
            layout: Layout { lowest: 0x10000, mmap_top: end - (96 << 20), end },
            wall_clock: 0,
        }
    }
}
