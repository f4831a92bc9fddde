//! Pages in the hypervisor's spare memory: [`Spare`].
#![allow(unsafe_code, reason = "the hypervisor writes into a page of ours")]

use kernel_core::PAGE;
use pv_guest::{
    abi::{Mfn, calls::spare_put::SpareName},
    calls,
    memory::Memory,
    physmap::Page,
};

/// A page that is copied from and to. It is never offered to be shared, so that its frame stays the same and
/// mapped writable.
#[derive(Debug)]
pub struct Spare {
    page: Page,
    frame: Mfn,
}

/// What the numbers of `/dev/spare` are numbers of.
const OBJECT: u64 = 1;

fn name(number: u64) -> SpareName {
    SpareName { object: OBJECT, index: number }
}

impl Spare {
    /// Sets the page aside. `None`: there is none.
    pub fn new(memory: &mut Memory) -> Option<Spare> {
        let page = memory.allocate()?;
        let frame = memory.p2m().frame_of(page.pfn())?;
        Some(Spare { page, frame })
    }

    /// Keeps bytes under a number; whether they are kept.
    pub fn put(&mut self, number: u64, from: &[u8; PAGE]) -> bool {
        self.page.bytes_mut().copy_from_slice(from);
        calls::spare_put(self.frame, name(number)).unwrap_or(false)
    }

    /// Gets them back, if they are there.
    pub fn get(&mut self, number: u64, to: &mut [u8; PAGE]) -> bool {
        // SAFETY: nobody has a reference to what is in the page: it is this value's, which is borrowed.
        let found = unsafe { calls::spare_get(self.frame, name(number)) }.unwrap_or(false);
        if found {
            to.copy_from_slice(self.page.bytes());
        }
        found
    }
}
