//! A driver as Linux's is: arrays of 256 numbers, one kick each, and it waits for the answer. Its queues and
//! its way of coming up are those of the crate `virtio-drivers`; the transport is the device's own methods.
#![allow(unsafe_code, reason = "buffers stay where they are while the device has them")]

use super::arena::{self, Arena, Buffer, DRIVERS, PAGES};
use super::machine::{BalloonDevice, Machine, device};
use balloon::virtio::{Features, GuestAddress, QueueSetup, Step, queues};
use hypercall_abi::Pfn;
use std::cell::RefCell;
use std::rc::Rc;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Numbers in an array: VIRTIO_BALLOON_ARRAY_PFNS_MAX.
pub const ARRAY: usize = 256;

/// Places of a queue.
const PLACES: usize = 128;

/// A transport that calls the device, and the machine for what takes steps.
#[derive(Clone)]
pub struct Link {
    pub device: Rc<RefCell<BalloonDevice>>,
    pub machine: Rc<RefCell<Machine>>,
}

impl Link {
    pub fn new() -> Link {
        arena::begin();
        let machine = Rc::new(RefCell::new(Machine::new()));
        Link { device: Rc::new(RefCell::new(device())), machine }
    }

    /// Lets the device work.
    pub fn run(&self) -> Step {
        let step = self.machine.borrow_mut().run(&mut self.device.borrow_mut());
        self.check();
        step
    }

    pub fn check(&self) {
        self.machine.borrow().check(&self.device.borrow());
    }

    /// The guest uses a page, whether it may or not; whether it could.
    pub fn touch(&self, page: u32) -> bool {
        let (mut device, mut machine) = (self.device.borrow_mut(), self.machine.borrow_mut());
        device.touch(&mut *machine, Pfn(page.into())).is_ok()
    }

    pub fn is_backed(&self, page: u32) -> bool {
        self.machine.borrow().backed[page as usize]
    }
}

impl Transport for Link {
    fn device_type(&self) -> DeviceType {
        DeviceType::MemoryBalloon
    }

    fn read_device_features(&mut self) -> u64 {
        self.device.borrow().device_features()
    }

    fn write_driver_features(&mut self, features: u64) {
        self.device.borrow_mut().set_driver_features(features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.device.borrow().max_queue_size(queue).into()
    }

    fn notify(&mut self, queue: u16) {
        self.device.borrow_mut().notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_retain(self.device.borrow().status().bits().into())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.device.borrow_mut().set_status(status.bits() as u8);
        // The crate does not wait for a reset to end: the registers do.
        while status.is_empty() && !self.get_status().is_empty() {
            self.device.borrow_mut().step(&mut *self.machine.borrow_mut());
        }
    }

    fn set_guest_page_size(&mut self, _size: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        let setup = QueueSetup {
            size: size as u16,
            descriptors: GuestAddress(descriptors),
            driver_area: GuestAddress(driver_area),
            device_area: GuestAddress(device_area),
        };
        self.device.borrow_mut().set_queue(queue, setup).expect("a queue that there is");
    }

    fn queue_unset(&mut self, _queue: u16) {}

    fn queue_used(&mut self, _queue: u16) -> bool {
        false
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        let interrupts = self.device.borrow_mut().take_interrupts();
        InterruptStatus::from_bits_truncate(interrupts.bits().into())
    }

    fn read_config_generation(&self) -> u32 {
        self.device.borrow().config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let mut value = T::new_zeroed();
        self.device.borrow().read_config(offset, value.as_mut_bytes());
        Ok(value)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        self.device.borrow_mut().write_config(offset, value.as_bytes());
        Ok(())
    }
}

type Queue = VirtQueue<Arena, PLACES>;

/// An array of page numbers that the device has.
pub struct Sent {
    token: u16,
    pub pages: Vec<u32>,
}

pub struct Driver {
    pub link: Link,
    /// Pages that the guest can do without.
    pub free: Vec<u32>,
    pub balloon: Vec<u32>,
    queues: [Queue; 4],
    arrays: [Buffer; 2],
    statistics: Buffer,
    sent_statistics: Option<(u16, usize)>,
}

impl Driver {
    /// A driver that wants of the features what is offered.
    pub fn new(features: Features) -> Driver {
        Driver::on(Link::new(), features, 0, queues::REPORTING_AS_LINUX)
    }

    /// A driver of a device that had one before or not, in a guest that fills free pages with `poison`.
    pub fn on(mut link: Link, features: Features, poison: u32, reporting: u16) -> Driver {
        arena::begin();
        let features = link.begin_init(features);
        let mut queue = |number| Queue::new(&mut link, number, false, false).expect("a queue");
        let queues =
            [queues::INFLATE, queues::DEFLATE, queues::STATISTICS, reporting].map(&mut queue);
        if features.contains(Features::PAGE_POISON) {
            link.write_config_space(12, poison).expect("a field");
        }
        link.finish_init();
        Driver {
            link,
            free: (DRIVERS as u32..PAGES as u32).rev().collect(),
            balloon: Vec::new(),
            queues,
            arrays: [Buffer::new(), Buffer::new()],
            statistics: Buffer::new(),
            sent_statistics: None,
        }
    }

    /// What the device wants in the balloon, and what the driver has told it.
    pub fn config(&self) -> [u32; 4] {
        [0, 4, 8, 12].map(|offset| self.link.read_config_space(offset).expect("a field"))
    }

    /// Sends an array to the inflate queue (0) or the deflate queue (1), and kicks.
    pub fn send(&mut self, queue: usize, pages: Vec<u32>) -> Sent {
        assert!(pages.len() <= ARRAY);
        let bytes = &mut self.arrays[queue].bytes()[..4 * pages.len()];
        bytes.copy_from_slice(pages.as_bytes());
        // SAFETY: the array stays as it is until the device is done: there is one for each queue.
        let token = unsafe { self.queues[queue].add(&[bytes], &mut []) }.expect("a place");
        if self.queues[queue].should_notify() {
            self.link.notify(queue as u16);
        }
        Sent { token, pages }
    }

    /// Whether the device is done with an array; then it is gone from the queue.
    pub fn is_done(&mut self, queue: usize, sent: &Sent) -> bool {
        if self.queues[queue].peek_used() != Some(sent.token) {
            return false;
        }
        let bytes = &self.arrays[queue].bytes()[..4 * sent.pages.len()];
        // SAFETY: it is what was sent.
        let length = unsafe { self.queues[queue].pop_used(sent.token, &[bytes], &mut []) };
        assert_eq!(length, Ok(0), "the device writes nothing into it");
        true
    }

    /// Gives pages to the balloon, an array at a time: how many.
    pub fn inflate(&mut self, pages: usize) -> usize {
        let mut given = 0;
        while given < pages {
            let count = (pages - given).min(ARRAY).min(self.free.len());
            if count == 0 {
                break;
            }
            let array = self.free.split_off(self.free.len() - count);
            let sent = self.send(0, array);
            self.link.run();
            assert!(self.is_done(0, &sent));
            self.balloon.extend(sent.pages);
            given += count;
        }
        self.tell_actual();
        given
    }

    /// Takes pages out of it, the last first: how many. One array that waits for frames is still with the
    /// device, and comes back beside the number.
    pub fn deflate(&mut self, pages: usize) -> (usize, Option<Sent>) {
        let mut taken = 0;
        while taken < pages.min(self.balloon.len() + taken) {
            let count = (pages - taken).min(ARRAY).min(self.balloon.len());
            let array = self.balloon.split_off(self.balloon.len() - count);
            let sent = self.send(1, array);
            self.link.run();
            if !self.is_done(1, &sent) {
                return (taken, Some(sent));
            }
            self.use_deflated(sent);
            taken += count;
        }
        self.tell_actual();
        (taken, None)
    }

    /// Pages are the guest's again: it writes to each.
    pub fn use_deflated(&mut self, sent: Sent) {
        for &page in &sent.pages {
            assert!(self.link.is_backed(page), "page {page} is used before it has a frame");
            arena::fill(page.into(), 1);
        }
        self.free.extend(sent.pages);
    }

    /// Goes one round of the driver's worker: towards what the device wants.
    pub fn follow(&mut self) {
        let wanted = self.config()[0] as usize;
        match wanted.checked_sub(self.balloon.len()) {
            Some(more) => drop(self.inflate(more)),
            None => drop(self.deflate(self.balloon.len() - wanted)),
        }
    }

    fn tell_actual(&mut self) {
        let actual = self.balloon.len() as u32;
        self.link.write_config_space(4, actual).expect("a field");
    }

    /// Puts a buffer of statistics into its queue, and kicks.
    pub fn tell(&mut self, entries: &[(u16, u64)]) {
        if let Some((token, length)) = self.sent_statistics.take() {
            let bytes = &self.statistics.bytes()[..length];
            // SAFETY: it is what was sent.
            let done = unsafe { self.queues[2].pop_used(token, &[bytes], &mut []) };
            assert_eq!(done, Ok(0), "the device has asked");
        }
        let mut length = 0;
        for (tag, value) in entries {
            let entry = &mut self.statistics.bytes()[length..length + 10];
            entry[..2].copy_from_slice(&tag.to_le_bytes());
            entry[2..].copy_from_slice(&value.to_le_bytes());
            length += 10;
        }
        let bytes = &self.statistics.bytes()[..length];
        // SAFETY: the buffer stays as it is until the device has asked again.
        let token = unsafe { self.queues[2].add(&[bytes], &mut []) }.expect("a place");
        self.sent_statistics = Some((token, length));
        self.link.notify(queues::STATISTICS);
        self.link.run();
    }

    /// Whether the device has asked for statistics.
    pub fn is_asked(&self) -> bool {
        self.queues[2].can_pop()
    }

    /// Reports runs of free pages, each a buffer of one chain, and waits until the device is done.
    pub fn report(&mut self, runs: &[(u64, u64)], queue: u16) {
        let mut buffers: Vec<_> = runs.iter().map(|&(at, count)| arena::pages(at, count)).collect();
        let mut buffers: Vec<_> = buffers.iter_mut().map(|buffer| &mut **buffer).collect();
        // SAFETY: the pages are free: nobody looks into them.
        let token = unsafe { self.queues[3].add(&[], &mut buffers) }.expect("a place");
        self.link.notify(queue);
        self.link.run();
        // SAFETY: they are what was sent.
        let done = unsafe { self.queues[3].pop_used(token, &[], &mut buffers) };
        assert_eq!(done, Ok(0));
    }
}
