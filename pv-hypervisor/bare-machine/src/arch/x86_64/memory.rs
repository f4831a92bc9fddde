//! The image's own page tables: where things are mapped, and what entries look like.
//!
//! Intel SDM volume 3, 4.5.
#![allow(unsafe_code, reason = "control registers and the translation cache")]

use crate::arch::Decoded;
use crate::paging::Access;
use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::pte::x86_64::FRAME_MASK;

/// Virtual less machine address of the image.
pub const IMAGE_OFFSET: u64 = 0xffff_ffff_8000_0000;
/// Virtual address of machine address 0: the first of the image's half.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// `boot.s` maps this much of memory.
pub const BOOT_MAP_END: u64 = 4 << 30;
/// Level of the root.
pub const ROOT_LEVEL: u32 = 4;

/// Virtual address of the local interrupt controller's registers.
pub const LOCAL_APIC: u64 = 0xffff_ffff_c000_0000;
/// Their machine address, where every processor has them after reset.
pub const LOCAL_APIC_MACHINE: u64 = 0xfee0_0000;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;

static OWN_ROOT: AtomicU64 = AtomicU64::new(0);

/// The entry that names a table.
pub fn table_entry(table: u64) -> u64 {
    table | PRESENT | WRITABLE | ACCESSED
}

/// The entry of level 1 or 2 that maps memory.
pub fn leaf_entry(machine: u64, access: Access, level: u32) -> u64 {
    let permissions = match access {
        Access::Execute => 0,
        Access::Read => NO_EXECUTE,
        Access::Write => NO_EXECUTE | WRITABLE | DIRTY,
        Access::Device => NO_EXECUTE | WRITABLE | DIRTY | CACHE_DISABLE | WRITE_THROUGH,
    };
    let large = if level > 1 { LARGE } else { 0 };
    machine | permissions | large | PRESENT | ACCESSED | GLOBAL
}

/// What an entry means. Permissions are those of the leaf: our tables take none away.
pub fn decode_entry(entry: u64, level: u32) -> Decoded {
    if entry & PRESENT == 0 {
        return Decoded::Absent;
    }
    if level > 1 && entry & LARGE == 0 {
        return Decoded::Table(entry & FRAME_MASK);
    }
    Decoded::Leaf {
        machine: entry & FRAME_MASK,
        writable: entry & WRITABLE != 0,
        executable: entry & NO_EXECUTE == 0,
        user: entry & USER != 0,
        global: entry & GLOBAL != 0,
    }
}

/// Names the registers of devices that are to be mapped: virtual address and machine range.
pub fn for_each_device(mut map: impl FnMut(u64, Range<u64>)) {
    map(LOCAL_APIC, LOCAL_APIC_MACHINE..LOCAL_APIC_MACHINE + 4096);
    super::pci::for_each_range(map);
}

/// Goes over to the image's own tables.
///
/// # Safety
/// They map the image, the stack and the direct map as the image expects.
pub unsafe fn set_own_root(root: u64) {
    OWN_ROOT.store(root, Ordering::Relaxed);
    // SAFETY: as the caller promises. Toggling CR4.PGE drops global translations of the boot
    // tables, of which there are none, and turns global pages on.
    unsafe {
        load_root(root);
        let mut control: u64;
        asm!("mov {}, cr4", out(reg) control, options(nomem, nostack));
        control |= super::processor::CR4_GLOBAL;
        asm!("mov cr4, {}", in(reg) control, options(nostack));
    }
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
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack)) };
}

/// Flushes every guest translation of this processor; the image's own are global.
pub fn flush_all() {
    // SAFETY: loading CR3 with its own value changes nothing else.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack)) };
}

/// Flushes the translation of one page.
pub fn flush_page(address: u64) {
    // SAFETY: forgetting a translation is always sound.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack)) };
}
