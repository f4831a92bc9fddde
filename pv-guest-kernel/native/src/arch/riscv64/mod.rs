//! riscv64: processes in U-mode, the kernel in S-mode.

mod entries;
mod processor;

pub use entries::{ACCESSED, DIRTY, FAULTS_WITHOUT_NEED, page_entry, table_entry};
pub use kernel_core::registers::RiscvRegisters as Registers;
pub use processor::{Processor, can_go_on, takes_float};

/// Which processor it is.
pub const MACHINE: kernel_core::Machine = kernel_core::Machine::Riscv64;
