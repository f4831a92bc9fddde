//! x86-64: the guest kernel and its processes in ring 3, the hypervisor in ring 0.

mod boot;
mod floating_point;
mod instructions;
mod memory;
mod power;
mod processor;
mod serial;
mod timer;
mod trap;

pub use floating_point::FloatingPoint;
pub use hypercall_abi::registers::X86_64Registers as Registers;
pub use instructions::{counter as instructions, counter as now};
pub use memory::{
    BOOT_MAP_END, DIRECT_MAP, IMAGE_OFFSET, ROOT_LEVEL, decode_entry, flush_all, flush_page,
    for_each_device, leaf_entry, load_root, own_root, set_own_root, table_entry,
};
pub use power::power_off;
pub use processor::{init_processor, prepare_context};
pub use pv_core::X86_64 as Platform;
pub use serial::{serial_read, serial_write};
pub use timer::{init_timer, set_alarm, take_interrupt, wait_for_interrupt};
pub use trap::{decode_trap, enter_guest, named_registers};

/// The processor that guest images must be for.
pub const ARCHITECTURE: pv_bundle::Architecture = pv_bundle::Architecture::X86_64;
