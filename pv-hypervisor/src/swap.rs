//! The swap device: where pages go that were taken by force and do not compress. It is memory, or a
//! block device; the core sees no difference, and waits for either.

use crate::disk::Disk;
use crate::machine::{read_frame, write_frame};
use alloc::boxed::Box;
use alloc::vec::Vec;
use hypercall_abi::PAGE_SIZE;
use pv_core::{Direction, FRAME_WORDS, Transfer};

/// The swap device.
pub enum Swap {
    /// None.
    None,
    /// Memory, page by page, and the transfer that has just been made.
    Memory(Vec<[u64; FRAME_WORDS]>, Option<Transfer>),
    /// A block device.
    Disk(Box<Disk>),
}

impl Swap {
    /// Memory of so many bytes. `None` when the heap has no room for it.
    pub fn memory(bytes: u64) -> Option<Swap> {
        let count = (bytes / PAGE_SIZE) as usize;
        let mut pages = Vec::new();
        pages.try_reserve_exact(count).ok()?;
        pages.resize(count, [0; FRAME_WORDS]);
        Some(Swap::Memory(pages, None))
    }

    /// Pages that it holds.
    pub fn pages(&self) -> u64 {
        match self {
            Swap::None => 0,
            Swap::Memory(pages, _) => pages.len() as u64,
            Swap::Disk(disk) => disk.pages(),
        }
    }

    /// Begins a transfer; false when none can begin now.
    pub fn begin(&mut self, transfer: Transfer) -> bool {
        match self {
            Swap::None | Swap::Memory(_, Some(_)) => false,
            Swap::Memory(pages, made) => {
                let page = &mut pages[transfer.place as usize];
                match transfer.direction {
                    Direction::Out => read_frame(transfer.frame, page),
                    Direction::In => write_frame(transfer.frame, page),
                }
                *made = Some(transfer);
                true
            }
            Swap::Disk(disk) => disk.begin(transfer),
        }
    }

    /// A transfer that has ended, and whether it went well.
    pub fn ended(&mut self) -> Option<(Transfer, bool)> {
        match self {
            Swap::None => None,
            Swap::Memory(_, made) => made.take().map(|transfer| (transfer, true)),
            Swap::Disk(disk) => disk.ended(),
        }
    }
}
