//! Page faults: what a process touches comes to be.
//!
//! - Anonymous memory: a page of zeros, writable at once when the area is. When memory is not
//!   plenty, who only reads gets the one page of zeros that all share, and a page of its own
//!   when it writes.
//! - A file, private: the file's page, read-only; a copy when it is written. A file, shared: the
//!   file's page as the rights are.
//! - A page that is in memory and not mapped, as a child's are after a fork: it is mapped.
//! - A private page that others use as well: a copy. One that has no other user is written in
//!   place.
//! - A swapped page: it is read back, unless it is still in memory for somebody else.
//! - Below a stack: the stack grows, as far as its limit and the gap below it allow.
//!
//! What is mapped beside the page that was touched, `around` says.

use super::{
    AddressSpace, Area, FilePage, Kind, Parts, Slot, Source,
    area::address_of,
    entry::{Entry, State},
    is_exclusive,
    space::take_table,
};
use crate::{Access, Change, NoPage, PAGE, Pfn, Platform};

/// Why a process cannot have what it touched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// Nothing is mapped there: SIGSEGV, `SEGV_MAPERR`; EFAULT of a system call.
    NotMapped,
    /// It is mapped, and not for that: SIGSEGV, `SEGV_ACCERR`; EFAULT of a system call.
    NotAllowed,
    /// It is behind the end of its file, or cannot be read back: SIGBUS; EFAULT of a system
    /// call.
    Bus,
    /// No page is free. The caller reclaims, and tries again.
    NoMemory,
}

impl From<NoPage> for Fault {
    fn from(_: NoPage) -> Fault {
        Fault::NoMemory
    }
}

impl<P: Platform> AddressSpace<P> {
    /// Serves a fault: the process can go on at the same instruction.
    ///
    /// # Errors
    /// [`Fault`], and nothing has changed.
    pub fn fault(
        &mut self,
        parts: &mut Parts<'_, P>,
        address: u64,
        access: Access,
    ) -> Result<(), Fault> {
        self.serve(parts, address / PAGE as u64, access)?;
        self.usage.faults += 1;
        Ok(())
    }

    /// Makes a page of the process what the process may reach; which it is.
    pub(super) fn serve(
        &mut self,
        parts: &mut Parts<'_, P>,
        page: u64,
        access: Access,
    ) -> Result<Pfn, Fault> {
        let index = match self.areas.find(page) {
            Some(index) => index,
            None => self.grow_stack(page).ok_or(Fault::NotMapped)?,
        };
        let area = *self.areas.get(index).ok_or(Fault::NotMapped)?;
        if !area.rights.allow(access) {
            return Err(Fault::NotAllowed);
        }
        match self.pages.get(page).state() {
            State::Present(frame) => self.serve_present(parts, &area, page, frame, access),
            State::Swapped(slot) => self.swap_in(parts, &area, page, slot, access),
            State::Empty => {
                self.pages.reserve(page, &mut parts.memory.leaves)?;
                let served = match area.source {
                    Source::Anonymous => self.serve_zeros(parts, &area, page, access),
                    Source::File { .. } => self.serve_file(parts, &area, page, access),
                    Source::Shared { .. } => self.serve_shared(parts, &area, page),
                };
                if served.is_err() {
                    self.pages.prune(page..page + 1, &mut parts.memory.leaves);
                }
                served
            }
        }
    }

    /// A page is in memory: it is mapped, after it was copied if that must be.
    fn serve_present(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
        access: Access,
    ) -> Result<Pfn, Fault> {
        let memory = &mut *parts.memory;
        if access != Access::Write || area.shared {
            self.serve_hidden(parts, area, page, frame)?;
            return Ok(frame);
        }
        if is_exclusive(&memory.frames, frame) {
            memory.swap.forget(frame);
            self.install(parts, area, page, frame, true)?;
            return Ok(frame);
        }
        let copy = self.copied(parts, area, page, frame)?;
        self.usage.remove(parts.memory.frames.kind(frame));
        parts.memory.give(frame);
        Ok(copy)
    }

    /// The first touch of anonymous memory.
    fn serve_zeros(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        access: Access,
    ) -> Result<Pfn, Fault> {
        let memory = &mut *parts.memory;
        if access != Access::Write && !memory.frames.has_plenty() {
            let zero = memory.zero;
            return self.serve_shared_page(parts, area, page, zero, false);
        }
        let frame = memory.frames.take(Kind::Anonymous)?;
        parts.platform.clear(frame);
        let next = self.wanted_next(memory, area, page);
        if next.is_empty() {
            return self.install_new(parts, area, page, frame);
        }
        self.serve_ahead(parts, area, page, frame, next)
    }

    /// The first touch of a file.
    fn serve_file(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        access: Access,
    ) -> Result<Pfn, Fault> {
        let Source::File { file, .. } = area.source else { return Err(Fault::Bus) };
        let index = area.index_of(page);
        let memory = &mut *parts.memory;
        let found = parts.files.page(parts.platform, &mut memory.frames, file, index, area.shared);
        match found {
            FilePage::Page(frame) if access == Access::Write && !area.shared => {
                self.copied(parts, area, page, frame)
            }
            FilePage::Page(frame) if access == Access::Write => {
                self.serve_shared_page(parts, area, page, frame, true)
            }
            FilePage::Page(frame) => self.serve_around(parts, area, page, frame),
            FilePage::Hole => self.serve_zeros(parts, area, page, access),
            FilePage::NoMemory => Err(Fault::NoMemory),
            FilePage::Beyond | FilePage::Refused => Err(Fault::Bus),
        }
    }

    /// The first touch of shared memory.
    fn serve_shared(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
    ) -> Result<Pfn, Fault> {
        let Source::Shared { object, .. } = area.source else { return Err(Fault::Bus) };
        let memory = &mut *parts.memory;
        let (frames, leaves) = (&mut memory.frames, &mut memory.leaves);
        let index = area.index_of(page);
        let frame = memory.shared.page(object, index, parts.platform, frames, leaves)?;
        self.serve_shared_page(parts, area, page, frame, true)
    }

    /// Maps a page that somebody else has too.
    fn serve_shared_page(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
        writable: bool,
    ) -> Result<Pfn, Fault> {
        parts.memory.frames.share(frame)?;
        if let Err(NoPage) = self.install(parts, area, page, frame, writable) {
            parts.memory.give(frame);
            return Err(Fault::NoMemory);
        }
        self.usage.add(parts.memory.frames.kind(frame));
        Ok(frame)
    }

    /// Maps a copy of a page, which the process then has to itself.
    fn copied(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
    ) -> Result<Pfn, Fault> {
        let copy = parts.memory.frames.take(Kind::Anonymous)?;
        if frame == parts.memory.zero {
            parts.platform.clear(copy);
        } else {
            parts.platform.copy(frame, copy);
        }
        self.install_new(parts, area, page, copy)
    }

    /// Maps a page that nobody else has.
    fn install_new(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
    ) -> Result<Pfn, Fault> {
        if let Err(NoPage) = self.install(parts, area, page, frame, true) {
            parts.memory.give(frame);
            return Err(Fault::NoMemory);
        }
        self.usage.add(Kind::Anonymous);
        Ok(frame)
    }

    /// Maps a page, writable only if the area is.
    #[inline]
    fn install(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
        writable: bool,
    ) -> Result<(), NoPage> {
        let change =
            Change { page: address_of(page), to: Some((frame, area.rights.protection(writable))) };
        let frames = &mut parts.memory.frames;
        let done = parts
            .platform
            .change(&mut self.tables, &[change], &mut || take_table(frames, &mut self.usage));
        done.map_err(|_| NoPage)?;
        let writable = writable && area.rights.allow(Access::Write);
        self.pages.set(page, Entry::mapped(frame, writable));
        Ok(())
    }

    /// Brings a page back into memory. Who reads it shares it with the slot and with those who
    /// have it in memory; who writes it gets it to itself at once.
    ///
    /// It takes one page, and none when it fails: if it kept one, the one that is reclaimed for
    /// the next try would be that very page, for ever.
    fn swap_in(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        slot: Slot,
        access: Access,
    ) -> Result<Pfn, Fault> {
        let write = access == Access::Write;
        let memory = &mut *parts.memory;
        let there = memory.swap.page_of(slot);
        let frame = match there {
            Some(there) if !write => {
                memory.frames.share(there)?;
                there
            }
            _ => memory.frames.take(Kind::Anonymous)?,
        };
        match there {
            Some(there) if write => parts.platform.copy(there, frame),
            Some(_) => (),
            None => {
                let total = memory.frames.total();
                if memory.swap.read(parts.platform, slot, frame, total).is_err() {
                    memory.frames.give(frame);
                    return Err(Fault::Bus);
                }
                self.usage.major_faults += 1;
            }
        }
        if let Err(NoPage) = self.install(parts, area, page, frame, write) {
            parts.memory.give(frame);
            return Err(Fault::NoMemory);
        }
        let swap = &mut parts.memory.swap;
        if there.is_none() && !write {
            swap.attach(slot, frame);
        }
        swap.release(slot);
        self.usage.swapped -= 1;
        self.usage.add(Kind::Anonymous);
        Ok(frame)
    }

    /// Lets a stack grow down to a page.
    fn grow_stack(&mut self, page: u64) -> Option<usize> {
        let index = self.areas.first_after(page);
        let stack = self.areas.get(index).filter(|area| area.grows_down)?;
        let below = match index.checked_sub(1).and_then(|below| self.areas.get(below)) {
            Some(area) => area.pages.end + self.limits.stack_gap,
            None => self.layout.lowest / PAGE as u64,
        };
        let more = stack.pages.start - page;
        if stack.pages.end - page > self.limits.stack
            || page < below
            || self.areas.total() + more > self.limits.pages
        {
            return None;
        }
        self.areas.grow_down(index, page);
        self.note_peak();
        Some(index)
    }
}
