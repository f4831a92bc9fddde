//! What must hold of memory, recomputed from scratch: [`audit`], for tests.

use super::{
    AddressSpace, Area, Kind, Memory, Source, Usage,
    area::address_of,
    entry::{Entry, State},
};
use crate::{Pfn, Platform, Protection, VirtAddr};
use alloc::{collections::BTreeMap, format, string::String};

/// What an [`audit`] cannot know by itself.
pub trait Outside<P: Platform> {
    /// Uses of a page that are no mapping: by a file, by the kernel.
    fn uses(&self, page: Pfn) -> u32;
    /// What the machine's tables say of a page.
    fn entry(&self, space: &P::Space, page: VirtAddr) -> Option<(Pfn, Protection)>;
    /// How many pages the machine's tables map.
    fn entries(&self, space: &P::Space) -> usize;
}

/// Checks memory against all address spaces that there are.
///
/// # Errors
/// What does not hold, and where.
pub fn audit<P: Platform>(
    memory: &Memory<P>,
    spaces: &[&AddressSpace<P>],
    outside: &dyn Outside<P>,
) -> Result<(), String> {
    let mut uses: BTreeMap<Pfn, u32> = BTreeMap::from([(memory.zero, 1)]);
    let mut slots = BTreeMap::new();
    let mut objects = BTreeMap::new();
    let mut tables = 0;
    for space in spaces {
        audit_space(memory, space, outside)?;
        for (_, entry) in space.pages.iter() {
            match entry.state() {
                State::Present(page) => *uses.entry(page).or_default() += 1,
                State::Swapped(slot) => *slots.entry(slot).or_default() += 1_u32,
                State::Empty => return Err("an entry that is set is empty".into()),
            }
        }
        for area in space.areas.list() {
            if let Source::Shared { object, .. } = area.source {
                *objects.entry(object).or_default() += 1_u64;
            }
        }
        tables += space.usage.tables;
    }
    for entry in memory.shared.iter() {
        if let State::Present(page) = entry.state() {
            *uses.entry(page).or_default() += 1;
        }
    }
    same("areas of shared objects", &memory.shared.areas(), &objects)?;
    same("tables", &memory.frames.count(Kind::Table), &tables)?;
    audit_frames(memory, &uses, outside)?;
    let (mut free, mut cached) = (0, 0);
    for (slot, entries, page) in memory.swap.iter() {
        same(&format!("entries of {slot:?}"), &entries, &slots.remove(&slot).unwrap_or(0))?;
        if let Some(page) = page {
            same(
                &format!("kind of the page of {slot:?}"),
                &memory.frames.kind(page),
                &Kind::Anonymous,
            )?;
        }
        free += u64::from(entries == 0 && page.is_none());
        cached += u64::from(page.is_some());
    }
    same("slots in memory", &memory.swap.cached(), &cached)?;
    same("free slots", &memory.swap.free(), &free)
}

fn audit_frames<P: Platform>(
    memory: &Memory<P>,
    uses: &BTreeMap<Pfn, u32>,
    outside: &dyn Outside<P>,
) -> Result<(), String> {
    let frames = &memory.frames;
    let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
    for page in (0..frames.span()).map(Pfn) {
        let kind = frames.kind(page);
        *counts.entry(kind as u8).or_default() += 1;
        if kind != Kind::Table {
            let expected = uses.get(&page).copied().unwrap_or(0) + outside.uses(page);
            same(&format!("uses of {kind:?} {page:?}"), &frames.uses(page), &expected)?;
        }
    }
    for kind in [
        Kind::Absent,
        Kind::Free,
        Kind::Hole,
        Kind::Kernel,
        Kind::Table,
        Kind::Anonymous,
        Kind::File,
        Kind::Shared,
    ] {
        let expected = counts.get(&(kind as u8)).copied().unwrap_or(0);
        same(&format!("pages of {kind:?}"), &frames.count(kind), &expected)?;
    }
    same("chains", &frames.chained(), &(frames.count(Kind::Free), frames.count(Kind::Hole)))
}

fn audit_space<P: Platform>(
    memory: &Memory<P>,
    space: &AddressSpace<P>,
    outside: &dyn Outside<P>,
) -> Result<(), String> {
    let mut usage = Usage {
        tables: space.usage.tables,
        peak_mapped: space.usage.peak_mapped,
        peak_resident: space.usage.peak_resident,
        faults: space.usage.faults,
        major_faults: space.usage.major_faults,
        ..Usage::default()
    };
    let mut mapped = 0;
    for (page, entry) in space.pages.iter() {
        let area = space.areas.list().iter().find(|area| area.pages.contains(page));
        let area = area.ok_or_else(|| format!("page {page:#x} is set and in no area"))?;
        match entry.state() {
            State::Present(frame) => {
                usage.add(memory.frames.kind(frame));
                audit_entry(memory, area, entry, frame)
                    .map_err(|what| format!("page {page:#x} of {area:?}: {what}"))?;
            }
            State::Swapped(_) => usage.swapped += 1,
            State::Empty => (),
        }
        let expected = entry
            .reachable(false)
            .map(|frame| (frame, area.rights.protection(entry.is_writable())));
        let found = outside.entry(&space.tables, address_of(page));
        same(&format!("the machine's entry of page {page:#x}"), &found, &expected)?;
        mapped += usize::from(expected.is_some());
    }
    same("pages that the machine maps", &outside.entries(&space.tables), &mapped)?;
    same("leaves with nothing in them", &space.pages.leaves().1, &0)?;
    same("usage", &space.usage, &usage)?;
    let pages = space.areas.list().iter().map(|area| area.pages.len()).sum();
    same("pages of areas", &space.areas.total(), &pages)
}

/// The rules of one page in memory.
fn audit_entry<P: Platform>(
    memory: &Memory<P>,
    area: &Area,
    entry: Entry,
    frame: Pfn,
) -> Result<(), String> {
    let kind = memory.frames.kind(frame);
    if area.rights.is_empty() && entry.is_mapped() {
        return Err("it is mapped without a right".into());
    }
    if !entry.is_writable() {
        return Ok(());
    }
    if !area.rights.allow(crate::Access::Write) {
        return Err("it is writable without the right".into());
    }
    if memory.swap.has(frame) {
        return Err("it is writable and has a slot".into());
    }
    if !area.shared && (kind != Kind::Anonymous || memory.frames.uses(frame) != 1) {
        return Err(format!(
            "it is private and writable, {kind:?} with {} uses",
            memory.frames.uses(frame)
        ));
    }
    Ok(())
}

fn same<T: PartialEq + core::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, and should be {expected:?}"))
}
