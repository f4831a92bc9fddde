//! The block device of this machine: on the PCI bus.
#![allow(unsafe_code, reason = "a write of the configuration space may start a device")]

use crate::disk::{Dma, NoDisk};
use bare_machine::arch::pci;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{Command, ConfigurationAccess, DeviceFunction, PciRoot};

/// How the driver speaks to the device.
pub type BlockTransport = PciTransport;

/// The configuration space, through its ports.
struct Ports;

fn place(of: DeviceFunction) -> u32 {
    u32::from(of.device) << 3 | u32::from(of.function)
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, of: DeviceFunction, register: u8) -> u32 {
        pci::config_read(of.bus, place(of), register)
    }

    fn write_word(&mut self, of: DeviceFunction, register: u8, data: u32) {
        // SAFETY: the driver sizes base addresses, whose values it restores, and lets its own device
        // reach memory, which it gives it piece by piece.
        unsafe { pci::config_write(of.bus, place(of), register, data) };
    }

    unsafe fn unsafe_clone(&self) -> Ports {
        Ports
    }
}

/// The block device, ready to be driven.
pub fn block_transport() -> Result<BlockTransport, NoDisk> {
    let found = pci::block_device().ok_or(NoDisk::Missing)?;
    let of = DeviceFunction { bus: 0, device: (found >> 3) as u8, function: (found & 7) as u8 };
    let mut root = PciRoot::new(Ports);
    let transport = PciTransport::new::<Dma, Ports>(&mut root, of).map_err(|_| NoDisk::Unknown)?;
    // Its interrupts are not wanted: it is asked.
    let command = Command::MEMORY_SPACE | Command::BUS_MASTER | Command::INTERRUPT_DISABLE;
    root.set_command(of, command);
    Ok(transport)
}

/// Virtual address of so many bytes of the device's registers.
pub fn registers_at(machine: u64, bytes: u64) -> Option<u64> {
    pci::registers_at(machine, bytes)
}
