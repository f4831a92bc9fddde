//! The device tree, read and put into [`BootInfo`].
#![allow(unsafe_code, reason = "reads what the firmware left in memory")]

use super::{BOOT_MAP_END, serial, timer};
use crate::boot_info::{BootInfo, Ranges, range};
use crate::{direct_map, fatal, image, start};
use core::ops::Range;
use fdt::Fdt;
use fdt::node::FdtNode;

core::arch::global_asm!(include_str!("boot.s"));

/// First word of a device tree.
const MAGIC: u32 = 0xd00d_feed;
/// Where memory begins on every machine that the image is linked for, and with it the firmware.
const FIRMWARE: u64 = 0x8000_0000;
/// Bytes of a device tree at most.
const MAX_BYTES: u64 = 1 << 20;

/// Called by `boot.s` once, with translation on.
#[unsafe(no_mangle)]
extern "C" fn boot_main(_hart: u64, tree: u64) -> ! {
    let (tree, own) = open(tree);
    if let Some(port) = tree.find_compatible(&["ns16550a"]).and_then(|node| registers(&node)) {
        serial::open(port.start);
    }
    let mut boot = BootInfo::new();
    add(&mut boot.reserved, own);
    // The firmware lies below the image, whether or not the device tree says so.
    let loaded = image::image().text.start - super::IMAGE_OFFSET;
    add(&mut boot.reserved, FIRMWARE..loaded);
    for node in tree.find_all_nodes("/memory") {
        for_each_range(&node, |range| {
            add(&mut boot.memory, range.start..range.end.min(BOOT_MAP_END));
        });
    }
    for reservation in tree.memory_reservations() {
        if let Some(range) = range(reservation.address() as u64, reservation.size() as u64) {
            add(&mut boot.reserved, range);
        }
    }
    if let Some(reserved) = tree.find_node("/reserved-memory") {
        for node in reserved.children() {
            for_each_range(&node, |range| add(&mut boot.reserved, range));
        }
    }
    if let Some(cpus) = tree.find_node("/cpus")
        && let Some(ticks) = cpus.property("timebase-frequency").and_then(|p| p.as_usize())
    {
        timer::set_ticks_per_second(ticks as u64);
    }
    if let Some(chosen) = tree.find_node("/chosen") {
        read_chosen(&mut boot, &chosen);
    }
    start::start(&boot)
}

/// The tree, and where it lies.
fn open(address: u64) -> (Fdt<'static>, Range<u64>) {
    // SAFETY: the firmware passes the address of its tree, in memory that the boot tables map;
    // the first eight bytes are magic and size.
    let head = unsafe { direct_map::bytes(&(address..address + 8)) };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let size = word(4) as u64;
    if word(0) != MAGIC || size > MAX_BYTES || address + size > BOOT_MAP_END {
        fatal::stop(format_args!("no device tree at {address:#x}"));
    }
    let range = address..address + size;
    // SAFETY: the tree's memory is reserved below, so that nothing writes it.
    match Fdt::new(unsafe { direct_map::bytes(&range) }) {
        Ok(tree) => (tree, range),
        Err(error) => fatal::stop(format_args!("the device tree at {address:#x}: {error}")),
    }
}

fn read_chosen(boot: &mut BootInfo, chosen: &FdtNode<'_, '_>) {
    read_bundle(boot, chosen);
    if let Some(line) = chosen.property("bootargs") {
        boot.set_command_line(line.value.strip_suffix(&[0]).unwrap_or(line.value));
    }
}

fn read_bundle(boot: &mut BootInfo, chosen: &FdtNode<'_, '_>) {
    let number = |name| chosen.property(name).and_then(|property| property.as_usize());
    if let (Some(start), Some(end)) = (number("linux,initrd-start"), number("linux,initrd-end")) {
        // An empty file is as good as none, and is told of as that.
        if start == end {
            return;
        }
        let bundle = start as u64..end as u64;
        let inside = |memory: &Range<u64>| memory.start <= bundle.start && bundle.end <= memory.end;
        if bundle.is_empty() || !boot.memory.iter().any(inside) {
            fatal::stop(format_args!(
                "the device tree's initrd is not in memory: give the machine more, or the bundle less"
            ));
        }
        boot.bundle = Some(bundle);
    }
}

/// The first range of a node's `reg`.
fn registers(node: &FdtNode<'_, '_>) -> Option<Range<u64>> {
    let mut first = None;
    for_each_range(node, |range| {
        first.get_or_insert(range);
    });
    first
}

fn for_each_range(node: &FdtNode<'_, '_>, mut each: impl FnMut(Range<u64>)) {
    for register in node.reg().into_iter().flatten() {
        let start = register.starting_address as u64;
        if let Some(range) = range(start, register.size.unwrap_or(0) as u64) {
            each(range);
        }
    }
}

fn add(ranges: &mut Ranges, range: Range<u64>) {
    if range.start < range.end && ranges.push(range).is_err() {
        fatal::stop(format_args!("the device tree has more than {} ranges", ranges.capacity()));
    }
}
