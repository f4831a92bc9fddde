//! The registers of a device in memory: reached through the boot tables first, then where the
//! image's own tables map them.

use crate::direct_map;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

/// Where a device's registers are.
pub struct Device {
    /// Machine address of the registers; 0 while or where there is none.
    machine: AtomicU64,
    /// Virtual address of the registers; 0 while or where there is none.
    address: AtomicU64,
}

impl Device {
    /// None yet.
    pub const fn none() -> Device {
        Device { machine: AtomicU64::new(0), address: AtomicU64::new(0) }
    }

    /// The device is at that machine address, which the boot tables map.
    pub fn open(&self, machine: u64) {
        self.machine.store(machine, Ordering::Relaxed);
        self.address.store(direct_map::pointer(machine) as u64, Ordering::Relaxed);
    }

    /// The frame of the registers, for the image's own tables.
    pub fn frame(&self) -> Option<Range<u64>> {
        let frame = self.machine.load(Ordering::Relaxed) & !4095;
        (frame != 0).then_some(frame..frame + 4096)
    }

    /// From now on the frame is mapped at that virtual address.
    pub fn move_to(&self, page: u64) {
        let machine = self.machine.load(Ordering::Relaxed);
        if machine != 0 {
            self.address.store(page + machine % 4096, Ordering::Relaxed);
        }
    }

    /// Virtual address of the registers, if there is such a device.
    pub fn address(&self) -> Option<u64> {
        match self.address.load(Ordering::Relaxed) {
            0 => None,
            address => Some(address),
        }
    }
}
