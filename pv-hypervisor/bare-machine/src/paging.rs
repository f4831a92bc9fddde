//! The image's own page tables: building them, and checking them before they are used.
#![allow(unsafe_code, reason = "page tables are written through the direct map")]

use crate::arch::{self, Decoded};
use crate::direct_map;
use core::ops::Range;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Bytes that a leaf entry of level 2 maps.
const LARGE_PAGE: u64 = 2 << 20;
/// Entries of a table.
const ENTRIES: u64 = 512;
/// First slot of a root that is the image's.
const FIRST_SLOT: u64 = 256;

/// What a mapping of the image's permits. None is writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading and executing.
    Execute,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
    /// Reading and writing of device registers, not cached.
    Device,
}

/// Frames for tables, handed out once and never taken back.
pub struct TableFrames {
    free: Range<u64>,
}

impl TableFrames {
    /// Hands out the frames of this range of machine addresses.
    ///
    /// # Safety
    /// The range is whole frames of mapped memory that nothing else uses.
    pub unsafe fn new(free: Range<u64>) -> TableFrames {
        TableFrames { free }
    }

    fn take(&mut self) -> u64 {
        let frame = self.free.start;
        assert!(frame < self.free.end, "the memory set aside for page tables is used up");
        self.free.start += PAGE;
        // SAFETY: the frame is ours, as `new` was promised, and handed out only here.
        unsafe { direct_map::pointer(frame).write_bytes(0, PAGE as usize) };
        frame
    }
}

/// The image's address space, while it is built.
pub struct Tables {
    root: u64,
    frames: TableFrames,
}

impl Tables {
    /// An empty address space.
    pub fn new(mut frames: TableFrames) -> Tables {
        Tables { root: frames.take(), frames }
    }

    /// Machine address of the root.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Maps whole pages, in large ones where both addresses allow.
    pub fn map(&mut self, address: u64, machine: Range<u64>, access: Access) {
        assert!([address, machine.start, machine.end].iter().all(|at| at.is_multiple_of(PAGE)));
        let mut at = machine.start;
        while at < machine.end {
            let to = address + (at - machine.start);
            let large = (to | at).is_multiple_of(LARGE_PAGE) && machine.end - at >= LARGE_PAGE;
            self.map_one(to, at, access, if large { 2 } else { 1 });
            at += if large { LARGE_PAGE } else { PAGE };
        }
    }

    fn map_one(&mut self, address: u64, machine: u64, access: Access, leaf: u32) {
        let mut table = self.root;
        for level in (leaf + 1..=arch::ROOT_LEVEL).rev() {
            let slot = table + 8 * index(address, level);
            // SAFETY: a slot of one of our own tables.
            let entry = unsafe { direct_map::read(slot) };
            table = match arch::decode_entry(entry, level) {
                Decoded::Table(below) => below,
                Decoded::Absent => {
                    let below = self.frames.take();
                    // SAFETY: as above.
                    unsafe { direct_map::write(slot, arch::table_entry(below)) };
                    below
                }
                Decoded::Leaf { .. } => panic!("{address:#x} is mapped twice"),
            };
        }
        let slot = table + 8 * index(address, leaf);
        // SAFETY: a slot of one of our own tables.
        let before = unsafe { direct_map::read(slot) };
        assert!(
            matches!(arch::decode_entry(before, leaf), Decoded::Absent),
            "{address:#x} is mapped twice"
        );
        // SAFETY: as above.
        unsafe { direct_map::write(slot, arch::leaf_entry(machine, access, leaf)) };
    }
}

fn index(address: u64, level: u32) -> u64 {
    address >> (12 + 9 * (level - 1)) & (ENTRIES - 1)
}

/// What [`check`] found.
#[derive(Default)]
pub struct Checked {
    /// Pages of 4 KiB that instructions can be fetched from.
    pub executable: u64,
    /// Pages that can be written.
    pub writable: u64,
}

/// Walks the tables below `root` as the processor would, and refuses anything that the
/// hypervisor's address space must not have: a page that is writable and executable, one that
/// a guest could use, one that is not global, anything in the guest's half, and a way to write
/// a frame of `constant` (machine addresses of text and constants).
///
/// # Errors
/// The address and the rule that is broken.
pub fn check(root: u64, constant: &Range<u64>) -> Result<Checked, (u64, &'static str)> {
    let mut checked = Checked::default();
    check_table(root, arch::ROOT_LEVEL, 0, constant, &mut checked)?;
    Ok(checked)
}

fn check_table(
    table: u64,
    level: u32,
    base: u64,
    constant: &Range<u64>,
    checked: &mut Checked,
) -> Result<(), (u64, &'static str)> {
    for slot in 0..ENTRIES {
        // SAFETY: `table` is the root or was found in a table entry of our own tables.
        let entry = unsafe { direct_map::read(table + 8 * slot) };
        let span = PAGE << (9 * (level - 1));
        let mut address = base + slot * span;
        if level == arch::ROOT_LEVEL && slot >= FIRST_SLOT {
            address |= !0 << (12 + 9 * arch::ROOT_LEVEL);
        }
        match arch::decode_entry(entry, level) {
            Decoded::Absent => {}
            _ if level == arch::ROOT_LEVEL && slot < FIRST_SLOT => {
                return Err((address, "the lower half of the address space is not empty"));
            }
            Decoded::Table(below) => check_table(below, level - 1, address, constant, checked)?,
            Decoded::Leaf { machine, writable, executable, user, global } => {
                if writable && executable {
                    return Err((address, "the page is writable and executable"));
                }
                if user {
                    return Err((address, "user mode can use the page"));
                }
                if !global {
                    return Err((address, "the page is not global"));
                }
                if writable && machine < constant.end && constant.start < machine + span {
                    return Err((address, "the image's text or constants can be written"));
                }
                checked.executable += if executable { span / PAGE } else { 0 };
                checked.writable += if writable { span / PAGE } else { 0 };
            }
        }
    }
    Ok(())
}
