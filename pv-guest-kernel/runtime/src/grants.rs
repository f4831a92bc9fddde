//! Frames of other domains: mapped through grants in an area of the kernel's own.
#![allow(unsafe_code, reason = "granted frames are reached by address")]

use crate::{
    calls,
    memory::Memory,
    paging::{self, PagingError, Protection},
};
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Mfn, PAGE_SIZE, VirtAddr, calls::grant_share::Access,
};

/// Frames that the area holds.
const SLOTS: u64 = 64;

/// First address of the area: 1 GiB below the physmap.
fn area(memory: &Memory) -> u64 {
    memory.info.physmap_base - (1 << 30)
}

/// A frame of another domain, mapped. The other domain can change what is in it at any time.
#[derive(Debug)]
pub struct GrantMapping {
    handle: GrantHandle,
    frame: Mfn,
    slot: u64,
    address: VirtAddr,
    access: Access,
}

/// Why a grant could not be mapped or unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantError {
    /// The area is full.
    NoSlot,
    /// `grant_map` or `grant_unmap` was refused.
    Grant(Error),
    /// The entry could not be written.
    Paging(PagingError),
}

impl core::fmt::Display for GrantError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            GrantError::NoSlot => write!(f, "all {SLOTS} places for granted frames are in use"),
            GrantError::Grant(error) => write!(f, "the hypervisor refused the grant: {error}"),
            GrantError::Paging(error) => write!(f, "the granted frame cannot be mapped: {error}"),
        }
    }
}

impl core::error::Error for GrantError {}

impl GrantMapping {
    /// Opens a grant and maps its frame.
    ///
    /// # Errors
    /// See [`GrantError`]; nothing is left open or mapped.
    pub fn new(
        memory: &mut Memory,
        domain: DomainId,
        grant: GrantRef,
        access: Access,
    ) -> Result<GrantMapping, GrantError> {
        let slot = (!memory.grant_slots).trailing_zeros() as u64;
        if slot >= SLOTS {
            return Err(GrantError::NoSlot);
        }
        let mapped = calls::grant_map(domain, grant, access).map_err(GrantError::Grant)?;
        let protection = match access {
            Access::Read => Protection::READ,
            Access::ReadWrite => Protection::WRITE,
        };
        let address = VirtAddr(area(memory) + slot * PAGE_SIZE);
        let root = memory.kernel_root;
        // SAFETY: nothing is mapped in a free slot of the area, and nothing of Rust's lies there.
        let mut tables = unsafe { memory.validated() };
        let result = paging::map(&mut tables, root, address, mapped.frame, protection)
            .and_then(|()| memory.flush());
        if let Err(error) = result {
            // No entry names the frame: the handle can go.
            let _ = calls::grant_unmap(mapped.handle);
            return Err(GrantError::Paging(error));
        }
        memory.grant_slots |= 1 << slot;
        Ok(GrantMapping { handle: mapped.handle, frame: mapped.frame, slot, address, access })
    }

    /// Where it is mapped.
    pub fn address(&self) -> VirtAddr {
        self.address
    }

    /// The machine frame, which stays the other domain's.
    pub fn frame(&self) -> Mfn {
        self.frame
    }

    /// Copies bytes out of the frame.
    ///
    /// # Panics
    /// If they reach beyond the page.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE as usize, "a granted frame is one page");
        for (index, byte) in bytes.iter_mut().enumerate() {
            let source = (self.address.0 as usize + offset + index) as *const u8;
            // SAFETY: the frame is mapped for as long as `self` lives, the place is within it;
            // volatile, as another domain writes there.
            *byte = unsafe { source.read_volatile() };
        }
    }

    /// Copies bytes into the frame.
    ///
    /// # Panics
    /// If they reach beyond the page, or the mapping is for reading.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE as usize, "a granted frame is one page");
        assert!(self.access == Access::ReadWrite, "the grant is mapped for reading");
        for (index, byte) in bytes.iter().enumerate() {
            let target = (self.address.0 as usize + offset + index) as *mut u8;
            // SAFETY: as in `read`; the mapping permits writing.
            unsafe { target.write_volatile(*byte) };
        }
    }

    /// Unmaps the frame and closes the handle.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub fn unmap(self, memory: &mut Memory) -> Result<(), GrantError> {
        let root = memory.kernel_root;
        // SAFETY: nothing but `self`, which goes, uses the page.
        let mut tables = unsafe { memory.validated() };
        paging::unmap(&mut tables, root, self.address)
            .and_then(|_| memory.flush())
            .map_err(GrantError::Paging)?;
        calls::grant_unmap(self.handle).map_err(GrantError::Grant)?;
        memory.grant_slots &= !(1 << self.slot);
        Ok(())
    }
}
