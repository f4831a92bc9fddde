//! Domains so small that every state of them can be explored: no image, no map, a root and one
//! level-1 table, and a few pages.

use crate::domain::Slot;
use crate::format::{Format, Permissions};
use crate::loader::{BuildError, DomainSpec, Image};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::{RunState, Vcpu};
use alloc::vec::Vec;
use hypercall_abi::{DomainId, Mfn, VirtAddr};

/// Frames of a small domain that are not pages: vCPU page, argument frame, two tables.
pub const SMALL_FIXED: u64 = 4;

/// Where things are in a small domain.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SmallDomain {
    /// Its place.
    pub slot: Slot,
    /// Its identity.
    pub id: DomainId,
    /// The page that it shares with the hypervisor.
    pub page: Mfn,
    /// Its argument frame.
    pub arguments: Mfn,
    /// Its kernel root, pinned.
    pub root: Mfn,
    /// The level-1 table that the root's first slot names.
    pub table: Mfn,
    /// Its other pages. The first is mapped writable, by the table's first entry.
    pub pages: Vec<Mfn>,
}

impl<P: Platform> State<P> {
    /// Builds a runnable domain of two interface frames, two tables and `pages` pages, which
    /// may own `max_frames`, for a format of two levels. It is made as
    /// [`State::create_domain`] makes one, but without what only a kernel needs.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn create_small_domain<M: Machine>(
        &mut self,
        machine: &mut M,
        pages: u64,
        max_frames: u64,
    ) -> Result<SmallDomain, BuildError> {
        let frames = SMALL_FIXED + pages;
        let spec = DomainSpec {
            name: "small",
            frames,
            max_frames,
            contiguous: false,
            command_line: "",
            watchdog_ticks: 0,
            image: Image { entry: VirtAddr(0), physmap_base: 0, segments: &[] },
            module: None,
        };
        let slot = self.open_domain(&spec)?;
        let no_memory = BuildError::NoMemory { wanted: frames, free: 0 };
        let mut take = || self.take_frame(machine, slot).ok_or(no_memory);
        let [page, arguments, root, table] = [take()?, take()?, take()?, take()?];
        let pages = (0..pages).map(|_| take()).collect::<Result<Vec<Mfn>, BuildError>>()?;
        for frame in [page, arguments] {
            self.frames.held(frame).add_writable();
        }
        self.vcpus[slot.index()] = Some(Vcpu::new(page, arguments));
        machine.write(root, 0, P::Format::table(table));
        if let Some(first) = pages.first() {
            let permissions = Permissions { write: true, execute: false };
            machine.write(table, 0, P::Format::leaf(*first, permissions));
        }
        self.pin_first_root(machine, slot, root)?;
        self.vcpu_mut(slot).state = RunState::Runnable;
        self.scheduler.enqueue(slot);
        let id = self.domain(slot).id;
        Ok(SmallDomain { slot, id, page, arguments, root, table, pages })
    }
}
