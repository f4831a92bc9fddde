//! `mremap` and `mincore`: what there is in memory is moved, or asked for.

use super::{
    AddressSpace, Area, Mapping, Pages, Parts, Place, Rights, Source, SpaceError,
    area::address_of,
    entry::{Entry, State},
    leaf::LEAF,
    mapping::full,
};
use crate::{Change, NoPage, PAGE, Platform};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// Why a mapping is not as asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RemapError {
    /// It cannot be. Nothing has changed.
    Space(SpaceError),
    /// The kernel's maps are short. The caller reclaims, and tries again.
    NoMemory,
}

impl From<SpaceError> for RemapError {
    fn from(error: SpaceError) -> RemapError {
        RemapError::Space(error)
    }
}

impl From<NoPage> for RemapError {
    fn from(_: NoPage) -> RemapError {
        RemapError::NoMemory
    }
}

impl<P: Platform> AddressSpace<P> {
    /// Whether a page of the process is in memory.
    pub fn is_resident(&mut self, address: u64) -> bool {
        matches!(self.pages.get(address / PAGE as u64).state(), State::Present(_))
    }

    /// Whether all of a range is mapped.
    ///
    /// # Errors
    /// [`SpaceError::BadRange`]; [`SpaceError::NotMapped`].
    pub fn check_mapped(&self, address: u64, length: u64) -> Result<(), SpaceError> {
        if length == 0 {
            return Ok(());
        }
        let pages = self.range(address, length)?;
        if self.areas.cover(pages) { Ok(()) } else { Err(SpaceError::NotMapped) }
    }

    /// Makes a mapping longer where it is, from `old` to `new` bytes.
    ///
    /// # Errors
    /// [`SpaceError::NotMapped`], if it is not one mapping; [`SpaceError::Exists`] and others if
    /// what follows is not free; [`SpaceError::BadRange`] of shared memory without a file, which
    /// has only the pages that it has.
    pub fn grow(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        old: u64,
        new: u64,
    ) -> Result<(), SpaceError> {
        let area = self.one_area(address, old)?;
        let pages = self.range(address, old)?;
        if area.pages.end != pages.end {
            return Err(SpaceError::Exists);
        }
        let more = (Pages::of(0, new).ok_or(SpaceError::NoRoom)?.len()) - pages.len();
        let place = Place::Free(pages.end * PAGE as u64);
        let mapping = mapping_of(&area, pages.end)?;
        self.map(parts, place, more * PAGE as u64, area.rights, mapping)?;
        Ok(())
    }

    /// Moves a mapping of `old` bytes to where there are `new`, with all that is in it. Returns
    /// the address.
    ///
    /// # Errors
    /// [`RemapError`]. Nothing has changed, but what was at a fixed place may be gone.
    pub fn move_to(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        old: u64,
        new: u64,
        place: Place,
    ) -> Result<u64, RemapError> {
        let area = self.one_area(address, old)?;
        let from = self.range(address, old)?;
        let mapping = mapping_of(&area, from.start)?;
        if let Place::Fixed(to) = place {
            let to = self.range(to, new)?;
            if !to.overlap(from).is_empty() {
                return Err(SpaceError::BadRange.into());
            }
        }
        // To cut the old one out may take an area more, too.
        let room = self.areas.len() + 3 <= self.limits.areas && parts.memory.has_room_for_areas(3);
        if !room {
            return Err(SpaceError::OverLimit.into());
        }
        let to = self.map(parts, place, new, area.rights, mapping)?;
        let first = to / PAGE as u64;
        let kept = from.len().min(Pages::of(0, new).map_or(0, Pages::len));
        let from = Pages { start: from.start, end: from.start + kept };
        let mut leaves: Vec<u64> = Vec::new();
        let _ = self.pages.walk(from.range(), |page, _| {
            let leaf = (first + (page - from.start)) / LEAF as u64;
            if leaves.last() != Some(&leaf) {
                leaves.push(leaf);
            }
            ControlFlow::Continue(())
        });
        for leaf in &leaves {
            if self.pages.reserve(leaf * LEAF as u64, &mut parts.memory.leaves).is_err() {
                let end = leaf * LEAF as u64;
                self.pages.prune(leaves[0] * LEAF as u64..end, &mut parts.memory.leaves);
                self.unmap(parts, to, new)?;
                return Err(RemapError::NoMemory);
            }
        }
        self.move_pages(parts, from, first);
        self.unmap(parts, address, old)?;
        Ok(to)
    }

    /// Moves what there is at pages to others, for which there is room. The machine maps none of
    /// it until it is touched.
    fn move_pages(&mut self, parts: &mut Parts<'_, P>, from: Pages, to: u64) {
        let memory = &mut *parts.memory;
        let mut rest = from.range();
        loop {
            let mut moved = Vec::new();
            let flow = self.pages.walk(rest.clone(), |page, entry| {
                let left = match entry.state() {
                    State::Present(frame) => Entry::hidden(frame),
                    _ => *entry,
                };
                moved.push((to + (page - from.start), left));
                if entry.is_mapped() {
                    memory.changes.push(Change { page: address_of(page), to: None });
                }
                *entry = Entry::EMPTY;
                rest.start = page + 1;
                full(moved.len())
            });
            memory.apply(parts.platform, &mut self.tables);
            moved.into_iter().for_each(|(page, entry)| self.pages.set(page, entry));
            if flow.is_continue() {
                break;
            }
        }
        // Only now: a leaf that has nothing for a moment may be the one for what was moved.
        self.pages.prune(from.range(), &mut memory.leaves);
    }

    /// The area that all of a range is in.
    fn one_area(&self, address: u64, length: u64) -> Result<Area, SpaceError> {
        let pages = self.range(address, length)?;
        match self.areas.within(pages) {
            [area] if area.pages.overlap(pages) == pages => Ok(*area),
            _ => Err(SpaceError::NotMapped),
        }
    }
}

/// What maps the same as an area, from a page on that is in it or just behind.
fn mapping_of(area: &Area, page: u64) -> Result<Mapping, SpaceError> {
    match area.source {
        Source::Anonymous => Ok(Mapping::Private),
        Source::File { file, index } => Ok(Mapping::File {
            file,
            offset: (index + (page - area.pages.start)) * PAGE as u64,
            shared: area.shared,
            writable: area.most.contains(Rights::WRITE),
        }),
        Source::Shared { .. } => Err(SpaceError::BadRange),
    }
}
