//! A virtio block device as the swap device. The driver is the crate `virtio-drivers`; here is what it
//! needs of this machine, and which request is which transfer.
//!
//! The device is trusted as the machine is: it reaches all of memory. No interrupt is taken from it: the
//! hypervisor asks between slices, and whenever nothing runs.
#![allow(unsafe_code, reason = "the device reads and writes memory by machine address")]

use crate::arch;
use crate::machine::frame_bytes;
use alloc::alloc::{alloc_zeroed, dealloc};
use alloc::boxed::Box;
use bare_machine::direct_map;
use core::alloc::Layout;
use core::ptr::NonNull;
use hypercall_abi::PAGE_SIZE;
use pv_core::{Direction, Transfer};
use virtio_drivers::device::blk::{BlkReq, BlkResp, SECTOR_SIZE, VirtIOBlk};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE as DRIVER_PAGE, PhysAddr};

/// Sectors of a page.
const SECTORS: u64 = PAGE_SIZE / SECTOR_SIZE as u64;

/// Requests that are under way at most. Each takes three of the sixteen places of the queue.
const REQUESTS: usize = 5;

/// Why there is no disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoDisk {
    /// No block device was found.
    Missing,
    /// One was, and it is not what the driver knows.
    Unknown,
    /// It holds no page.
    Empty,
}

impl core::fmt::Display for NoDisk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            NoDisk::Missing => {
                "no virtio block device was found to swap to: give the machine one, as \
                 `cargo xtask run --swap-disk SIZE` does"
            }
            NoDisk::Unknown => {
                "the virtio block device is of a version that the driver does not know: give the \
                 machine another"
            }
            NoDisk::Empty => "the virtio block device holds no page: give the machine a larger one",
        })
    }
}

/// What the driver needs of this machine.
pub struct Dma;

fn layout(pages: usize) -> Option<Layout> {
    Layout::from_size_align(pages.checked_mul(DRIVER_PAGE)?, DRIVER_PAGE).ok()
}

/// Machine address of memory that lies in the direct map, as the heap does and every frame.
fn machine_address(pointer: *const u8) -> PhysAddr {
    pointer as u64 - direct_map::pointer(0) as u64
}

// SAFETY: memory for the device comes from the heap, zeroed and aligned to pages, and is the driver's until
// it gives it back; machine addresses are those of the direct map; registers are mapped for good.
unsafe impl Hal for Dma {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let found = layout(pages).filter(|layout| layout.size() > 0).and_then(|layout| {
            // SAFETY: the layout is not empty.
            NonNull::new(unsafe { alloc_zeroed(layout) })
        });
        match found {
            Some(pointer) => (machine_address(pointer.as_ptr()), pointer),
            // The driver takes address 0 for a refusal.
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_address: PhysAddr, pointer: NonNull<u8>, pages: usize) -> i32 {
        match layout(pages) {
            Some(layout) => {
                // SAFETY: as the driver promises, `dma_alloc` gave it out for so many pages.
                unsafe { dealloc(pointer.as_ptr(), layout) };
                0
            }
            None => -1,
        }
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, size: usize) -> NonNull<u8> {
        let found = arch::registers_at(address, size as u64);
        let pointer = found.and_then(|address| NonNull::new(address as *mut u8));
        pointer.unwrap_or_else(|| {
            crate::fatal::stop(format_args!(
                "the block device has registers at {address:#x} that are not mapped: give the machine \
                 another"
            ))
        })
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        machine_address(buffer.as_ptr().cast())
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

/// A request, whose parts stay where they are while the device has them.
#[derive(Default)]
struct Request {
    /// Its number, and what it is for, while it is under way.
    under_way: Option<(u16, Transfer)>,
    request: BlkReq,
    response: BlkResp,
}

/// The disk.
pub struct Disk {
    device: VirtIOBlk<Dma, arch::BlockTransport>,
    requests: Box<[Request; REQUESTS]>,
}

impl Disk {
    /// The machine's block device.
    ///
    /// # Errors
    /// [`NoDisk`].
    pub fn open() -> Result<Disk, NoDisk> {
        let device = VirtIOBlk::new(arch::block_transport()?).map_err(|_| NoDisk::Unknown)?;
        if device.capacity() < SECTORS {
            return Err(NoDisk::Empty);
        }
        Ok(Disk { device, requests: Box::default() })
    }

    /// Pages that it holds.
    pub fn pages(&self) -> u64 {
        self.device.capacity() / SECTORS
    }

    /// Begins a transfer; false when the device has as many as it takes.
    pub fn begin(&mut self, transfer: Transfer) -> bool {
        let is_vacant = |request: &&mut Request| request.under_way.is_none();
        let Some(slot) = self.requests.iter_mut().find(is_vacant) else { return false };
        let Request { request, response, .. } = slot;
        let sector = (transfer.place * SECTORS) as usize;
        // SAFETY: no guest runs now, so that nobody writes the frame while it is a slice; request and
        // response are in a box that is nobody's as long as the request is under way. Of a frame that
        // is written out the core takes nothing for true that has changed; one that is read into is
        // nobody's until then.
        let begun = unsafe {
            let bytes = &mut *frame_bytes(transfer.frame);
            match transfer.direction {
                Direction::Out => self.device.write_blocks_nb(sector, request, bytes, response),
                Direction::In => self.device.read_blocks_nb(sector, request, bytes, response),
            }
        };
        slot.under_way = begun.ok().map(|number| (number, transfer));
        begun.is_ok()
    }

    /// A transfer that has ended, and whether it went well.
    pub fn ended(&mut self) -> Option<(Transfer, bool)> {
        let number = self.device.peek_used()?;
        let is_it = |request: &&mut Request| {
            request.under_way.is_some_and(|(under_way, _)| under_way == number)
        };
        let slot = self.requests.iter_mut().find(is_it)?;
        let (_, transfer) = slot.under_way.take()?;
        let Request { request, response, .. } = slot;
        // SAFETY: the parts are those that the request was begun with, and no guest runs now.
        let done = unsafe {
            let bytes = &mut *frame_bytes(transfer.frame);
            match transfer.direction {
                Direction::Out => {
                    self.device.complete_write_blocks(number, request, bytes, response)
                }
                Direction::In => self.device.complete_read_blocks(number, request, bytes, response),
            }
        };
        Some((transfer, done.is_ok()))
    }
}
