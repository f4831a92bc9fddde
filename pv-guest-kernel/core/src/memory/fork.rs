//! `fork`: an address space like another, which shares its pages until one of the two writes.

use super::{
    AddressSpace, Area, Parts,
    area::address_of,
    areas::Held,
    mapping::full,
    pages::{Entry, State},
    space::take_table,
};
use crate::{Change, NoPage, Platform};
use core::ops::ControlFlow;

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
        for index in 0..self.areas.len() {
            if let Some(area) = self.areas.get(index).copied()
                && let Err(NoPage) = self.fork_area(parts, &mut child, &area)
            {
                child.destroy(parts);
                return Err(NoPage);
            }
        }
        Ok(child)
    }

    fn fork_area(
        &mut self,
        parts: &mut Parts<'_, P>,
        child: &mut AddressSpace<P>,
        area: &Area,
    ) -> Result<(), NoPage> {
        let memory = &mut *parts.memory;
        let mut rest = area.pages.range();
        loop {
            let mut counted = Ok(());
            let flow = self.pages.walk(rest.clone(), |page, entry| {
                rest.start = page + 1;
                counted = child.pages.reserve(page, &mut memory.leaves);
                if counted.is_err() {
                    return ControlFlow::Break(());
                }
                match entry.state() {
                    State::Present(frame) => {
                        counted = memory.frames.share(frame);
                        if counted.is_err() {
                            return ControlFlow::Break(());
                        }
                        let kept = entry.is_writable() && area.shared;
                        let to = Some((frame, area.rights.protection(kept)));
                        let change = Change { page: address_of(page), to };
                        if entry.is_writable() && !kept {
                            *entry = Entry::mapped(frame, false);
                            memory.changes.push(change);
                        }
                        if entry.is_mapped() {
                            memory.filling.push(change);
                        }
                        child.usage.add(memory.frames.kind(frame));
                    }
                    State::Swapped(slot) => {
                        memory.swap.refer(slot);
                        child.usage.swapped += 1;
                    }
                    State::Empty => (),
                }
                child.pages.set(page, *entry);
                full(memory.filling.len())
            });
            memory.apply(parts.platform, &mut self.tables);
            let frames = &mut memory.frames;
            let filled = parts.platform.change(&mut child.tables, &memory.filling, &mut || {
                take_table(frames, &mut child.usage)
            });
            memory.filling.clear();
            counted?;
            filled.map_err(|_| NoPage)?;
            if flow.is_continue() {
                return Ok(());
            }
        }
    }
}
