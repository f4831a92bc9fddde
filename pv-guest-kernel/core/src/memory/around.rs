//! Several pages by one fault: what a process touches, and what it will probably touch next.
//!
//! A fault costs more than the change of a table that it leads to, most of all where a hypervisor
//! stands between. So it maps
//!
//! - of a file, the pages around that the file has in memory;
//! - of pages that are in memory and not mapped, as a child's are after a fork, those around;
//! - of memory that a process fills from its beginning, a few pages more, as long as there are
//!   plenty.

use super::{
    AddressSpace, Area, FilePage, Frames, Kind, Memory, Pages, Parts, Source, Swap,
    area::address_of,
    entry::{Entry, State},
    fault::Fault,
    may_write,
    space::take_table,
};
use crate::{Change, NoPage, PAGE, Pfn, Platform, Protection};
use core::ops::{ControlFlow, Range};

/// Whose the pages are that are to be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pending {
    /// The process's already.
    Own,
    /// To become its own: one use of each was taken for it.
    New,
}

impl<P: Platform> AddressSpace<P> {
    /// Maps a page of a file, and those around it that the file has in memory.
    pub(super) fn serve_around(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
    ) -> Result<Pfn, Fault> {
        let Source::File { file, .. } = area.source else { return Err(Fault::Bus) };
        let memory = &mut *parts.memory;
        let protection = area.rights.protection(area.shared);
        memory.frames.share(frame)?;
        memory.filling.push(Change { page: address_of(page), to: Some((frame, protection)) });
        for near in near(memory.settings.around, area, page).range() {
            if near != page && self.pages.get(near) == Entry::EMPTY {
                let index = area.index_of(near);
                let found =
                    parts.files.page(parts.platform, &mut memory.frames, file, index, false);
                if let FilePage::Page(frame) = found
                    && memory.frames.share(frame).is_ok()
                {
                    let to = Some((frame, protection));
                    memory.filling.push(Change { page: address_of(near), to });
                }
            }
        }
        self.fill(parts, Pending::New)?;
        Ok(frame)
    }

    /// Maps a page that is in memory, and those around it that are too and are not mapped either.
    pub(super) fn serve_hidden(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
    ) -> Result<(), NoPage> {
        let memory = &mut *parts.memory;
        let change = |frames: &Frames, swap: &Swap<P>, page, frame| {
            let writable = may_write(frames, swap, area, frame);
            Change { page: address_of(page), to: Some((frame, area.rights.protection(writable))) }
        };
        memory.filling.push(change(&memory.frames, &memory.swap, page, frame));
        let near = near(memory.settings.around, area, page);
        let _ = self.pages.walk(near.range(), |near, entry| {
            if let State::Present(frame) = entry.state()
                && near != page
                && !entry.is_mapped()
            {
                memory.filling.push(change(&memory.frames, &memory.swap, near, frame));
            }
            ControlFlow::Continue(())
        });
        self.fill(parts, Pending::Own)
    }

    /// The pages after one that is touched for the first time which are worth having with it:
    /// none, unless the one before it is there. Memory is then filled in order, and no more than
    /// these are too many when that ends.
    pub(super) fn wanted_next(&mut self, memory: &Memory<P>, area: &Area, page: u64) -> Range<u64> {
        let ahead = memory.settings.ahead;
        let start = page + 1;
        if ahead == 1
            || area.source != Source::Anonymous
            || page == area.pages.start
            || self.pages.get(page - 1) == Entry::EMPTY
            || !memory.frames.has_plenty()
        {
            return start..start;
        }
        let end = start.next_multiple_of(ahead).min(area.pages.end);
        start..(start..end).find(|next| self.pages.get(*next) != Entry::EMPTY).unwrap_or(end)
    }

    /// Maps a page of zeros, and pages of zeros after it.
    pub(super) fn serve_ahead(
        &mut self,
        parts: &mut Parts<'_, P>,
        area: &Area,
        page: u64,
        frame: Pfn,
        next: Range<u64>,
    ) -> Result<Pfn, Fault> {
        let memory = &mut *parts.memory;
        let protection = area.rights.protection(true);
        memory.filling.push(Change { page: address_of(page), to: Some((frame, protection)) });
        for next in next {
            let Ok(frame) = memory.frames.take(Kind::Anonymous) else { break };
            parts.platform.clear(frame);
            memory.filling.push(Change { page: address_of(next), to: Some((frame, protection)) });
        }
        self.fill(parts, Pending::New)?;
        Ok(frame)
    }

    /// Maps what has gathered: the first of it at least. New pages that are not mapped are given
    /// back.
    fn fill(&mut self, parts: &mut Parts<'_, P>, pending: Pending) -> Result<(), NoPage> {
        let memory = &mut *parts.memory;
        let frames = &mut memory.frames;
        let done = parts
            .platform
            .change(&mut self.tables, &memory.filling, &mut || take_table(frames, &mut self.usage));
        let done = done.err().unwrap_or(memory.filling.len());
        for (at, change) in memory.filling.drain(..).enumerate() {
            let Some((frame, protection)) = change.to else { continue };
            if at < done {
                let writable = protection.contains(Protection::WRITE);
                self.pages.set(change.page.0 / PAGE as u64, Entry::mapped(frame, writable));
                if pending == Pending::New {
                    self.usage.add(memory.frames.kind(frame));
                }
            } else if pending == Pending::New {
                memory.frames.give(frame);
            }
        }
        if done == 0 { Err(NoPage) } else { Ok(()) }
    }
}

/// The pages of an area that are around one, as many as fit in a batch with it.
fn near(around: u64, area: &Area, page: u64) -> Pages {
    let start = page & !(around - 1);
    area.pages.overlap(Pages { start, end: start + around })
}
