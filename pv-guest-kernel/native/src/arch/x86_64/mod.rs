//! x86-64: processes in ring 3, the kernel in ring 0.

mod entries;
mod instructions;
mod processor;

pub use entries::{ACCESSED, DIRTY, FAULTS_WITHOUT_NEED, page_entry, table_entry};
pub use instructions::{copy_page, hardware_random, synchronize_fetches, zero_page};
pub use kernel_core::registers::X86Registers as Registers;
pub use processor::{Processor, can_go_on, sanitised_float};

/// Which processor it is.
pub const MACHINE: kernel_core::Machine = kernel_core::Machine::X86_64;
