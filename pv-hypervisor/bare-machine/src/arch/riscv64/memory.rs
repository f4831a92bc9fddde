//! The image's own page tables: where things are mapped, and what entries look like.
//!
//! RISC-V Privileged Architecture, 12.3 and 12.4.
#![allow(unsafe_code, reason = "control registers and the translation cache")]

use super::csr::change;
use super::device::Device;
use super::power::FINISHER;
use super::serial::PORT;
use super::virtio::BLOCK;
use crate::arch::Decoded;
use crate::paging::Access;
use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::pte::riscv64::FRAME_MASK;

/// Virtual less machine address of the image.
pub const IMAGE_OFFSET: u64 = 0xffff_ffff_0000_0000;
/// Virtual address of machine address 0: the first of the image's half.
pub const DIRECT_MAP: u64 = 0xffff_ffc0_0000_0000;
/// `boot.s` maps this much of memory, and the direct map has room for no more.
pub const BOOT_MAP_END: u64 = 254 << 30;
/// Level of the root.
pub const ROOT_LEVEL: u32 = 3;
/// The devices, and the virtual address of the frame of each one's registers.
const DEVICES: [(&Device, u64); 3] = [
    (&PORT, 0xffff_ffff_c000_0000),
    (&FINISHER, 0xffff_ffff_c000_1000),
    (&BLOCK, 0xffff_ffff_c000_2000),
];

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const GLOBAL: u64 = 1 << 5;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
/// satp: Sv39.
const SV39: u64 = 8 << 60;

static OWN_ROOT: AtomicU64 = AtomicU64::new(0);

/// The entry that names a table.
pub fn table_entry(table: u64) -> u64 {
    table >> 2 | VALID
}

/// The entry of level 1 or 2 that maps memory.
pub fn leaf_entry(machine: u64, access: Access, _level: u32) -> u64 {
    let permissions = match access {
        Access::Execute => READ | EXECUTE,
        Access::Read => READ,
        Access::Write | Access::Device => READ | WRITE,
    };
    machine >> 2 | permissions | VALID | GLOBAL | ACCESSED | DIRTY
}

/// What an entry means.
pub fn decode_entry(entry: u64, _level: u32) -> Decoded {
    let machine = (entry & FRAME_MASK) << 2;
    if entry & VALID == 0 {
        return Decoded::Absent;
    }
    if entry & (READ | WRITE | EXECUTE) == 0 {
        return Decoded::Table(machine);
    }
    Decoded::Leaf {
        machine,
        writable: entry & WRITE != 0,
        executable: entry & EXECUTE != 0,
        user: entry & USER != 0,
        global: entry & GLOBAL != 0,
    }
}

/// Names the registers of devices that are to be mapped: virtual address and machine range.
pub fn for_each_device(mut map: impl FnMut(u64, Range<u64>)) {
    for (device, page) in DEVICES {
        if let Some(frame) = device.frame() {
            map(page, frame);
        }
    }
}

/// Goes over to the image's own tables.
///
/// # Safety
/// They map the image, the stack, the direct map and the devices as the image expects.
pub unsafe fn set_own_root(root: u64) {
    OWN_ROOT.store(root, Ordering::Relaxed);
    // SAFETY: as the caller promises; translations of the boot tables are flushed, global or not.
    unsafe {
        change!(write "satp", SV39 | root >> 12);
        asm!("sfence.vma", options(nostack));
    }
    DEVICES.iter().for_each(|(device, page)| device.move_to(*page));
}

/// Machine address of the root of the image's own tables.
pub fn own_root() -> u64 {
    OWN_ROOT.load(Ordering::Relaxed)
}

/// Translates through `root` from now on, and flushes every guest translation.
///
/// # Safety
/// The upper half of `root` is that of the image's own tables.
#[inline(always)]
pub unsafe fn load_root(root: u64) {
    // SAFETY: as the caller promises.
    unsafe { change!(write "satp", SV39 | root >> 12) };
    flush_all();
}

/// Flushes every guest translation of this processor; the image's own are global, and a
/// flush of one address-space identifier leaves those alone.
#[inline(always)]
pub fn flush_all() {
    // SAFETY: forgetting translations is always sound. The identifier is in a register: 0.
    unsafe { asm!("sfence.vma zero, {}", in(reg) 0u64, options(nostack)) };
}

/// Flushes the translation of one page.
pub fn flush_page(address: u64) {
    // SAFETY: forgetting a translation is always sound.
    unsafe { asm!("sfence.vma {}, {}", in(reg) address, in(reg) 0u64, options(nostack)) };
}
