//! riscv64: the guest kernel and its processes in U-mode, the hypervisor in S-mode on an SBI.

mod boot;
mod csr;
mod floating_point;
mod memory;
mod power;
mod processor;
mod sbi;
mod serial;
mod timer;
mod trap;

pub use floating_point::FloatingPoint;
pub use hypercall_abi::registers::Riscv64Registers as Registers;
pub use memory::{
    BOOT_MAP_END, DIRECT_MAP, IMAGE_OFFSET, ROOT_LEVEL, decode_entry, flush_all, flush_page,
    for_each_device, leaf_entry, load_root, own_root, set_own_root, table_entry,
};
pub use power::power_off;
pub use processor::{init_processor, prepare_context};
pub use pv_core::Riscv64Sv39 as Platform;
pub use serial::{serial_read, serial_write};
pub use timer::{init_timer, instructions, now, set_alarm, take_interrupt, wait_for_interrupt};
pub use trap::{decode_trap, enter_guest, named_registers};

/// The processor that guest images must be for.
pub const ARCHITECTURE: pv_bundle::Architecture = pv_bundle::Architecture::Riscv64;
