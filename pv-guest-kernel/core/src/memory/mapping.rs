//! `mmap`, `munmap`, `mprotect`, `brk` and their kin: how the areas of an [`AddressSpace`]
//! change.

use super::{
    AddressSpace, Area, BATCH, FileId, Pages, Parts, Rights, Source, SpaceError,
    area::address_of,
    entry::{Entry, State},
    may_write,
};
use crate::{Change, PAGE, Platform};
use core::ops::ControlFlow;

/// Where a mapping is to be. Addresses are on page borders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Anywhere.
    Anywhere,
    /// There if it is free, otherwise anywhere.
    Near(u64),
    /// There; what is there goes (`MAP_FIXED`).
    Fixed(u64),
    /// There, if it is free (`MAP_FIXED_NOREPLACE`).
    Free(u64),
}

/// What is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping {
    /// Zeros, the process's own.
    Private,
    /// As private, and it grows down when it is touched below.
    Stack,
    /// Zeros, shared with those who are forked.
    Shared,
    /// A file.
    File {
        /// Which.
        file: FileId,
        /// Byte of it that the mapping begins with, on a page border.
        offset: u64,
        /// What is written is written to the file.
        shared: bool,
        /// It is open for writing: a shared mapping may have that right, now or later.
        writable: bool,
    },
}

impl<P: Platform> AddressSpace<P> {
    /// Maps `length` bytes, rounded up to pages. Returns the address.
    ///
    /// # Errors
    /// [`SpaceError`].
    pub fn map(
        &mut self,
        parts: &mut Parts<'_, P>,
        place: Place,
        length: u64,
        rights: Rights,
        mapping: Mapping,
    ) -> Result<u64, SpaceError> {
        let pages = self.place(place, length)?;
        let mut area = Area {
            pages,
            rights,
            most: Rights::all(),
            source: Source::Anonymous,
            shared: false,
            grows_down: mapping == Mapping::Stack,
        };
        if let Mapping::File { file, offset, shared, writable } = mapping {
            let fits = offset.checked_add(pages.len() * PAGE as u64);
            if !offset.is_multiple_of(PAGE as u64) || fits.is_none_or(|end| end > i64::MAX as u64) {
                return Err(SpaceError::BadRange);
            }
            area.source = Source::File { file, index: offset / PAGE as u64 };
            area.shared = shared;
            area.most.set(Rights::WRITE, !shared || writable);
            if !area.most.contains(rights) {
                return Err(SpaceError::NotAllowed);
            }
        }
        let there = self.areas.within(pages);
        let replaced: u64 = there.iter().map(|area| area.pages.overlap(pages).len()).sum();
        let more = (self.areas.cuts(pages) + 1).saturating_sub(there.len());
        if self.areas.len() + self.areas.cuts(pages) - there.len() >= self.limits.areas
            || !parts.memory.has_room_for_areas(more)
            || self.areas.total() - replaced + pages.len() > self.limits.pages
        {
            return Err(SpaceError::OverLimit);
        }
        if mapping == Mapping::Shared {
            area.source = Source::Shared { object: parts.memory.shared.create(), index: 0 };
            area.shared = true;
        }
        self.take_out(parts, pages);
        self.areas.insert(area, &mut |source, held| parts.hold(source, held));
        self.note_peak();
        Ok(pages.addresses().start)
    }

    /// Takes a range of addresses out, mapped or not.
    ///
    /// # Errors
    /// [`SpaceError::BadRange`]; [`SpaceError::OverLimit`], when it would divide an area and
    /// there are too many.
    pub fn unmap(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        length: u64,
    ) -> Result<(), SpaceError> {
        let pages = self.range(address, length)?;
        let inside = self.areas.within(pages).len();
        let more = self.areas.cuts(pages).saturating_sub(inside);
        if self.areas.len() + self.areas.cuts(pages) - inside > self.limits.areas
            || !parts.memory.has_room_for_areas(more)
        {
            return Err(SpaceError::OverLimit);
        }
        self.take_out(parts, pages);
        Ok(())
    }

    /// Gives a range of addresses other rights, as far as it is mapped and may have them: like
    /// Linux, it does what comes before an obstacle.
    ///
    /// # Errors
    /// [`SpaceError::BadRange`]; [`SpaceError::OverLimit`]; then nothing has changed.
    /// [`SpaceError::NotMapped`], from the first page on that is not mapped;
    /// [`SpaceError::NotAllowed`], from the first that may not have the rights.
    pub fn protect(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        length: u64,
        rights: Rights,
    ) -> Result<(), SpaceError> {
        let all = self.range(address, length)?;
        let mut pages = Pages { end: all.start, ..all };
        let mut obstacle = None;
        for area in self.areas.within(all) {
            if area.pages.start > pages.end {
                break;
            }
            if !area.most.contains(rights) {
                obstacle = Some(SpaceError::NotAllowed);
                break;
            }
            pages.end = area.pages.end.min(all.end);
        }
        let done =
            if pages == all { Ok(()) } else { Err(obstacle.unwrap_or(SpaceError::NotMapped)) };
        if pages.is_empty() || self.areas.within(pages).iter().all(|area| area.rights == rights) {
            return done;
        }
        let more = self.areas.cuts(pages);
        if self.areas.len() + more > self.limits.areas || !parts.memory.has_room_for_areas(more) {
            return Err(SpaceError::OverLimit);
        }
        self.areas.protect(pages, rights, &mut |source, held| parts.hold(source, held));
        let mut next = pages.start;
        while next < pages.end
            && let Some(index) = self.areas.find(next)
            && let Some(area) = self.areas.get(index).copied()
        {
            self.change_rights(parts, &area, area.pages.overlap(pages));
            next = area.pages.end;
        }
        done
    }

    /// Forgets what is in private memory of a range: it is zeros, or the file's content, when
    /// it is touched again (`MADV_DONTNEED`). Shared memory stays as it is.
    ///
    /// # Errors
    /// [`SpaceError::BadRange`]; [`SpaceError::NotMapped`], when part of it is not mapped.
    pub fn discard(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        length: u64,
    ) -> Result<(), SpaceError> {
        let pages = self.range(address, length)?;
        if !self.areas.cover(pages) {
            return Err(SpaceError::NotMapped);
        }
        self.drop_pages(parts, pages);
        Ok(())
    }

    /// A file was cut off: its pages from an index on are mapped no more, nor what was copied
    /// from them. To touch them is a bus error then.
    pub fn cut_file(&mut self, parts: &mut Parts<'_, P>, file: FileId, from: u64) {
        for index in 0..self.areas.len() {
            if let Some(area) = self.areas.get(index).copied()
                && let Source::File { file: there, index: first } = area.source
                && there == file
            {
                let start = area.pages.start + from.saturating_sub(first).min(area.pages.len());
                self.drop_pages(parts, Pages { start, end: area.pages.end });
            }
        }
    }

    /// Says where the memory that `brk` makes begins; there is none yet.
    pub fn start_heap(&mut self, address: u64) {
        self.heap = (address, address);
    }

    /// Moves the end of the memory that `brk` makes, if it can be; where it is then.
    pub fn set_heap_end(&mut self, parts: &mut Parts<'_, P>, end: u64) -> u64 {
        let (start, now) = self.heap;
        let border = |address| Pages::of(address, 0).map(|pages| pages.end);
        let (Some(old), Some(new), Some(first)) = (border(now), border(end), border(start)) else {
            return now;
        };
        if end < start {
            return now;
        }
        let done = if new < old {
            self.unmap(parts, new * PAGE as u64, (old - new) * PAGE as u64)
        } else if new - first > self.limits.data {
            Err(SpaceError::OverLimit)
        } else if new > old {
            let rights = Rights::READ | Rights::WRITE;
            let place = Place::Free(old * PAGE as u64);
            let length = (new - old) * PAGE as u64;
            self.map(parts, place, length, rights, Mapping::Private).map(|_| ())
        } else {
            Ok(())
        };
        if done.is_ok() {
            self.heap.1 = end;
        }
        self.heap.1
    }

    /// Where a mapping goes.
    fn place(&self, place: Place, length: u64) -> Result<Pages, SpaceError> {
        let count = Pages::of(0, length).ok_or(SpaceError::NoRoom)?.len();
        if count == 0 {
            return Err(SpaceError::BadRange);
        }
        let at = |address: u64| {
            if !address.is_multiple_of(PAGE as u64) {
                return Err(SpaceError::BadRange);
            }
            let start = address / PAGE as u64;
            let pages = Pages { start, end: start + count };
            let fits = address >= self.layout.lowest && pages.end <= self.layout.end / PAGE as u64;
            if fits { Ok(pages) } else { Err(SpaceError::NoRoom) }
        };
        let free = |address: u64| {
            let pages = at(address)?;
            if self.areas.within(pages).is_empty() { Ok(pages) } else { Err(SpaceError::Exists) }
        };
        let anywhere = || {
            let start = self.layout.lowest / PAGE as u64;
            let within = Pages { start, end: self.layout.mmap_top / PAGE as u64 };
            self.areas.gap(count, within, self.limits.stack_gap).ok_or(SpaceError::NoRoom)
        };
        match place {
            Place::Fixed(address) => at(address),
            Place::Free(address) => free(address),
            Place::Near(address) => free(address).or_else(|_| anywhere()),
            Place::Anywhere => anywhere(),
        }
    }

    /// A range that a process named.
    pub(super) fn range(&self, address: u64, length: u64) -> Result<Pages, SpaceError> {
        let pages = Pages::of(address, length).ok_or(SpaceError::BadRange)?;
        let fits = pages.end <= self.layout.end / PAGE as u64;
        if !address.is_multiple_of(PAGE as u64) || pages.is_empty() || !fits {
            return Err(SpaceError::BadRange);
        }
        Ok(pages)
    }

    /// Takes areas and pages out of a range.
    fn take_out(&mut self, parts: &mut Parts<'_, P>, pages: Pages) {
        if !self.areas.within(pages).is_empty() {
            self.drop_pages(parts, pages);
            self.areas.remove(pages, &mut |source, held| parts.hold(source, held));
        }
    }

    /// Takes the pages out of a range.
    fn drop_pages(&mut self, parts: &mut Parts<'_, P>, pages: Pages) {
        let memory = &mut *parts.memory;
        let mut rest = pages.range();
        loop {
            let flow = self.pages.visit(rest.clone(), &mut memory.leaves, |page, entry| {
                match entry.state() {
                    State::Present(frame) => {
                        if entry.is_mapped() {
                            memory.changes.push(Change { page: address_of(page), to: None });
                        }
                        memory.released.push(frame);
                        self.usage.remove(memory.frames.kind(frame));
                    }
                    State::Swapped(slot) => {
                        memory.swap.release(slot);
                        self.usage.swapped -= 1;
                    }
                    State::Empty => (),
                }
                *entry = Entry::EMPTY;
                rest.start = page + 1;
                full(memory.released.len())
            });
            memory.apply(parts.platform, &mut self.tables);
            if flow.is_continue() {
                return;
            }
        }
    }

    /// Brings the tables in line with the rights of an area. Nothing is mapped that was not:
    /// what has been hidden is found again by faults.
    fn change_rights(&mut self, parts: &mut Parts<'_, P>, area: &Area, pages: Pages) {
        let memory = &mut *parts.memory;
        let mut rest = pages.range();
        loop {
            let flow = self.pages.walk(rest.clone(), |page, entry| {
                if let State::Present(frame) = entry.state()
                    && entry.is_mapped()
                {
                    let writable = may_write(&memory.frames, &memory.swap, area, frame);
                    let to = if area.rights.is_empty() {
                        *entry = Entry::hidden(frame);
                        None
                    } else {
                        *entry = Entry::mapped(frame, writable);
                        Some((frame, area.rights.protection(writable)))
                    };
                    memory.changes.push(Change { page: address_of(page), to });
                }
                rest.start = page + 1;
                full(memory.changes.len())
            });
            memory.apply(parts.platform, &mut self.tables);
            if flow.is_continue() {
                return;
            }
        }
    }
}

/// Whether it is time to hand a batch over.
pub(super) fn full(length: usize) -> ControlFlow<()> {
    if length >= BATCH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
