//! Entries of processes' tables. RISC-V Privileged Architecture, 12.3 and 12.4.

use hypercall_abi::pte::riscv64::Flags;
use kernel_core::Protection;

/// The page has been used.
pub const ACCESSED: u64 = Flags::ACCESSED.bits();
/// The page has been written.
pub const DIRTY: u64 = Flags::DIRTY.bits();
/// A hart may leave both bits to the kernel (Svade), and may remember that there was no entry.
pub const FAULTS_WITHOUT_NEED: bool = true;

/// The entry that maps a page which has not been used.
#[inline(always)]
pub fn page_entry(machine: u64, protection: Protection) -> u64 {
    let mut flags = Flags::VALID | Flags::READ | Flags::USER;
    flags.set(Flags::WRITE, protection.contains(Protection::WRITE));
    flags.set(Flags::EXECUTE, protection.contains(Protection::EXECUTE));
    machine >> 2 | flags.bits()
}

/// The entry that names a table.
pub fn table_entry(table: u64) -> u64 {
    table >> 2 | Flags::VALID.bits()
}
