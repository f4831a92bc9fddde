//! A driver that writes into its rings what it likes: four queues of eight places at fixed addresses.

use super::arena;
use super::driver::Link;
use balloon::virtio::{Fault, Features, GuestAddress, QueueSetup, Step};
use virtio_drivers::transport::Transport;

/// Places of each queue.
pub const PLACES: u16 = 8;

pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
pub const INDIRECT: u16 = 4;

/// Where the driver has its arrays of page numbers.
pub const ARRAYS: u64 = 20 * arena::PAGE;

/// A descriptor as it lies in the table.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    pub address: u64,
    pub length: u32,
    pub flags: u16,
    pub next: u16,
}

/// A buffer that is read.
pub fn buffer(address: u64, length: u32) -> Descriptor {
    Descriptor { address, length, flags: 0, next: 0 }
}

pub struct Rings {
    pub link: Link,
    available: [u16; 5],
}

pub fn setup(queue: u16) -> QueueSetup {
    let page = u64::from(queue) * 3 + 1;
    QueueSetup {
        size: PLACES,
        descriptors: GuestAddress(page * arena::PAGE),
        driver_area: GuestAddress((page + 1) * arena::PAGE),
        device_area: GuestAddress((page + 2) * arena::PAGE),
    }
}

impl Rings {
    pub fn new() -> Rings {
        Rings::on(Link::new())
    }

    pub fn on(mut link: Link) -> Rings {
        arena::begin();
        link.begin_init(Features::all());
        for queue in 0..5 {
            link.device.borrow_mut().set_queue(queue, setup(queue)).expect("a queue");
        }
        link.finish_init();
        Rings { link, available: [0; 5] }
    }

    /// Writes a descriptor.
    pub fn describe(&mut self, queue: u16, place: u16, descriptor: Descriptor) {
        let Descriptor { address, length, flags, next } = descriptor;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        arena::write(setup(queue).descriptors.0 + 16 * u64::from(place), &bytes);
    }

    /// Makes a chain available.
    pub fn offer(&mut self, queue: u16, head: u16) {
        let index = &mut self.available[usize::from(queue)];
        let place = setup(queue).driver_area.0 + 4 + 2 * u64::from(*index % PLACES);
        arena::write(place, &head.to_le_bytes());
        *index = index.wrapping_add(1);
        self.set_index(queue, self.available[usize::from(queue)]);
    }

    /// Says up to where chains are available.
    pub fn set_index(&mut self, queue: u16, index: u16) {
        self.available[usize::from(queue)] = index;
        arena::write(setup(queue).driver_area.0 + 2, &index.to_le_bytes());
    }

    /// Where the device is with giving back.
    pub fn used(&self, queue: u16) -> u16 {
        let mut bytes = [0; 2];
        arena::read(setup(queue).device_area.0 + 2, &mut bytes);
        u16::from_le_bytes(bytes)
    }

    /// Writes an array of page numbers: a buffer.
    pub fn array(&mut self, offset: u64, pages: &[u32]) -> Descriptor {
        for (at, page) in pages.iter().enumerate() {
            arena::write(ARRAYS + offset + 4 * at as u64, &page.to_le_bytes());
        }
        buffer(ARRAYS + offset, 4 * pages.len() as u32)
    }

    /// Describes one chain, offers it and kicks; what the device makes of it.
    pub fn play(&mut self, queue: u16, chain: &[Descriptor]) -> Step {
        for (place, descriptor) in chain.iter().enumerate() {
            self.describe(queue, place as u16, *descriptor);
        }
        self.offer(queue, 0);
        self.link.notify(queue);
        self.link.run()
    }

    /// As [`play`](Self::play), for what is a fault.
    pub fn fault(&mut self, queue: u16, chain: &[Descriptor]) -> Fault {
        match self.play(queue, chain) {
            Step::Broken(fault) => fault,
            step => panic!("{step:?}"),
        }
    }
}
