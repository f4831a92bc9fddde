//! Entries of processes' tables. Intel SDM volume 3, 4.5.

use hypercall_abi::pte::x86_64::Flags;
use kernel_core::Protection;

/// The processor has used the page.
pub const ACCESSED: u64 = Flags::ACCESSED.bits();
/// The processor has written the page.
pub const DIRTY: u64 = Flags::DIRTY.bits();
/// The processor sets both by itself, and remembers only entries that are there.
pub const FAULTS_WITHOUT_NEED: bool = false;

/// The entry that maps a page which has not been used.
#[inline(always)]
pub fn page_entry(machine: u64, protection: Protection) -> u64 {
    let mut flags = Flags::PRESENT | Flags::USER;
    flags.set(Flags::WRITABLE, protection.contains(Protection::WRITE));
    flags.set(Flags::NO_EXECUTE, !protection.contains(Protection::EXECUTE));
    machine | flags.bits()
}

/// The entry that names a table.
pub fn table_entry(table: u64) -> u64 {
    table | (Flags::PRESENT | Flags::USER | Flags::WRITABLE).bits()
}
