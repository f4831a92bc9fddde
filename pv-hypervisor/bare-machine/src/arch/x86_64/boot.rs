//! The PVH start information, checked and put into [`BootInfo`].
//!
//! Layout: Xen's `public/arch-x86/hvm/start_info.h`, version 1.
#![allow(unsafe_code, reason = "reads what the boot loader left in memory")]

use super::{BOOT_MAP_END, pci, serial};
use crate::{direct_map, hooks};
use core::ops::Range;
use pv_boot_info::{BootInfo, COMMAND_LINE_BYTES, range};

core::arch::global_asm!(include_str!("boot.s"), options(att_syntax));

/// First word of the structure.
const MAGIC: u32 = 0x336e_c578;
/// Bytes of the structure.
const INFO_BYTES: u64 = 56;
/// Bytes of one entry of the memory map.
const MAP_ENTRY_BYTES: u64 = 24;
/// Bytes of one entry of the list of modules.
const MODULE_BYTES: u64 = 32;
/// Type of a memory-map entry that is memory to use.
const RAM: u32 = 1;

/// A part of the loader's memory, copied out field by field.
struct Record(Range<u64>);

impl Record {
    /// The record of `size` bytes at `address`, which must lie in what the boot tables map.
    fn new(what: &str, address: u64, size: u64) -> Record {
        match range(address, size) {
            Some(range) if range.end <= BOOT_MAP_END => Record(range),
            _ => hooks::stop(format_args!("PVH start information: {what} is at {address:#x}")),
        }
    }

    fn byte(&self, offset: u64) -> u8 {
        assert!(offset < self.0.end - self.0.start);
        // SAFETY: below the end of the boot map, as `new` has checked; bytes have no alignment.
        unsafe { direct_map::pointer(self.0.start + offset).read_volatile() }
    }

    fn u32(&self, offset: u64) -> u32 {
        u32::from_le_bytes(core::array::from_fn(|index| self.byte(offset + index as u64)))
    }

    fn u64(&self, offset: u64) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|index| self.byte(offset + index as u64)))
    }
}

/// Called by `boot.s` once, in long mode, with the machine address of the start information.
#[unsafe(no_mangle)]
extern "C" fn boot_main(start_info: u64) -> ! {
    serial::init();
    pci::init();
    let info = Record::new("the structure", start_info, INFO_BYTES);
    if info.u32(0) != MAGIC {
        hooks::stop(format_args!("PVH start information: the magic number is {:#x}", info.u32(0)));
    }
    if info.u32(4) < 1 {
        hooks::stop(format_args!("PVH start information: version 0 has no memory map"));
    }
    let mut boot = BootInfo::new();
    read_memory_map(&mut boot, info.u64(40), info.u32(48));
    read_module(&mut boot, info.u64(16), info.u32(12));
    read_command_line(&mut boot, info.u64(24));
    hooks::start(&boot)
}

fn read_memory_map(boot: &mut BootInfo, address: u64, entries: u32) {
    for index in 0..entries as u64 {
        let at = address.saturating_add(index * MAP_ENTRY_BYTES);
        let entry = Record::new("the memory map", at, MAP_ENTRY_BYTES);
        let Some(range) = range(entry.u64(0), entry.u64(8)) else { continue };
        if entry.u32(16) == RAM && boot.memory.push(range).is_err() {
            hooks::stop(format_args!("the memory map has more than {} ranges", boot.memory.len()));
        }
    }
}

fn read_module(boot: &mut BootInfo, address: u64, modules: u32) {
    if modules == 0 {
        return;
    }
    let entry = Record::new("the list of modules", address, MODULE_BYTES);
    let (start, size) = (entry.u64(0), entry.u64(8));
    // An empty file is as good as none, and is told of as that.
    if size == 0 {
        return;
    }
    let Some(module) = range(start, size) else {
        hooks::stop(format_args!("PVH start information: the module wraps: boot it again"));
    };
    let inside = |memory: &Range<u64>| memory.start <= module.start && module.end <= memory.end;
    if !boot.memory.iter().any(inside) {
        hooks::stop(format_args!(
            "PVH start information: the module is not in memory: give the machine more"
        ));
    }
    boot.module = Some(module);
}

fn read_command_line(boot: &mut BootInfo, address: u64) {
    if address == 0 {
        return;
    }
    let mut bytes = heapless::Vec::<u8, COMMAND_LINE_BYTES>::new();
    for offset in 0..COMMAND_LINE_BYTES as u64 {
        let byte = Record::new("the command line", address.saturating_add(offset), 1).byte(0);
        if byte == 0 || bytes.push(byte).is_err() {
            break;
        }
    }
    boot.set_command_line(&bytes);
}
