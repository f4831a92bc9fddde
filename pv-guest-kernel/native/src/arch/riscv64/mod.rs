//! riscv64: processes in U-mode, the kernel in S-mode.

mod entries;
mod instructions;
mod processor;

pub use entries::{ACCESSED, DIRTY, FAULTS_WITHOUT_NEED, page_entry, table_entry};
pub use instructions::{copy_page, hardware_random, synchronize_fetches, zero_page};
pub use kernel_core::registers::RiscvRegisters as Registers;
pub use processor::{Processor, can_go_on, sanitised_float};

/// Which processor it is.
pub const MACHINE: kernel_core::Machine = kernel_core::Machine::Riscv64;
