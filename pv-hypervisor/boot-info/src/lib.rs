//! What the boot loader told, in one form for every architecture; and the device tree, by which
//! it is told on riscv64. Bytes in, values out: the image finds the bytes.

#![no_std]
#![forbid(unsafe_code)]

pub mod device_tree;
mod info;

pub use device_tree::DeviceTree;
pub use info::{BootInfo, COMMAND_LINE_BYTES, MAX_RANGES, Ranges, SEED_BYTES, range};
