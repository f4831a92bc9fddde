//! The device tree: where it lies, what it tells, and what the image adds to that.
#![allow(unsafe_code, reason = "reads what the firmware left in memory")]

use super::{BOOT_MAP_END, power, serial, timer, virtio};
use crate::{direct_map, hooks, image};
use core::ops::Range;
use pv_boot_info::{BootInfo, DeviceTree};

core::arch::global_asm!(include_str!("boot.s"));

/// First word of a device tree.
const MAGIC: u32 = 0xd00d_feed;
/// Where memory begins on every machine that the image is linked for, and with it the firmware.
const FIRMWARE: u64 = 0x8000_0000;
/// Bytes of a device tree at most.
const MAX_BYTES: u64 = 1 << 20;

/// Called by `boot.s` once, with translation on.
#[unsafe(no_mangle)]
extern "C" fn boot_main(_hart: u64, address: u64) -> ! {
    let (tree, own) = open(address);
    if let Some(port) = tree.serial_port() {
        serial::open(port);
    }
    if let Some(finisher) = tree.finisher() {
        power::FINISHER.open(finisher);
    }
    if let Some(block) = tree.virtio_device(virtio::is_block) {
        virtio::BLOCK.open(block);
    }
    if let Some(ticks) = tree.ticks_per_second() {
        timer::set_ticks_per_second(ticks);
    }
    let mut boot = BootInfo::new();
    // The firmware lies below the image, whether or not the device tree says so.
    let loaded = image::image().text.start - super::IMAGE_OFFSET;
    boot.reserved.extend([own, FIRMWARE..loaded]);
    if let Err(error) = tree.read(&mut boot, BOOT_MAP_END) {
        hooks::stop(format_args!("{error}"));
    }
    hooks::start(&boot)
}

/// The tree, and where it lies.
fn open(address: u64) -> (DeviceTree<'static>, Range<u64>) {
    // SAFETY: the firmware passes the address of its tree, in memory that the boot tables map;
    // the first eight bytes are magic and size.
    let head = unsafe { direct_map::bytes(&(address..address + 8)) };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let size = word(4) as u64;
    if word(0) != MAGIC || size > MAX_BYTES || address + size > BOOT_MAP_END {
        hooks::stop(format_args!("no device tree at {address:#x}"));
    }
    let range = address..address + size;
    // SAFETY: the tree's memory is reserved, so that nothing writes it.
    match DeviceTree::new(unsafe { direct_map::bytes(&range) }) {
        Ok(tree) => (tree, range),
        Err(error) => hooks::stop(format_args!("at {address:#x}: {error}")),
    }
}
