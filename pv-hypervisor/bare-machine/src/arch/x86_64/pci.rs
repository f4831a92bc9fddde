//! The PCI bus, as far as it takes to find a block device: its configuration space, through the two ports
//! that every host bridge has, and its registers, which the image's own tables map.
//!
//! PCI Local Bus Specification 3.0, 3.2.2.3.2 and 6.2.5; virtio 1.2, 4.1.2.
#![allow(unsafe_code, reason = "a write of the configuration space may start a device")]

use super::instructions::{port_read_long, port_write_long};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;

/// Devices and functions of a bus.
const PLACES: u32 = 32 * 8;
/// First register of the base addresses, and how many there are.
const BASES: u8 = 0x10;
const BASE_COUNT: usize = 6;
/// The command register's bit by which a device answers accesses to its memory.
const COMMAND: u8 = 0x04;
const ANSWERS: u32 = 1 << 1;

/// Vendor of virtio devices; block devices, transitional and modern.
const VIRTIO: u32 = 0x1af4;
const BLOCK: [u32; 2] = [0x1001, 0x1042];

/// Virtual address of the registers, and room for those of one base address.
const WINDOW: u64 = 0xffff_ffff_c020_0000;
const ROOM: u64 = 256 << 10;

/// A place on bus 0 that is none.
const NOWHERE: u32 = u32::MAX;

/// Device and function of the block device on bus 0, as in the address port.
static FOUND: AtomicU32 = AtomicU32::new(NOWHERE);
/// Machine address and size of what each of its base addresses names; 0 and 0: nothing that is mapped.
static REGISTERS: [[AtomicU64; 2]; BASE_COUNT] =
    [const { [AtomicU64::new(0), AtomicU64::new(0)] }; BASE_COUNT];

fn select(bus: u8, place: u32, register: u8) {
    let address = 1 << 31 | u32::from(bus) << 16 | place << 8 | u32::from(register & !3);
    port_write_long(ADDRESS, address);
}

/// Reads a register of the configuration space: of a device and function, numbered together.
pub fn config_read(bus: u8, place: u32, register: u8) -> u32 {
    select(bus, place, register);
    port_read_long(DATA)
}

/// Writes a register of the configuration space.
///
/// # Safety
/// What the device does then is sound: it writes no memory that it was not given.
pub unsafe fn config_write(bus: u8, place: u32, register: u8, value: u32) {
    select(bus, place, register);
    port_write_long(DATA, value);
}

/// Looks for a block device on the first bus.
pub fn init() {
    let is_block = |place: &u32| {
        let name = config_read(0, *place, 0);
        name & 0xffff == VIRTIO && BLOCK.contains(&(name >> 16))
    };
    let Some(place) = (0..PLACES).find(is_block) else { return };
    FOUND.store(place, Ordering::Relaxed);
    let mut index = 0;
    while index < BASE_COUNT {
        let register = BASES + 4 * index as u8;
        let low = config_read(0, place, register);
        let (is_memory, is_wide) = (low & 1 == 0, low & 7 == 4);
        if is_memory && low != 0 {
            let high = if is_wide { config_read(0, place, register + 4) } else { 0 };
            let size = size_of(place, register);
            if (1..=ROOM).contains(&size) {
                let start = u64::from(high) << 32 | u64::from(low & !0xf);
                REGISTERS[index][0].store(start, Ordering::Relaxed);
                REGISTERS[index][1].store(size, Ordering::Relaxed);
            }
        }
        index += if is_wide && is_memory { 2 } else { 1 };
    }
}

/// Bytes that a base address names, below 4 GiB.
fn size_of(place: u32, register: u8) -> u64 {
    let (command, base) = (config_read(0, place, COMMAND), config_read(0, place, register));
    // SAFETY: the device answers nobody while its base address is none, and gets back what it had.
    let mask = unsafe {
        config_write(0, place, COMMAND, command & 0xffff & !ANSWERS);
        config_write(0, place, register, !0);
        let mask = config_read(0, place, register);
        config_write(0, place, register, base);
        config_write(0, place, COMMAND, command & 0xffff);
        mask
    };
    u64::from(!(mask & !0xf)) + 1
}

/// Device and function of the block device on bus 0, numbered together, if there is one.
pub fn block_device() -> Option<u32> {
    let place = FOUND.load(Ordering::Relaxed);
    (place != NOWHERE).then_some(place)
}

fn ranges() -> impl Iterator<Item = (u64, Range<u64>)> {
    REGISTERS.iter().enumerate().filter_map(|(index, register)| {
        let [start, size] = [0, 1].map(|word: usize| register[word].load(Ordering::Relaxed));
        (size != 0).then(|| (WINDOW + index as u64 * ROOM, start..start + size))
    })
}

/// Names the device's registers, for the image's own tables: virtual address and machine range.
pub(super) fn for_each_range(mut map: impl FnMut(u64, Range<u64>)) {
    for (address, range) in ranges() {
        let end = range.end.next_multiple_of(4096);
        map(address, range.start & !4095..end);
    }
}

/// Virtual address of so many bytes of the device's registers.
pub fn registers_at(machine: u64, bytes: u64) -> Option<u64> {
    let holds = |range: &Range<u64>| range.contains(&machine) && bytes <= range.end - machine;
    let (address, range) = ranges().find(|(_, range)| holds(range))?;
    Some(address + (machine - (range.start & !4095)))
}
