//! `fork`: an address space like another, which shares its pages until one of the two writes.
//!
//! Most children end soon, or become another program: little of what they have is mapped for
//! them before they touch it, and then with what is around it. Two pages every child touches at
//! once: that of its next instruction, and that of its stack, which the parent writes at once too.

use super::{
    AddressSpace, Area, Kind, Parts, Usage,
    area::address_of,
    areas::Held,
    entry::{Entry, State},
    mapping::full,
    space::take_table,
};
use crate::{Change, NoPage, PAGE, Platform};
use core::ops::{ControlFlow, Range};

/// Where a process is when it forks, in pages.
struct Place {
    /// What is mapped around its next instruction.
    code: Range<u64>,
    /// The page of its stack.
    stack: u64,
}

impl<P: Platform> AddressSpace<P> {
    /// A child of a process that is at `pc` with its stack at `sp`. Private pages are read-only in
    /// both from now on; whoever writes one first gets a copy, and the last has it to itself. The
    /// page at `sp` is copied now if there are pages enough, and stays the parent's. The changes
    /// are handed to the platform in large batches.
    ///
    /// # Errors
    /// [`NoPage`]: there is no child, and the parent is as before but for faults that find its
    /// pages writable again.
    pub fn fork(
        &mut self,
        parts: &mut Parts<'_, P>,
        pc: u64,
        sp: u64,
    ) -> Result<AddressSpace<P>, NoPage> {
        let around = parts.memory.settings.around;
        let code = (pc / PAGE as u64) & !(around - 1);
        let place = Place { code: code..code + around, stack: sp / PAGE as u64 };
        let mut child = AddressSpace::new(parts.platform, parts.memory, self.layout, self.limits)?;
        child.heap = self.heap;
        child.areas = self.areas.clone();
        child.note_peak();
        for area in child.areas.list() {
            parts.hold(area.source, Held::More);
        }
        let mut done = Ok(());
        for index in 0..child.areas.len() {
            if let Some(area) = child.areas.get(index).copied()
                && done.is_ok()
            {
                done = self.fork_area(parts, &mut child, &area, &place);
            }
        }
        // The parent's entries are read-only by now, whatever becomes of the child.
        if let Err(NoPage) = self.hand_over(parts, &mut child).and(done) {
            child.destroy(parts);
            return Err(NoPage);
        }
        let Usage { anonymous, file, shared, swapped, .. } = self.usage;
        child.usage = Usage { anonymous, file, shared, swapped, ..child.usage };
        child.usage.peak_resident = child.usage.resident();
        Ok(child)
    }

    /// Shares the pages of an area. Changes of the tables gather.
    fn fork_area(
        &mut self,
        parts: &mut Parts<'_, P>,
        child: &mut AddressSpace<P>,
        area: &Area,
        place: &Place,
    ) -> Result<(), NoPage> {
        let mut rest = area.pages.range();
        let (read, write) = (area.rights.protection(false), area.rights.protection(true));
        loop {
            let memory = &mut *parts.memory;
            let next = self.pages.copy(
                &mut child.pages,
                rest.clone(),
                &mut memory.leaves,
                |page, entry| {
                    let State::Present(frame) = entry.state() else {
                        if let State::Swapped(slot) = entry.state() {
                            memory.swap.refer(slot);
                        }
                        return Ok((*entry, ControlFlow::Continue(())));
                    };
                    let address = address_of(page);
                    let own = entry.is_writable() && !area.shared;
                    if own
                        && page == place.stack
                        && memory.frames.has_plenty()
                        && let Ok(copy) = memory.frames.take(Kind::Anonymous)
                    {
                        parts.platform.copy(frame, copy);
                        memory.filling.push(Change { page: address, to: Some((copy, write)) });
                        return Ok((Entry::mapped(copy, true), full(memory.filling.len())));
                    }
                    memory.frames.share(frame)?;
                    if own {
                        *entry = Entry::mapped(frame, false);
                        memory.changes.push(Change { page: address, to: Some((frame, read)) });
                    }
                    let mut childs = Entry::hidden(frame);
                    if entry.is_mapped() && place.code.contains(&page) {
                        let to = Some((frame, if entry.is_writable() { write } else { read }));
                        memory.filling.push(Change { page: address, to });
                        childs = *entry;
                    }
                    Ok((childs, full(memory.filling.len().max(memory.changes.len()))))
                },
            )?;
            match next {
                Some(next) => rest.start = next,
                None => return Ok(()),
            }
            self.hand_over(parts, child)?;
        }
    }

    /// Hands over what has gathered: for the parent's tables, and for the child's.
    fn hand_over(
        &mut self,
        parts: &mut Parts<'_, P>,
        child: &mut AddressSpace<P>,
    ) -> Result<(), NoPage> {
        let memory = &mut *parts.memory;
        memory.apply(parts.platform, &mut self.tables);
        if memory.filling.is_empty() {
            return Ok(());
        }
        let frames = &mut memory.frames;
        let filled = parts.platform.change(&mut child.tables, &memory.filling, &mut || {
            take_table(frames, &mut child.usage)
        });
        memory.filling.clear();
        filled.map_err(|_| NoPage)
    }
}
