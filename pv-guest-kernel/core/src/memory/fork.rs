//! `fork`: an address space like another, which shares its pages until one of the two writes.

use super::{
    AddressSpace, Area, Parts, Usage,
    area::address_of,
    areas::Held,
    entry::{Entry, State},
    mapping::full,
    space::take_table,
};
use crate::{Change, NoPage, Platform};

impl<P: Platform> AddressSpace<P> {
    /// A child. Private pages are read-only in both from now on; whoever writes one first gets
    /// a copy, and the last has it to itself. The parent's changes are handed to the platform
    /// in large batches, and so is what fills the child's tables.
    ///
    /// # Errors
    /// [`NoPage`]: there is no child, and the parent is as before but for faults that find its
    /// pages writable again.
    pub fn fork(&mut self, parts: &mut Parts<'_, P>) -> Result<AddressSpace<P>, NoPage> {
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
                done = self.fork_area(parts, &mut child, &area);
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
                    match entry.state() {
                        State::Present(frame) => {
                            memory.frames.share(frame)?;
                            let was = entry.is_writable();
                            let kept = was && area.shared;
                            let to = Some((frame, if kept { write } else { read }));
                            let change = Change { page: address_of(page), to };
                            if was && !kept {
                                *entry = Entry::mapped(frame, false);
                                memory.changes.push(change);
                            }
                            if entry.is_mapped() {
                                memory.filling.push(change);
                            }
                        }
                        State::Swapped(slot) => memory.swap.refer(slot),
                        State::Empty => (),
                    }
                    Ok(full(memory.filling.len()))
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
