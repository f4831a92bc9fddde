//! How a kernel is set up: [`Settings`], from the memory that there is.
//!
//! # What processes can make the heap hold
//!
//! Whatever is on the kernel's heap for processes is counted against a limit, so that one who
//! takes all of it gets an error: nothing that processes do is an allocation that fails. The heap
//! is [`heap_pages`] of the memory, on every platform. A quarter of it is kept for what lasts no
//! longer than a call, and for gaps; what the pages themselves take comes off; the rest is divided
//! among the limits by `Shares`, each by the most that one of its things takes, `Costs`.

use crate::{
    Machine, PAGE, fs,
    memory::{self, Layout},
};

/// How a kernel is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How it treats memory.
    pub memory: memory::Settings,
    /// What its files may use.
    pub files: fs::Limits,
    /// Processes at most, those included that were not waited for. More is `EAGAIN`.
    pub processes: usize,
    /// Things that processes wait for by `poll` and its kin at most. More is `ENOMEM`.
    pub waits: usize,
    /// Bytes of the arguments and the environment of a program at most. More is `E2BIG`.
    pub arguments: usize,
    /// Nanoseconds of a time slice.
    pub slice: u64,
    /// Where things lie in the memory of a process.
    pub layout: Layout,
    /// Nanoseconds since 1970 when the machine started; 0 if it does not know.
    pub wall_clock: u64,
}

/// Pages of the kernel's heap, of a machine or a guest that has so many: a sixteenth, and 4 MiB
/// more as far as that is no more than an eighth; at least 1 MiB.
pub const fn heap_pages(pages: u64) -> u64 {
    let more = if pages / 8 < 1024 { pages / 8 } else { 1024 };
    let wanted = pages / 16 + more;
    if wanted > 256 { wanted } else { 256 }
}

/// Bytes of the heap that the kernel needs for each page that it may have beyond those that it starts
/// with.
pub const GROWTH_BYTES: u64 = Costs::PAGE;

/// Bytes of the heap that one thing takes at most, with what holds it: a map's nodes are half full
/// at worst, and a list has room for twice what is in it.
struct Costs;

impl Costs {
    /// A leaf of the kernel's own map of an address space.
    const LEAF: u64 = 2300;
    /// A process: with its signals' actions and queue, its descriptors, its groups.
    const PROCESS: u64 = 10 << 10;
    /// An area, with the shared object that only it maps.
    const AREA: u64 = 224;
    /// A page table, with what the platform knows of it.
    const TABLE: u64 = 208;
    /// An inode: at worst a directory with one entry.
    const INODE: u64 = 640;
    /// A page of a file.
    const FILE_PAGE: u64 = 40;
    /// An open file description, with half a pipe.
    const OPEN_FILE: u64 = 400;
    /// Something that is waited for.
    const WAIT: u64 = 80;
    /// A page of the machine: its record, its place in the swap area, and in the list of pages of
    /// a file that is cut off.
    const PAGE: u64 = 40;
    /// What there is once: the terminal, the lists of changes, spare leaves.
    const FIXED: u64 = 160 << 10;
}

/// Hundredths of the heap, as far as it is for limits.
struct Shares;

impl Shares {
    const LEAVES: u64 = 25;
    const PROCESSES: u64 = 17;
    const AREAS: u64 = 9;
    const TABLES: u64 = 4;
    const INODES: u64 = 20;
    const NAMES: u64 = 8;
    const FILE_PAGES: u64 = 10;
    const OPEN_FILES: u64 = 3;
    const SNAPSHOTS: u64 = 2;
    const WAITS: u64 = 2;
}

const _: () = {
    let maps = Shares::LEAVES + Shares::AREAS + Shares::TABLES;
    let files = Shares::INODES + Shares::NAMES + Shares::FILE_PAGES + Shares::OPEN_FILES;
    assert!(maps + files + Shares::PROCESSES + Shares::SNAPSHOTS + Shares::WAITS == 100);
};

/// The share of a heap for a limit, in things of that cost, no more than `most`.
const fn limit(bytes: u64, share: u64, cost: u64, most: u64) -> u64 {
    let count = bytes / 100 * share / cost;
    if count < most { count } else { most }
}

impl Settings {
    /// For a machine, or a guest, of that many pages, whose kernel has that large a heap.
    pub const fn for_memory(machine: Machine, pages: u64, heap_bytes: u64) -> Settings {
        let kept = heap_bytes / 4 + Costs::FIXED + pages * Costs::PAGE;
        let bytes = heap_bytes.saturating_sub(kept);
        // The lower half of the addresses, but for the last page: x86-64 with four levels of
        // tables, riscv64 with three.
        let end = match machine {
            Machine::X86_64 => 1 << 47,
            Machine::Riscv64 => 1 << 38,
        } - PAGE as u64;
        let arguments = heap_bytes / 64;
        Settings {
            memory: memory::Settings {
                leaves: limit(bytes, Shares::LEAVES, Costs::LEAF, 1 << 20) as usize,
                areas: limit(bytes, Shares::AREAS, Costs::AREA, 1 << 20) as usize,
                tables: limit(bytes, Shares::TABLES, Costs::TABLE, pages / 4),
                around: 16,
                ahead: 8,
            },
            files: fs::Limits {
                file_pages: limit(bytes, Shares::FILE_PAGES, Costs::FILE_PAGE, pages / 2),
                name_bytes: limit(bytes, Shares::NAMES, 1, 16 << 20),
                inodes: limit(bytes, Shares::INODES, Costs::INODE, 1 << 16) as u32,
                open_files: limit(bytes, Shares::OPEN_FILES, Costs::OPEN_FILE, 4096) as u32,
                pipe_pages: limit(pages, 100, 32, 512) as u32,
                snapshot_bytes: limit(bytes, Shares::SNAPSHOTS, 1, 1 << 20) as usize,
            },
            processes: limit(bytes, Shares::PROCESSES, Costs::PROCESS, 512) as usize,
            waits: limit(bytes, Shares::WAITS, Costs::WAIT, 1 << 16) as usize,
            arguments: if arguments < 128 << 10 { arguments as usize } else { 128 << 10 },
            slice: 10_000_000,
            layout: Layout { lowest: 0x10000, mmap_top: end - (96 << 20), end },
            wall_clock: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u64; 6] = [8, 16, 32, 64, 256, 4096];

    fn of(mib: u64) -> Settings {
        let pages = mib * 256;
        Settings::for_memory(Machine::X86_64, pages, heap_pages(pages) * PAGE as u64)
    }

    #[test]
    fn a_heap_is_no_more_than_a_quarter_and_grows_with_memory() {
        for mib in SIZES {
            let pages = mib * 256;
            assert!(heap_pages(pages) <= pages / 5 || mib < 8, "{mib} MiB");
        }
        assert!(SIZES.windows(2).all(|pair| heap_pages(pair[0]) <= heap_pages(pair[1])));
    }

    #[test]
    fn limits_grow_with_memory_and_16_mib_are_enough_for_a_shell() {
        for pair in SIZES.windows(2) {
            let (small, large) = (of(pair[0]), of(pair[1]));
            assert!(small.processes <= large.processes && small.waits <= large.waits);
            assert!(small.memory.leaves < large.memory.leaves);
            assert!(small.files.inodes < large.files.inodes || large.files.inodes == 1 << 16);
        }
        let small = of(16);
        assert!(small.processes >= 32 && small.files.inodes >= 600, "{small:?}");
        assert!(small.files.name_bytes >= 150 << 10 && small.memory.leaves >= 200, "{small:?}");
        assert!(small.arguments >= 32 << 10, "{small:?}");
    }

    #[test]
    fn what_is_not_there_is_not_promised() {
        let none = Settings::for_memory(Machine::Riscv64, 1024, 64 << 10);
        assert_eq!((none.processes, none.files.inodes, none.memory.leaves), (0, 0, 0));
    }
}
