//! The first page tables of a new domain, in frames that are nothing yet.

use super::layout::{Layout, P2m};
use super::{BuildError, DomainSpec};
use crate::format::{Entry, Format, Permissions};
use crate::machine::Machine;
use hypercall_abi::addr::Level;
use hypercall_abi::{Mfn, PAGE_SIZE, VirtAddr};

/// The first page tables: pages from `next` on.
pub(super) struct Tables<'a> {
    pub(super) p2m: &'a P2m,
    pub(super) next: u64,
    pub(super) limit: u64,
}

impl Tables<'_> {
    pub(super) fn build<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        spec: &DomainSpec<'_>,
        layout: &Layout,
    ) -> Result<Mfn, BuildError> {
        let first_table = self.next;
        let root = self.new_table(machine)?;
        let mut pfn = layout.image;
        for segment in spec.image.segments {
            let permissions = Permissions { write: segment.writable, execute: segment.executable };
            for page in 0..segment.pages() {
                let address = VirtAddr((segment.first_page() + page) * PAGE_SIZE);
                let frame = self.p2m.get(machine, pfn);
                self.map::<F>(machine, root, address, F::leaf(frame, permissions))?;
                pfn += 1;
            }
        }
        // First all tables that the map of memory needs, then its entries: by then it is
        // known which pages are tables and must not be mapped writable.
        let address = |pfn: u64| VirtAddr(spec.image.physmap_base + pfn * PAGE_SIZE);
        // The tables reach as far as the domain may grow: to map a page that its balloon takes back
        // it needs no table, when it may have no page for one.
        let most = spec.max_frames.max(layout.frames);
        for pfn in (0..most).step_by(F::ENTRIES) {
            self.level1::<F>(machine, root, address(pfn))?;
        }
        self.level1::<F>(machine, root, address(most - 1))?;
        let tables = first_table..self.next;
        for pfn in 0..layout.frames {
            let write = !tables.contains(&pfn);
            let leaf = F::leaf(self.p2m.get(machine, pfn), Permissions { write, execute: false });
            self.map::<F>(machine, root, address(pfn), leaf)?;
        }
        Ok(root)
    }

    fn new_table(&mut self, machine: &impl Machine) -> Result<Mfn, BuildError> {
        if self.next >= self.limit {
            return Err(BuildError::TooSmall { frames: self.limit });
        }
        let frame = self.p2m.get(machine, self.next);
        self.next += 1;
        Ok(frame)
    }

    /// The level-1 table that maps `address`, made if need be.
    fn level1<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        root: Mfn,
        address: VirtAddr,
    ) -> Result<Mfn, BuildError> {
        let (mut table, mut level) = (root, F::ROOT);
        while level > Level::L1 {
            let index = F::index(address, level);
            let entry = F::decode(machine.read(table, index), level);
            table = match entry {
                Ok(Entry::Table(below)) => below,
                Ok(Entry::Absent) => {
                    let below = self.new_table(machine)?;
                    machine.write(table, index, F::table(below));
                    below
                }
                Ok(Entry::Leaf(_)) | Err(_) => return Err(BuildError::BadLayout),
            };
            level = level.below().unwrap_or(Level::L1);
        }
        Ok(table)
    }

    fn map<F: Format>(
        &mut self,
        machine: &mut impl Machine,
        root: Mfn,
        address: VirtAddr,
        leaf: u64,
    ) -> Result<(), BuildError> {
        let table = self.level1::<F>(machine, root, address)?;
        machine.write(table, F::index(address, Level::L1), leaf);
        Ok(())
    }
}
