//! The guest that is not modified: the device, what the hypervisor does for it, and a driver in the guest's
//! memory.
//!
//! The hypervisor's part unmaps and inflates in the domain's name. With hardware virtualization it would
//! change the nested tables, which costs the guest no call; so those calls are counted apart.

mod driver;

use crate::Size;
use crate::frames::{self, Host, extent_of};
use balloon::Answer;
use balloon::policy::Pages;
use balloon::virtio::{Backing, Device, GuestAddress, GuestMemory, OutsideMemory, PageMap, Step};
use driver::Driver;
use hypercall_abi::calls::{BalloonDeflate, BalloonInflate};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Mfn, PAGE_SIZE, Pfn};
use pv_core::Machine;

/// Its place among the domains.
pub const DOMAIN: usize = 1;

/// Where the guest's pages are that the device and the driver are about: the last.
#[derive(Debug)]
struct Nested {
    /// The first of them: here begins an extent in which the driver has its rings and arrays.
    first: u64,
    frames: Vec<Option<Mfn>>,
    /// Calls made in the domain's name that changed its page tables.
    page_table_calls: u64,
}

impl Nested {
    fn frame(&mut self, page: Pfn) -> &mut Option<Mfn> {
        &mut self.frames[(page.0 - self.first) as usize]
    }
}

/// The guest, its device, and the hypervisor's part.
#[derive(Debug)]
pub struct Unmodified {
    pub device: Device<Vec<u64>>,
    nested: Nested,
    driver: Driver,
}

impl Unmodified {
    /// The guest that the domain is, with its driver up.
    pub fn new(host: &mut Host, size: Size) -> Unmodified {
        let first = size.first_spare() - EXTENT_FRAMES;
        let words = vec![0; PageMap::<Vec<u64>>::words_needed(size.guest())];
        let map = PageMap::new(words, size.guest()).expect("there are words enough");
        let mut device = Device::new(map);
        let frames = (first..size.guest())
            .step_by(EXTENT_FRAMES as usize)
            .map(|first| extent_of(host, DOMAIN, Pfn(first)).0)
            .flat_map(|first| (first..first + EXTENT_FRAMES).map(|frame| Some(Mfn(frame))))
            .collect();
        let mut nested = Nested { first, frames, page_table_calls: 0 };
        let mut memory = Memory { host, nested: &mut nested };
        let driver = Driver::start(&mut device, &mut memory, size);
        Unmodified { device, nested, driver }
    }

    /// What the guest is to have.
    pub fn set_target(&mut self, target: Pages) {
        self.device.set_target(target);
    }

    /// The driver's worker, until it has what the device wants.
    pub fn follow(&mut self, host: &mut Host) {
        let mut memory = Memory { host, nested: &mut self.nested };
        while self.driver.follow(&mut self.device, &mut memory) {
            run(&mut self.device, &mut memory);
            assert!(self.driver.finish(&memory), "there is a frame for each page");
        }
    }

    /// The device asks how the guest stands, and the driver says how much it needs.
    pub fn tell(&mut self, host: &mut Host, now: u64, needed: Pages) {
        let mut memory = Memory { host, nested: &mut self.nested };
        self.device.ask_statistics(&mut memory, now);
        self.driver.tell(&mut self.device, &mut memory, needed);
        run(&mut self.device, &mut memory);
    }

    /// Calls that the hypervisor made in the domain's name to change its page tables.
    pub fn page_table_calls(&self) -> u64 {
        self.nested.page_table_calls
    }
}

/// Lets the device work until there is nothing to do.
fn run(device: &mut Device<Vec<u64>>, memory: &mut Memory<'_>) {
    while let step @ (Step::Busy | Step::Broken(_)) = device.step(memory) {
        assert_eq!(step, Step::Busy, "the driver keeps to the rules");
    }
}

/// The guest's memory, and its frames.
struct Memory<'a> {
    host: &'a mut Host,
    nested: &'a mut Nested,
}

impl Memory<'_> {
    /// The frame and the word of an address, and the byte within.
    fn place(&self, address: u64) -> Result<(Mfn, usize, usize), OutsideMemory> {
        let page = (address / PAGE_SIZE).checked_sub(self.nested.first).ok_or(OutsideMemory)?;
        let frame = self.nested.frames.get(page as usize).copied().flatten();
        let offset = (address % PAGE_SIZE) as usize;
        Ok((frame.ok_or(OutsideMemory)?, offset / 8, offset % 8))
    }

    fn store(&mut self, address: u64, bytes: &[u8]) -> Result<(), OutsideMemory> {
        for (address, byte) in (address..).zip(bytes) {
            let (frame, word, at) = self.place(address)?;
            let mut value = self.host.machine.read(frame, word).to_le_bytes();
            value[at] = *byte;
            self.host.machine.write(frame, word, u64::from_le_bytes(value));
        }
        Ok(())
    }
}

impl GuestMemory for Memory<'_> {
    fn read(&self, from: GuestAddress, to: &mut [u8]) -> Result<(), OutsideMemory> {
        for (address, byte) in (from.0..).zip(to) {
            let (frame, word, at) = self.place(address)?;
            *byte = self.host.machine.read(frame, word).to_le_bytes()[at];
        }
        Ok(())
    }

    fn write(&mut self, to: GuestAddress, from: &[u8]) -> Result<(), OutsideMemory> {
        (to.0..).zip(from).try_for_each(|(address, _)| self.place(address).map(drop))?;
        self.store(to.0, from)
    }
}

impl Backing for Memory<'_> {
    fn take(&mut self, pages: &[Pfn]) -> Answer {
        let unmapped: Vec<_> = pages.iter().map(|&page| (page, None)).collect();
        let (done, calls) = frames::update(self.host, DOMAIN, &unmapped);
        assert_eq!(done, pages.len(), "the pages are mapped by nothing else");
        let numbers: Vec<Mfn> = pages
            .iter()
            .map(|&page| *self.nested.frame(page))
            .map(|frame| frame.expect("the device takes what has a frame"))
            .collect();
        let call = BalloonInflate::frames(numbers.len() as u64);
        let answer = frames::give(self.host, DOMAIN, &numbers, &call);
        for page in &pages[..answer.done as usize] {
            *self.nested.frame(*page) = None;
        }
        self.nested.page_table_calls += calls;
        answer
    }

    fn give(&mut self, pages: &[Pfn]) -> Answer {
        let mut numbers = vec![Mfn::NONE; pages.len()];
        let call = BalloonDeflate::frames(pages.len() as u64);
        let answer = frames::obtain(self.host, DOMAIN, &mut numbers, &call);
        let mapped: Vec<_> = pages
            .iter()
            .zip(&numbers[..answer.done as usize])
            .map(|(&page, &frame)| (page, Some(frame)))
            .collect();
        let (done, calls) = frames::update(self.host, DOMAIN, &mapped);
        assert_eq!(done, mapped.len(), "the frames are the domain's");
        for (page, frame) in mapped {
            *self.nested.frame(page) = frame;
        }
        self.nested.page_table_calls += calls;
        answer
    }
}
