//! The programs: position-independent code, linked into the kernel's read-only data and copied
//! from there into the memory of a process. They begin at their first byte, with the process's
//! number and an argument as the two first arguments of a function.
//!
//! | program | what it does |
//! |---|---|
//! | worker | says hello; grows its heap, finds it zero, writes its number into each page; uses stack; counts `argument` down; finds its numbers as it left them; says so and exits |
//! | intruder | reads the address `argument` |
#![allow(unsafe_code, reason = "the programs lie between two symbols of the assembly")]

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// Pages of heap that a worker uses.
pub const HEAP_PAGES: u64 = 16;
/// Pages of stack that a worker uses.
pub const STACK_PAGES: u64 = 8;

/// A program.
pub struct Program {
    /// Its name.
    pub name: &'static str,
    start: *const u8,
    end: *const u8,
}

unsafe extern "C" {
    static program_worker: u8;
    static program_worker_end: u8;
    static program_intruder: u8;
    static program_intruder_end: u8;
}

/// See the table above.
pub const WORKER: Program = Program {
    name: "worker",
    start: &raw const program_worker,
    end: &raw const program_worker_end,
};

/// See the table above.
pub const INTRUDER: Program = Program {
    name: "intruder",
    start: &raw const program_intruder,
    end: &raw const program_intruder_end,
};

impl Program {
    /// Its bytes.
    pub fn image(&self) -> &'static [u8] {
        // SAFETY: both are symbols of one section of read-only data, the end behind the start.
        unsafe {
            let length = self.end.offset_from(self.start);
            core::slice::from_raw_parts(self.start, length as usize)
        }
    }
}
