//! A driver of virtio-balloon by the specification, with what Linux's makes of it: arrays of 256 page numbers,
//! a kick for each, and it waits for the answer.

use super::Memory;
use crate::Size;
use balloon::policy::Pages;
use balloon::virtio::{Device, Features, GuestAddress, GuestMemory, QueueSetup, Status, queues};
use hypercall_abi::PAGE_SIZE;

/// Numbers in an array: VIRTIO_BALLOON_ARRAY_PFNS_MAX.
const ARRAY: usize = 256;

/// Places of a queue.
const PLACES: u16 = 8;

/// A queue of the driver's: the device has one buffer of it at a time.
#[derive(Clone, Copy, Debug)]
struct Ring {
    number: u16,
    /// The first of its pages: its parts, and its buffer, are one each.
    first: u64,
    /// Buffers that were made available so far.
    offered: u16,
}

/// The driver.
#[derive(Debug)]
pub struct Driver {
    size: Size,
    rings: [Ring; 3],
    /// Pages that the guest can do without, and those in the balloon.
    free: Vec<u32>,
    balloon: Vec<u32>,
    /// The queue and the pages of an array that the device has.
    sent: Option<(usize, Vec<u32>)>,
}

impl Ring {
    /// Where a part is.
    fn page(self, part: u64) -> u64 {
        (self.first + part) * PAGE_SIZE
    }

    fn setup(self) -> QueueSetup {
        let [descriptors, driver_area, device_area] =
            [0, 1, 2].map(|part| GuestAddress(self.page(part)));
        QueueSetup { size: PLACES, descriptors, driver_area, device_area }
    }

    /// Makes a buffer available that the device reads, and kicks.
    fn offer(&mut self, device: &mut Device<Vec<u64>>, memory: &mut Memory<'_>, bytes: &[u8]) {
        let mut store = |address, bytes: &[u8]| {
            memory.store(address, bytes).expect("the driver's pages are there");
        };
        store(self.page(3), bytes);
        let mut descriptor = [0; 16];
        descriptor[..8].copy_from_slice(&self.page(3).to_le_bytes());
        descriptor[8..12].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        store(self.page(0), &descriptor);
        let place = u64::from(self.offered % PLACES);
        store(self.page(1) + 4 + 2 * place, &0u16.to_le_bytes());
        self.offered = self.offered.wrapping_add(1);
        store(self.page(1) + 2, &self.offered.to_le_bytes());
        device.notify(self.number);
    }

    /// Whether the device has given all back.
    fn is_done(self, memory: &Memory<'_>) -> bool {
        let mut index = [0; 2];
        let there = memory.read(GuestAddress(self.page(2) + 2), &mut index);
        there.is_ok() && u16::from_le_bytes(index) == self.offered
    }
}

impl Driver {
    /// Brings the device up.
    pub fn start(device: &mut Device<Vec<u64>>, memory: &mut Memory<'_>, size: Size) -> Driver {
        let rings = [queues::INFLATE, queues::DEFLATE, queues::STATISTICS].map(|number| Ring {
            number,
            first: memory.nested.first + u64::from(number) * 4,
            offered: 0,
        });
        let mut status = Status::ACKNOWLEDGE | Status::DRIVER;
        device.set_status(status.bits());
        let wanted = Features::all() - Features::PAGE_POISON - Features::PAGE_REPORTING;
        device.set_driver_features(device.device_features() & wanted.bits());
        status |= Status::FEATURES_OK;
        device.set_status(status.bits());
        for ring in rings {
            for part in 0..4 {
                memory.store(ring.page(part), &[0; PAGE_SIZE as usize]).expect("a page");
            }
            device.set_queue(ring.number, ring.setup()).expect("a queue that there is");
        }
        device.set_status((status | Status::DRIVER_OK).bits());
        let free = (size.first_spare() as u32..size.guest() as u32).rev().collect();
        Driver { size, rings, free, balloon: Vec::new(), sent: None }
    }

    /// Sends one array towards what the device wants; `false`, if there is nothing to send.
    pub fn follow(&mut self, device: &mut Device<Vec<u64>>, memory: &mut Memory<'_>) -> bool {
        let mut wanted = [0; 4];
        device.read_config(0, &mut wanted);
        let wanted = u32::from_le_bytes(wanted) as usize;
        let has = self.balloon.len();
        let (queue, from) = match wanted > has {
            true => (0, &mut self.free),
            false => (1, &mut self.balloon),
        };
        let count = wanted.abs_diff(has);
        let count = count.min(ARRAY).min(from.len());
        if count == 0 {
            return false;
        }
        let pages = from.split_off(from.len() - count);
        let bytes: Vec<u8> = pages.iter().flat_map(|page| page.to_le_bytes()).collect();
        self.rings[queue].offer(device, memory, &bytes);
        self.sent = Some((queue, pages));
        true
    }

    /// Takes an array back, if the device is done with it.
    pub fn finish(&mut self, memory: &Memory<'_>) -> bool {
        let Some((queue, pages)) = self.sent.take() else { return false };
        let done = self.rings[queue].is_done(memory);
        match queue {
            _ if !done => self.sent = Some((queue, pages)),
            0 => self.balloon.extend(pages),
            _ => self.free.extend(pages),
        }
        done
    }

    /// Says how much the guest needs: what is not available of all that it has.
    pub fn tell(&mut self, device: &mut Device<Vec<u64>>, memory: &mut Memory<'_>, needed: Pages) {
        // A driver that deflates by itself leaves the balloon in its total.
        let total = self.size.guest();
        let available = (total - self.balloon.len() as u64).saturating_sub(needed.0);
        let entries = [(5u16, total * PAGE_SIZE), (6, available * PAGE_SIZE)];
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(|(tag, value)| tag.to_le_bytes().into_iter().chain(value.to_le_bytes()))
            .collect();
        if self.rings[2].is_done(memory) {
            self.rings[2].offer(device, memory, &bytes);
        }
    }
}
