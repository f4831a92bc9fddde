//! A split virtqueue from the device's side: what is available, what was used, chains of descriptors.
//!
//! All three parts lie in the guest's memory. The device keeps its own two indices and believes no other.

use super::{Fault, GuestAddress, GuestMemory};
use core::sync::atomic::{Ordering, fence};
use hypercall_abi::{PAGE_SIZE, Pfn};

/// Places of a queue at most.
pub const MAX_QUEUE_SIZE: u16 = 128;

const DESCRIPTOR_BYTES: u64 = 16;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// The driver's flag that it wants no interrupt.
const NO_INTERRUPT: u16 = 1;

/// Where a driver has put a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueSetup {
    /// Places: a power of 2, at most [`MAX_QUEUE_SIZE`].
    pub size: u16,
    /// The table of descriptors.
    pub descriptors: GuestAddress,
    /// The available ring.
    pub driver_area: GuestAddress,
    /// The used ring.
    pub device_area: GuestAddress,
}

impl QueueSetup {
    /// Whether size and alignment are as they have to be. Where the parts lie is seen when they are used.
    pub(super) fn is_well_formed(&self) -> bool {
        self.size.is_power_of_two()
            && self.size <= MAX_QUEUE_SIZE
            && self.descriptors.0.is_multiple_of(16)
            && self.driver_area.0.is_multiple_of(2)
            && self.device_area.0.is_multiple_of(4)
    }
}

/// A queue in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    setup: QueueSetup,
    next_available: u16,
    next_used: u16,
}

/// A descriptor, copied.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    address: GuestAddress,
    length: u32,
    flags: u16,
    next: u16,
}

/// A number of 16 bits of a ring.
fn number<M: GuestMemory>(memory: &M, ring: GuestAddress, offset: u64) -> Result<u16, Fault> {
    let mut bytes = [0; 2];
    memory.read(ring.plus(offset)?, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

impl Queue {
    pub(super) const fn new(setup: QueueSetup) -> Queue {
        Queue { setup, next_available: 0, next_used: 0 }
    }

    /// The next chain that the driver has made available.
    pub(super) fn pop<M: GuestMemory>(&mut self, memory: &M) -> Result<Option<Chain>, Fault> {
        let QueueSetup { size, driver_area, .. } = self.setup;
        let index = number(memory, driver_area, 2)?;
        let ahead = index.wrapping_sub(self.next_available);
        if ahead == 0 {
            return Ok(None);
        }
        if ahead > size {
            return Err(Fault::IndexRunsAway { ahead });
        }
        // What the driver wrote before the index is read after it.
        fence(Ordering::Acquire);
        let place = u64::from(self.next_available % size);
        let head = number(memory, driver_area, 4 + 2 * place)?;
        let at = self.descriptor(memory, head)?;
        self.next_available = self.next_available.wrapping_add(1);
        Ok(Some(Chain { head, at, offset: 0, seen: 1 }))
    }

    /// Gives a chain back to the driver; whether it wants an interrupt.
    pub(super) fn put_used<M: GuestMemory>(
        &mut self,
        memory: &mut M,
        head: u16,
    ) -> Result<bool, Fault> {
        let QueueSetup { size, driver_area, device_area, .. } = self.setup;
        let place = u64::from(self.next_used % size);
        let mut element = [0; 8];
        // The other half is the number of bytes written into the buffers: none.
        element[..4].copy_from_slice(&u32::from(head).to_le_bytes());
        memory.write(device_area.plus(4 + 8 * place)?, &element)?;
        self.next_used = self.next_used.wrapping_add(1);
        // The element is there before the index says so.
        fence(Ordering::Release);
        memory.write(device_area.plus(2)?, &self.next_used.to_le_bytes())?;
        Ok(number(memory, driver_area, 0)? & NO_INTERRUPT == 0)
    }

    fn descriptor<M: GuestMemory>(&self, memory: &M, index: u16) -> Result<Descriptor, Fault> {
        if index >= self.setup.size {
            return Err(Fault::NoSuchDescriptor { index });
        }
        let mut bytes = [0; DESCRIPTOR_BYTES as usize];
        let place = self.setup.descriptors.plus(DESCRIPTOR_BYTES * u64::from(index))?;
        memory.read(place, &mut bytes)?;
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let descriptor = Descriptor {
            address: GuestAddress(u64::from_le_bytes(core::array::from_fn(|at| bytes[at]))),
            length: u32::from_le_bytes(core::array::from_fn(|at| bytes[8 + at])),
            flags: half(12),
            next: half(14),
        };
        if descriptor.flags & INDIRECT != 0 {
            return Err(Fault::Indirect);
        }
        Ok(descriptor)
    }
}

/// A chain that the device goes along: one descriptor, and how far it is in that. It may be left and taken
/// up again; what the driver changes meanwhile, behind it, changes nothing, and before it is checked when it
/// is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    head: u16,
    at: Descriptor,
    offset: u32,
    /// Descriptors so far.
    seen: u16,
}

impl Chain {
    /// What the driver knows it by.
    pub(super) const fn head(&self) -> u16 {
        self.head
    }

    /// Whether nothing is left of it.
    pub(super) const fn is_over(&self) -> bool {
        self.offset == self.at.length && self.at.flags & NEXT == 0
    }

    /// Goes on to the next descriptor that is not used up; `false` at the end.
    fn reach<M: GuestMemory>(&mut self, queue: &Queue, memory: &M) -> Result<bool, Fault> {
        while self.offset == self.at.length {
            if self.at.flags & NEXT == 0 {
                return Ok(false);
            }
            // No chain is longer than the table; one that comes back to itself would never end.
            if self.seen == queue.setup.size {
                return Err(Fault::EndlessChain);
            }
            self.at = queue.descriptor(memory, self.at.next)?;
            self.offset = 0;
            self.seen += 1;
        }
        Ok(true)
    }

    /// Reads on, across descriptors: how many bytes there were.
    pub(super) fn read<M: GuestMemory>(
        &mut self,
        queue: &Queue,
        memory: &M,
        to: &mut [u8],
    ) -> Result<usize, Fault> {
        let mut done = 0;
        while done < to.len() && self.reach(queue, memory)? {
            if self.at.flags & WRITE != 0 {
                return Err(Fault::NotReadable);
            }
            let left = (self.at.length - self.offset) as usize;
            let part = left.min(to.len() - done);
            let from = self.at.address.plus(u64::from(self.offset))?;
            memory.read(from, &mut to[done..done + part])?;
            self.offset += part as u32;
            done += part;
        }
        Ok(done)
    }

    /// The pages that the buffers themselves are, from the next on, which are not read: the first, and how
    /// many follow it in this descriptor. `None` at the end.
    pub(super) fn pages<M: GuestMemory>(
        &mut self,
        queue: &Queue,
        memory: &M,
        most: u64,
    ) -> Result<Option<(Pfn, u64)>, Fault> {
        if !self.reach(queue, memory)? {
            return Ok(None);
        }
        if self.at.flags & WRITE == 0 {
            return Err(Fault::NotWritable);
        }
        let whole = self.at.address.0.is_multiple_of(PAGE_SIZE)
            && u64::from(self.at.length).is_multiple_of(PAGE_SIZE);
        if !whole {
            return Err(Fault::PartialPage);
        }
        let first = self.at.address.plus(u64::from(self.offset))?.0 / PAGE_SIZE;
        let count = (u64::from(self.at.length - self.offset) / PAGE_SIZE).min(most);
        self.offset += (count * PAGE_SIZE) as u32;
        Ok(Some((Pfn(first), count)))
    }
}
