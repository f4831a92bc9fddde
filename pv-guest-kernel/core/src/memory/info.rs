//! Figures for `/proc/meminfo` and `sysinfo`: [`MemoryInfo`].

use super::{Kind, Memory};
use crate::Platform;

/// How memory is used, in pages of 4 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryInfo {
    /// Pages that have memory and are not the kernel's image or heap (`MemTotal`).
    pub total: u64,
    /// Free (`MemFree`).
    pub free: u64,
    /// What programs can still have without swapping (`MemAvailable`). Content of files is not
    /// in it: it has no other copy.
    pub available: u64,
    /// Content of files (`Cached`), and no part of it can be reclaimed (`Unevictable`): the
    /// file system lies in memory.
    pub cached: u64,
    /// Private memory of processes (`AnonPages`).
    pub anonymous: u64,
    /// Memory that processes share without a file (`Shmem`).
    pub shared: u64,
    /// Page tables of processes (`PageTables`).
    pub tables: u64,
    /// The kernel's own pages.
    pub kernel: u64,
    /// Pages that the balloon has.
    pub ballooned: u64,
    /// Of the kernel's heap, what address spaces take, in bytes; an estimate (`Slab`).
    pub slab_bytes: u64,
    /// Leaves of the kernel's own maps of address spaces, of
    /// [`Settings::leaves`](super::Settings::leaves).
    pub leaves: u64,
    /// Slots of the swap area (`SwapTotal`).
    pub swap_total: u64,
    /// Free ones (`SwapFree`).
    pub swap_free: u64,
    /// Slots whose content is in memory too (`SwapCached`).
    pub swap_cached: u64,
}

impl<P: Platform> Memory<P> {
    /// How memory is used now.
    pub fn info(&self) -> MemoryInfo {
        let frames = &self.frames;
        let free = frames.count(Kind::Free);
        MemoryInfo {
            total: frames.total(),
            free,
            available: free.saturating_sub(frames.watermarks().min),
            cached: frames.count(Kind::File),
            anonymous: frames.count(Kind::Anonymous),
            shared: frames.count(Kind::Shared),
            tables: frames.count(Kind::Table),
            kernel: frames.count(Kind::Kernel),
            ballooned: frames.count(Kind::Hole),
            slab_bytes: self.leaves.bytes() + frames.span() * 4,
            leaves: self.leaves.used() as u64,
            swap_total: self.swap.total(),
            swap_free: self.swap.free(),
            swap_cached: self.swap.cached(),
        }
    }
}
