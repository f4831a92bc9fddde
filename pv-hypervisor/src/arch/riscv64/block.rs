//! The block device of this machine: where the device tree says.
#![allow(unsafe_code, reason = "the device's registers are reached by address")]

use crate::disk::NoDisk;
use bare_machine::arch::virtio::{BLOCK, REGISTER_BYTES};
use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};

/// How the driver speaks to the device.
pub type BlockTransport = MmioTransport<'static>;

/// The block device, ready to be driven.
pub fn block_transport() -> Result<BlockTransport, NoDisk> {
    let address = BLOCK.address().ok_or(NoDisk::Missing)?;
    let header = NonNull::new(address as *mut VirtIOHeader).ok_or(NoDisk::Missing)?;
    // SAFETY: the frame of the registers is mapped for good, and nothing else uses them.
    unsafe { MmioTransport::new(header, REGISTER_BYTES as usize) }.map_err(|_| NoDisk::Unknown)
}

/// Virtual address of so many bytes of the device's registers: only a PCI device asks.
pub fn registers_at(_machine: u64, _bytes: u64) -> Option<u64> {
    None
}
