//! Page tables of the model: three levels, of which each table is a page that was taken.

use crate::{Access, Change, NoPage, PAGE, Pfn, Protection, Used, VirtAddr};
use alloc::collections::{BTreeMap, btree_map::Entry};

/// An address space of the model.
#[derive(PartialEq, Eq, Debug)]
pub struct ModelSpace {
    pub(super) id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mapped {
    page: Pfn,
    protection: Protection,
    used: Used,
}

/// The tables of one address space.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    root: Pfn,
    /// Below the root: by level and by the part of the address that they are for.
    tables: BTreeMap<(u32, u64), Pfn>,
    entries: BTreeMap<u64, Mapped>,
}

/// Bits of a page's number that one table decodes.
const TABLE_BITS: u32 = 9;

impl Tables {
    pub(super) fn new(root: Pfn) -> Tables {
        Tables { root, tables: BTreeMap::new(), entries: BTreeMap::new() }
    }

    /// The pages that are mapped.
    pub(super) fn mapped_pages(&self) -> impl Iterator<Item = Pfn> {
        self.entries.values().map(|entry| entry.page)
    }

    /// What is mapped at a page.
    pub(super) fn entry(&self, page: VirtAddr) -> Option<(Pfn, Protection)> {
        let entry = self.entries.get(&(page.0 / PAGE as u64))?;
        Some((entry.page, entry.protection))
    }

    /// The pages of the tables.
    pub(super) fn into_pages(self) -> impl Iterator<Item = Pfn> {
        self.tables.into_values().chain([self.root])
    }

    /// Changes an entry, and returns the page that was mapped there.
    pub(super) fn change(
        &mut self,
        change: &Change,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<Option<Pfn>, NoPage> {
        let VirtAddr(address) = change.page;
        assert!(address.is_multiple_of(PAGE as u64), "{address:#x} is not the first of a page");
        let number = address / PAGE as u64;
        let Some((page, protection)) = change.to else {
            return Ok(self.entries.remove(&number).map(|entry| entry.page));
        };
        for level in [2, 1] {
            let key = (level, number >> (level * TABLE_BITS));
            if let Entry::Vacant(place) = self.tables.entry(key) {
                place.insert(take().ok_or(NoPage)?);
            }
        }
        let entry = Mapped { page, protection, used: Used::default() };
        Ok(self.entries.insert(number, entry).map(|entry| entry.page))
    }

    /// What the processor did with a page.
    pub(super) fn take_used(&mut self, page: VirtAddr) -> Used {
        let entry = self.entries.get_mut(&(page.0 / PAGE as u64));
        entry.map_or(Used::default(), |entry| core::mem::take(&mut entry.used))
    }

    /// The processor touches an address.
    pub(super) fn translate(&mut self, address: u64, access: Access) -> Option<Pfn> {
        let entry = self.entries.get_mut(&(address / PAGE as u64))?;
        let allowed = match access {
            Access::Read => true,
            Access::Write => entry.protection.contains(Protection::WRITE),
            Access::Execute => entry.protection.contains(Protection::EXECUTE),
        };
        if !allowed {
            return None;
        }
        entry.used.accessed = true;
        entry.used.dirty |= access == Access::Write;
        Some(entry.page)
    }
}
