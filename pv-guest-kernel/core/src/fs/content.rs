//! Content of a regular file: pages and a size. A page that is not there reads as zeros.

use super::{Errno, Storage, space::Space};
use crate::{PAGE, Pfn};
use alloc::{collections::BTreeMap, vec::Vec};

/// Bytes of a file at most.
pub const MAX_FILE: u64 = i64::MAX as u64;

/// A page of zeros, to write from.
static ZEROS: [u8; PAGE] = [0; PAGE];

#[derive(Clone, Debug, Default)]
pub(super) struct FileContent {
    pages: BTreeMap<u64, Pfn>,
    size: u64,
}

impl FileContent {
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Its pages, each with which of the file's it is.
    pub fn numbered_pages(&self) -> impl Iterator<Item = (u64, Pfn)> {
        self.pages.iter().map(|(number, page)| (*number, *page))
    }

    #[cfg(test)]
    pub fn pages(&self) -> impl Iterator<Item = Pfn> {
        self.pages.values().copied()
    }

    /// Reads up to the end: how many bytes.
    pub fn read(&self, offset: u64, to: &mut [u8], storage: &dyn Storage) -> usize {
        let length = self.size.saturating_sub(offset).min(to.len() as u64) as usize;
        let mut done = 0;
        while done < length {
            let (index, within) = split(offset + done as u64);
            let part = &mut to[done..length.min(done + PAGE - within)];
            match self.pages.get(&index) {
                Some(&page) => storage.read(page, within, part),
                None => part.fill(0),
            }
            done += part.len();
        }
        length
    }

    /// Writes, growing the file: how many bytes, fewer where space or memory ends.
    pub fn write(
        &mut self,
        offset: u64,
        from: &[u8],
        storage: &mut dyn Storage,
        space: &mut Space,
    ) -> Result<usize, Errno> {
        if from.is_empty() {
            return Ok(0);
        }
        if offset >= MAX_FILE {
            return Err(Errno::EFBIG);
        }
        let length = (MAX_FILE - offset).min(from.len() as u64) as usize;
        if offset > self.size {
            self.clear_tail(storage);
        }
        let mut done = 0;
        while done < length {
            let (index, within) = split(offset + done as u64);
            let part = &from[done..length.min(done + PAGE - within)];
            match self.page_to_write(index, part.len() < PAGE, storage, space) {
                Ok(page) => storage.write(page, within, part),
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
            done += part.len();
        }
        self.size = self.size.max(offset + done as u64);
        Ok(done)
    }

    /// The page at an index, new if it was not there; cleared if that is asked for.
    fn page_to_write(
        &mut self,
        index: u64,
        cleared: bool,
        storage: &mut dyn Storage,
        space: &mut Space,
    ) -> Result<Pfn, Errno> {
        if let Some(&page) = self.pages.get(&index) {
            return Ok(page);
        }
        space.take_file_page()?;
        let Some(page) = storage.take() else {
            space.give_file_pages(1);
            return Err(Errno::ENOMEM);
        };
        if cleared {
            // What the page held before belongs to somebody else.
            storage.clear(page);
        }
        self.pages.insert(index, page);
        Ok(page)
    }

    /// The page at an index, to be mapped; a hole is filled if `create`.
    pub fn page(
        &mut self,
        index: u64,
        create: bool,
        storage: &mut dyn Storage,
        space: &mut Space,
    ) -> Result<Option<Pfn>, Errno> {
        if index >= self.size.div_ceil(PAGE as u64) {
            return Err(Errno::ENXIO);
        }
        if create {
            self.page_to_write(index, true, storage, space).map(Some)
        } else {
            Ok(self.pages.get(&index).copied())
        }
    }

    /// Sets the size. The pages behind a new end are the caller's.
    pub fn set_size(
        &mut self,
        size: u64,
        storage: &mut dyn Storage,
        space: &mut Space,
    ) -> Vec<Pfn> {
        let mut gone = Vec::new();
        if size > self.size {
            self.clear_tail(storage);
            self.size = size;
        } else if size < self.size {
            let pages = self.pages.split_off(&size.div_ceil(PAGE as u64));
            gone.extend(pages.into_values());
            space.give_file_pages(gone.len());
            self.size = size;
            self.clear_tail(storage);
        }
        gone
    }

    /// Clears what lies behind the end in the last page. A process that maps the page may have
    /// written there; it must not show when the file grows.
    fn clear_tail(&mut self, storage: &mut dyn Storage) {
        let (index, within) = split(self.size);
        if within != 0
            && let Some(&page) = self.pages.get(&index)
        {
            storage.write(page, within, &ZEROS[within..]);
        }
    }

    /// The first byte of data at or behind an offset within the file. Pages are data.
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let (index, _) = self.pages.range(offset / PAGE as u64..).next()?;
        Some(offset.max(index * PAGE as u64)).filter(|data| *data < self.size)
    }

    /// The first byte of a hole at or behind an offset within the file. There is one at the end.
    pub fn next_hole(&self, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let first = offset / PAGE as u64;
        let mut hole = first;
        for &index in self.pages.range(first..).map(|(index, _)| index) {
            if index != hole {
                break;
            }
            hole += 1;
        }
        Some(offset.max(hole.saturating_mul(PAGE as u64)).min(self.size))
    }

    /// Gives all pages back.
    pub fn free(&mut self, storage: &mut dyn Storage, space: &mut Space) {
        space.give_file_pages(self.pages.len());
        for page in core::mem::take(&mut self.pages).into_values() {
            storage.give(page);
        }
        self.size = 0;
    }
}

/// Page and offset within it.
fn split(offset: u64) -> (u64, usize) {
    (offset / PAGE as u64, (offset % PAGE as u64) as usize)
}
