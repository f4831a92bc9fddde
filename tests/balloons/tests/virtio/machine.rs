//! The machine under the device: which of the guest's pages have a frame, and how many frames are left. It
//! holds the device to its contract, and both to each other.

use super::arena::{self, PAGE, PAGES};
use balloon::Answer;
use balloon::virtio::{
    Backing, Device, GuestAddress, GuestMemory, OutsideMemory, PageMap, Place, Step,
};
use hypercall_abi::{Error, Pfn};
use std::collections::BTreeSet;

pub type BalloonDevice = Device<Vec<u64>>;

pub struct Machine {
    pub backed: Vec<bool>,
    /// Frames that nobody has.
    pub pool: u64,
    /// Pages whose frames cannot be taken.
    pub busy: BTreeSet<Pfn>,
    /// Frames that one call gives at most.
    pub most: usize,
    /// Calls of `take` and `give`.
    pub calls: [u64; 2],
    frames: u64,
}

impl Machine {
    pub fn new() -> Machine {
        Machine {
            backed: vec![true; PAGES as usize],
            pool: 0,
            busy: BTreeSet::new(),
            most: usize::MAX,
            calls: [0; 2],
            frames: PAGES,
        }
    }

    /// Somebody else gets frames of the pool, or gives some back.
    pub fn use_frames(&mut self, frames: u64) {
        self.pool -= frames;
        self.frames -= frames;
    }

    pub fn return_frames(&mut self, frames: u64) {
        self.pool += frames;
        self.frames += frames;
    }

    /// Panics if a frame was lost, or the device is wrong about a page.
    pub fn check(&self, device: &BalloonDevice) {
        let backed = self.backed.iter().filter(|backed| **backed).count() as u64;
        assert_eq!(backed + self.pool, self.frames, "no frame is lost, and none is made");
        assert_eq!(device.owned().0, backed);
        let mut in_balloon = 0;
        for (page, backed) in self.backed.iter().enumerate() {
            let place = device.map().get(Pfn(page as u64)).expect("a page of the guest");
            assert_eq!(
                matches!(place, Place::Backed | Place::Kept),
                *backed,
                "page {page}: {place:?}"
            );
            in_balloon += u64::from(matches!(place, Place::Ballooned | Place::Kept));
        }
        assert_eq!(device.map().in_balloon(), in_balloon);
    }

    /// Lets the device work until it has nothing more that it can do: the last step.
    pub fn run(&mut self, device: &mut BalloonDevice) -> Step {
        for _ in 0..100_000 {
            match device.step(self) {
                Step::Busy => {}
                last => return last,
            }
        }
        panic!("the device works without an end");
    }

    fn is_there(&self, address: u64, bytes: usize) -> bool {
        let Some(end) = address.checked_add(bytes as u64).filter(|end| *end <= PAGES * PAGE) else {
            return false;
        };
        (address / PAGE..end.div_ceil(PAGE)).all(|page| self.backed[page as usize])
    }
}

/// A device of this guest's.
pub fn device() -> BalloonDevice {
    let words = vec![0; PageMap::<Vec<u64>>::words_needed(PAGES)];
    Device::new(PageMap::new(words, PAGES).expect("room"))
}

impl GuestMemory for Machine {
    fn read(&self, from: GuestAddress, to: &mut [u8]) -> Result<(), OutsideMemory> {
        if !self.is_there(from.0, to.len()) {
            return Err(OutsideMemory);
        }
        arena::read(from.0, to);
        Ok(())
    }

    fn write(&mut self, to: GuestAddress, from: &[u8]) -> Result<(), OutsideMemory> {
        if !self.is_there(to.0, from.len()) {
            return Err(OutsideMemory);
        }
        arena::write(to.0, from);
        Ok(())
    }
}

impl Backing for Machine {
    fn take(&mut self, pages: &[Pfn]) -> Answer {
        self.calls[0] += 1;
        assert!(!pages.is_empty() && pages.len() <= balloon::virtio::STEP_PAGES);
        for (done, page) in pages.iter().enumerate() {
            if self.busy.contains(page) {
                return Answer { done: done as u64, refused: Some(Error::Busy) };
            }
            let backed = &mut self.backed[page.0 as usize];
            assert!(std::mem::replace(backed, false), "{page:?} has no frame to take");
            self.pool += 1;
            // Somebody else's now.
            arena::fill(page.0, 0xdd);
        }
        Answer { done: pages.len() as u64, refused: None }
    }

    fn give(&mut self, pages: &[Pfn]) -> Answer {
        self.calls[1] += 1;
        assert!(!pages.is_empty() && pages.len() <= balloon::virtio::STEP_PAGES);
        for (done, page) in pages.iter().enumerate() {
            if self.pool == 0 || done == self.most {
                return Answer { done: done as u64, refused: Some(Error::NoMemory) };
            }
            let backed = &mut self.backed[page.0 as usize];
            assert!(!std::mem::replace(backed, true), "{page:?} has a frame");
            self.pool -= 1;
            arena::fill(page.0, 0);
        }
        Answer { done: pages.len() as u64, refused: None }
    }
}
