//! A block device among the virtio devices that the device tree names. QEMU's `virt` has eight places for
//! such, most of them empty.
//!
//! Virtio 1.2, 4.2.2.
#![allow(unsafe_code, reason = "registers are read at the address that the device tree names")]

use super::device::Device;
use crate::direct_map;

/// The block device.
pub static BLOCK: Device = Device::none();

/// Bytes of the registers of a device, its configuration included.
pub const REGISTER_BYTES: u64 = 0x200;

/// Offsets of two registers: the number that every device shows, and of which kind it is.
const MAGIC: u64 = 0x000;
const KIND: u64 = 0x008;

/// What they hold.
const VIRTIO: u32 = u32::from_le_bytes(*b"virt");
const IS_BLOCK: u32 = 2;

/// Whether a block device has its registers at that machine address, which the boot tables map.
pub fn is_block(machine: u64) -> bool {
    // SAFETY: the device tree names the address as that of a device, which is mapped, and reading these
    // registers changes nothing.
    let read =
        |offset| unsafe { direct_map::pointer(machine + offset).cast::<u32>().read_volatile() };
    read(MAGIC) == VIRTIO && read(KIND) == IS_BLOCK
}
