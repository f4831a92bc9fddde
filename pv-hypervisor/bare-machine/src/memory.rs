//! Who uses which memory: what the boot loader gave, less what is in use, divided into the image's
//! own and what is free.
#![allow(unsafe_code, reason = "raw memory is given its first owner here")]

use crate::arch;
use crate::direct_map;
use crate::hooks;
use crate::image::{Image, image};
use crate::paging::{self, Access, Checked, TableFrames, Tables};
use core::ops::Range;
use pv_boot_info::{BootInfo, Ranges};

/// Bytes of a frame.
const FRAME: u64 = 4096;
/// Memory below this address is left alone: firmware tables, and room to start processors.
const LOW_MEMORY: u64 = 1 << 20;

/// The division of memory, once it is decided.
pub struct Layout {
    /// Memory that nothing uses.
    pub free: Ranges,
    /// Memory that something else uses: firmware, the boot module.
    pub reserved: Ranges,
    /// Memory that the image uses: itself, heap, page tables.
    pub own: Ranges,
    /// The heap's part of that.
    pub heap: Range<u64>,
    /// What the check of the image's own page tables found.
    pub checked: Checked,
}

/// Decides who uses which memory, builds and checks the image's own page tables, and goes over to
/// them. `heap_bytes` says how large a heap is to be, for a number of frames of memory.
pub fn init(boot: &BootInfo, heap_bytes: impl FnOnce(u64) -> u64) -> Layout {
    let image = image();
    let machine_image = image.text.start - arch::IMAGE_OFFSET..image.data.end - arch::IMAGE_OFFSET;
    let memory = whole_frames(&boot.memory);
    if memory.is_empty() {
        hooks::stop(format_args!("the boot loader names no memory"));
    }

    let mut taken = boot.reserved.clone();
    add(&mut taken, 0..LOW_MEMORY);
    add(&mut taken, machine_image.clone());
    if let Some(module) = &boot.module {
        add(&mut taken, module.clone());
    }

    let frames: u64 = memory.iter().map(|range| (range.end - range.start) / FRAME).sum();
    let heap_bytes = round_up(heap_bytes(frames), FRAME);
    // One level-1 table for every 512 frames would be the very worst; large pages need one
    // table a gibibyte, and the edges of ranges a few more.
    let table_bytes = FRAME * (frames / (1 << 18) + 8 * memory.len() as u64 + 32);
    let own = choose(&memory, &taken, heap_bytes + table_bytes);
    let heap_range = own.start..own.start + heap_bytes;
    let table_range = heap_range.end..own.end;

    // SAFETY: `choose` found the range in memory that is not taken, below what the boot tables
    // map, and it is handed out once.
    let tables = unsafe { TableFrames::new(table_range) };
    let mut tables = Tables::new(tables);
    map_everything(&mut tables, &image, &memory);
    let constant = image.text.start - arch::IMAGE_OFFSET..image.rodata.end - arch::IMAGE_OFFSET;
    let checked = paging::check(tables.root(), &constant).unwrap_or_else(|(address, rule)| {
        hooks::stop(format_args!("own page tables, address {address:#x}: {rule}"))
    });
    // SAFETY: the tables map the image where it runs, the stack, and the direct map.
    unsafe { arch::set_own_root(tables.root()) };

    let mut free = Ranges::new();
    add(&mut taken, own.clone());
    for range in &memory {
        for_each_free(range, &taken, |piece| add(&mut free, piece));
    }
    let mut ours = Ranges::new();
    add(&mut ours, machine_image);
    add(&mut ours, own);
    let mut others = Ranges::new();
    let mut used = ours.clone();
    free.iter().for_each(|range| add(&mut used, range.clone()));
    for range in &memory {
        for_each_free(range, &used, |piece| add(&mut others, piece));
    }
    Layout { free, reserved: others, own: ours, heap: heap_range, checked }
}

fn map_everything(tables: &mut Tables, image: &Image, memory: &Ranges) {
    let machine =
        |range: &Range<u64>| range.start - arch::IMAGE_OFFSET..range.end - arch::IMAGE_OFFSET;
    let below_guard = image.data.start..image.guard.start;
    let above_guard = image.guard.end..image.data.end;
    for (range, access) in [
        (&image.text, Access::Execute),
        (&image.rodata, Access::Read),
        (&below_guard, Access::Write),
        (&above_guard, Access::Write),
    ] {
        tables.map(range.start, machine(range), access);
    }
    let constant = machine(&(image.text.start..image.rodata.end));
    for range in memory {
        for (piece, access) in [
            (range.start..range.end.min(constant.start), Access::Write),
            (range.start.max(constant.start)..range.end.min(constant.end), Access::Read),
            (range.start.max(constant.end)..range.end, Access::Write),
        ] {
            if piece.start < piece.end {
                tables.map(direct_map::pointer(piece.start) as u64, piece, access);
            }
        }
    }
    arch::for_each_device(|address, range| tables.map(address, range, Access::Device));
}

/// A range of `bytes` bytes that nothing has taken, in memory that the boot tables map.
fn choose(memory: &Ranges, taken: &Ranges, bytes: u64) -> Range<u64> {
    let mut found = None;
    for range in memory {
        for_each_free(range, taken, |piece| {
            let end = piece.end.min(arch::BOOT_MAP_END);
            if found.is_none() && piece.start < end && end - piece.start >= bytes {
                found = Some(piece.start..piece.start + bytes);
            }
        });
    }
    found.unwrap_or_else(|| {
        hooks::stop(format_args!(
            "no {} KiB of memory in one piece for heap and page tables: give the machine more",
            bytes / 1024
        ))
    })
}

/// Calls `each` with every part of `range` that none of `taken` touches, in whole frames.
fn for_each_free(range: &Range<u64>, taken: &Ranges, mut each: impl FnMut(Range<u64>)) {
    let mut at = range.start;
    while at < range.end {
        let next = taken
            .iter()
            .map(|other| other.start & !(FRAME - 1)..round_up(other.end, FRAME))
            .filter(|other| other.start < range.end && other.end > at)
            .min_by_key(|other| other.start);
        let Some(next) = next else {
            each(at..range.end);
            return;
        };
        if next.start > at {
            each(at..next.start);
        }
        at = next.end;
    }
}

/// The whole frames of each range; ranges that overlap are refused.
fn whole_frames(ranges: &Ranges) -> Ranges {
    let mut whole = Ranges::new();
    for range in ranges {
        let inner = round_up(range.start, FRAME)..range.end & !(FRAME - 1);
        if inner.start >= inner.end {
            continue;
        }
        if whole.iter().any(|other| other.start < inner.end && inner.start < other.end) {
            hooks::stop(format_args!("the boot loader names memory at {:#x} twice", inner.start));
        }
        add(&mut whole, inner);
    }
    whole
}

fn add(ranges: &mut Ranges, range: Range<u64>) {
    if ranges.push(range).is_err() {
        hooks::stop(format_args!("memory is in more than {} pieces", ranges.capacity()));
    }
}

fn round_up(value: u64, unit: u64) -> u64 {
    value.saturating_add(unit - 1) & !(unit - 1)
}
