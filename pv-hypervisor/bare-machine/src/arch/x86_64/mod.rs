//! x86-64: users in ring 3, the image in ring 0.

mod boot;
pub mod cause;
mod floating_point;
mod gates;
mod instructions;
mod memory;
pub mod pci;
mod power;
pub mod processor;
mod serial;
mod timer;

pub use cause::{decode_trap, named_registers};
pub use floating_point::FloatingPoint;
pub use hypercall_abi::registers::X86_64Registers as Registers;
pub use instructions::{counter as instructions, counter as now, hardware_random, msr_write};
pub use memory::{
    BOOT_MAP_END, DIRECT_MAP, IMAGE_OFFSET, ROOT_LEVEL, decode_entry, flush_all, flush_page,
    for_each_device, leaf_entry, load_root, own_root, set_own_root, table_entry,
};
pub use power::power_off;
pub use serial::{serial_read, serial_write};
pub use timer::{init_timer, set_alarm, take_interrupt, wait_for_interrupt};
