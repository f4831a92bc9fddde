//! riscv64: users in U-mode, the image in S-mode on an SBI.

mod boot;
pub mod cause;
mod csr;
mod device;
mod floating_point;
mod memory;
mod power;
pub mod processor;
mod sbi;
mod serial;
mod timer;
pub mod virtio;

pub use cause::{decode_trap, named_registers};
pub use floating_point::FloatingPoint;
pub use hypercall_abi::registers::Riscv64Registers as Registers;
pub use memory::{
    BOOT_MAP_END, DIRECT_MAP, IMAGE_OFFSET, ROOT_LEVEL, decode_entry, flush_all, flush_page,
    for_each_device, leaf_entry, load_root, own_root, set_own_root, table_entry,
};
pub use power::power_off;
pub use processor::hardware_random;
pub use serial::{serial_read, serial_write};
pub use timer::{init_timer, instructions, now, set_alarm, take_interrupt, wait_for_interrupt};
