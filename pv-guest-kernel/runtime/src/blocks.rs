//! The kernel's own map of its memory, 512 pages at a time: a level-1 table maps no others, and one
//! update takes it out of the map or puts it there, where page by page it would be 512. The balloon
//! moves extents so. A table that is out of the map is a free page, and one that is put there was.
#![allow(unsafe_code, reason = "a table is written before it is validated")]

use crate::{
    calls,
    memory::Memory,
    paging::{Entry, Protection, TableRead, TableWrite},
    physmap::{self, Page},
    updates::kernel_page,
};
use heapless::Vec;
use hypercall_abi::{
    Mfn, Pfn,
    addr::Level,
    calls::pte_update::{Target, Update},
    extent::EXTENT_FRAMES,
};

/// Blocks whose updates one call carries.
const BLOCKS: usize = 64;

/// The entry of level 2 that names, or may name, the table of a block.
struct Slot {
    table: Mfn,
    index: u16,
    entry: Entry,
}

impl Slot {
    fn update(&self, value: u64) -> Update {
        Update::new(Target::Entry { table: self.table, index: self.index }, value)
    }
}

/// A table that is put into the map: which page it is, which it replaces, and how many updates of the
/// list must have been made for it to be mapped, and for the other to be an ordinary page.
struct Put {
    page: Pfn,
    replaced: Option<Pfn>,
    mapped_by: usize,
}

impl Memory {
    /// Takes blocks of pages, which nothing uses, out of the kernel's map: how many, from the first. The
    /// others are as they were.
    pub(crate) fn unmap_blocks(&mut self, firsts: &[Pfn]) -> usize {
        let done = in_groups(firsts, |group| self.unmap_group(group));
        if done > 0 {
            // The frames may be others' soon, and the pages have others: no processor of ours must
            // remember which they were.
            let flushed = calls::tlb_flush(None);
            debug_assert!(flushed.is_ok(), "all translations can be forgotten: {flushed:?}");
        }
        done
    }

    /// Puts blocks of pages that have frames into the kernel's map: how many, from the first. The others
    /// are as they were.
    pub(crate) fn map_blocks(&mut self, firsts: &[Pfn]) -> usize {
        in_groups(firsts, |group| self.map_group(group))
    }

    /// Where the map names the table of a block; `None` if the tables above do not reach there, or the
    /// pages lie in two blocks.
    fn slot(&self, first: Pfn) -> Option<Slot> {
        let (address, format) = (physmap::address(first), self.format);
        if !address.0.is_multiple_of(1 << format.shift(Level::L2)) {
            return None;
        }
        let (mut table, mut level) = (self.kernel_root, format.root_level());
        loop {
            let index = format.index(level, address);
            let entry = format.decode(level, self.read(table, index));
            match entry {
                entry if level == Level::L2 => return Some(Slot { table, index, entry }),
                Entry::Table(next) => (table, level) = (next, level.below()?),
                _ => return None,
            }
        }
    }

    /// Not inlined: the list is large for a kernel's stack.
    #[inline(never)]
    fn unmap_group(&mut self, firsts: &[Pfn]) -> usize {
        let mut updates = Vec::<Update, { 2 * BLOCKS }>::new();
        let mut tables = Vec::<Pfn, BLOCKS>::new();
        for &first in firsts {
            let Some(slot) = self.slot(first) else { break };
            let Entry::Table(frame) = slot.entry else { break };
            let Some(page) = self.p2m.page_of(frame) else { break };
            let ordinary = self.format.page_entry(frame, Protection::WRITE);
            // There is room for as many as a group has.
            let _ = updates.push(slot.update(0));
            let _ = updates.push(Update::new(kernel_page(physmap::address(page)), ordinary));
            let _ = tables.push(page);
        }
        let made = made(&updates);
        for &page in &tables[..made / 2] {
            // SAFETY: it was a table, is none any more, and is mapped writable.
            self.free(unsafe { Page::from_pfn(page) });
        }
        // A table that is out of the map and could not be made writable is nobody's from here on.
        made.div_ceil(2)
    }

    #[inline(never)]
    fn map_group(&mut self, firsts: &[Pfn]) -> usize {
        let mut updates = Vec::<Update, { 3 * BLOCKS }>::new();
        let mut puts = Vec::<Put, BLOCKS>::new();
        for &first in firsts {
            let Some(slot) = self.slot(first) else { break };
            let replaced = match slot.entry {
                Entry::Absent => None,
                Entry::Table(frame) => Some(frame),
                Entry::Page(..) => break,
            };
            let old = replaced.and_then(|frame| self.p2m.page_of(frame));
            if old.is_some() != replaced.is_some() {
                break;
            }
            let Some((page, frame)) = self.table_of(first) else { break };
            let format = self.format;
            let sealed = format.page_entry(frame, Protection::READ);
            // There is room for as many as a group has.
            let _ = updates.push(Update::new(kernel_page(physmap::address(page)), sealed));
            let _ = updates.push(slot.update(format.table_entry(frame)));
            let mapped_by = updates.len();
            if let Some((page, frame)) = old.zip(replaced) {
                let ordinary = format.page_entry(frame, Protection::WRITE);
                let _ = updates.push(Update::new(kernel_page(physmap::address(page)), ordinary));
            }
            let _ = puts.push(Put { page, replaced: old, mapped_by });
        }
        let made = made(&updates);
        let mapped = puts.iter().take_while(|put| put.mapped_by <= made).count();
        for old in puts[..mapped].iter().filter(|put| put.mapped_by < made) {
            if let Some(page) = old.replaced {
                // SAFETY: it was a table, is none any more, and is mapped writable.
                self.free(unsafe { Page::from_pfn(page) });
            }
        }
        for put in &puts[mapped..] {
            if let Some(frame) = self.p2m.frame_of(put.page) {
                // SAFETY: nothing names the table: it becomes an ordinary page again.
                unsafe { self.validated() }.discard_table(frame);
            }
        }
        mapped
    }

    /// A page that is a table of a block of pages, as it will be validated, and its frame. `None`: there is no
    /// page, or one of the block's has no frame.
    fn table_of(&mut self, first: Pfn) -> Option<(Pfn, Mfn)> {
        let page = self.allocate()?;
        for at in 0..EXTENT_FRAMES {
            let Some(frame) = self.p2m.frame_of(Pfn(first.0 + at)) else {
                self.free(page);
                return None;
            };
            let entry = self.format.page_entry(frame, Protection::WRITE);
            // SAFETY: the page is ours alone, and holds nothing.
            unsafe { physmap::write_word(page.pfn(), at as usize, entry) };
        }
        let frame = self.p2m.frame_of(page.pfn());
        // What has a token has a frame.
        frame.map(|frame| (page.into_pfn(), frame))
    }
}

/// As many blocks as can be done, from the first, group by group: a group that is not done whole may have
/// freed a page that the next one takes, so it goes on until one does nothing.
fn in_groups(firsts: &[Pfn], mut group: impl FnMut(&[Pfn]) -> usize) -> usize {
    let mut done = 0;
    while done < firsts.len() {
        let now = group(&firsts[done..firsts.len().min(done + BLOCKS)]);
        if now == 0 {
            break;
        }
        done += now;
    }
    done
}

/// Makes updates: how many, from the first.
fn made(updates: &[Update]) -> usize {
    if updates.is_empty() {
        return 0;
    }
    // SAFETY: the pages of the blocks are nobody's, and so are the tables that are made ordinary pages.
    let result = unsafe { calls::pte_update(updates) };
    result.unwrap_or_else(|partial| partial.done) as usize
}
