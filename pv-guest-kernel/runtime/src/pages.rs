//! Which pages are free: a bitmap over the guest's pseudo-physical memory.

use hypercall_abi::Pfn;

/// The free pages of a guest. Storage is the caller's: one bit a page.
#[derive(Debug)]
pub struct PageAllocator<'a> {
    /// A set bit is a free page.
    words: &'a mut [u64],
    pages: u64,
    free: u64,
    /// No word before this one has a free page.
    hint: usize,
}

/// A page was freed that is not the allocator's, or that is free already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotTaken(pub Pfn);

impl<'a> PageAllocator<'a> {
    /// Words of storage that `pages` pages need.
    pub const fn words_for(pages: u64) -> usize {
        pages.div_ceil(64) as usize
    }

    /// An allocator over pages `0..pages`, none of them free.
    ///
    /// # Panics
    /// If `words` is shorter than [`words_for`](Self::words_for) says.
    pub fn new(words: &'a mut [u64], pages: u64) -> PageAllocator<'a> {
        let needed = Self::words_for(pages);
        assert!(words.len() >= needed, "the bitmap of {pages} pages needs {needed} words");
        words.fill(0);
        PageAllocator { words, pages, free: 0, hint: 0 }
    }

    /// Pages that are free.
    pub const fn free_pages(&self) -> u64 {
        self.free
    }

    /// Whether a page is free.
    pub fn is_free(&self, page: Pfn) -> bool {
        page.0 < self.pages && self.words[page.0 as usize / 64] >> (page.0 % 64) & 1 == 1
    }

    /// Takes the lowest free page.
    pub fn take(&mut self) -> Option<Pfn> {
        let word = (self.hint..self.words.len()).find(|&word| self.words[word] != 0)?;
        self.hint = word;
        let bit = self.words[word].trailing_zeros();
        self.words[word] &= !(1 << bit);
        self.free -= 1;
        Some(Pfn(word as u64 * 64 + bit as u64))
    }

    /// Takes the lowest `count` pages that follow one another; the first of them.
    pub fn take_contiguous(&mut self, count: u64) -> Option<Pfn> {
        if count == 0 || count > self.free {
            return None;
        }
        let mut run = 0;
        for page in 0..self.pages {
            run = if self.is_free(Pfn(page)) { run + 1 } else { 0 };
            if run == count {
                let first = page + 1 - count;
                for taken in first..=page {
                    self.words[taken as usize / 64] &= !(1 << (taken % 64));
                }
                self.free -= count;
                return Some(Pfn(first));
            }
        }
        None
    }

    /// Takes all free pages but `keep`, the highest first; the lowest are kept.
    pub fn take_all_but(&mut self, keep: u64, mut each: impl FnMut(Pfn)) {
        for word in (0..self.words.len()).rev() {
            while self.words[word] != 0 && self.free > keep {
                let bit = self.words[word].ilog2();
                self.words[word] &= !(1 << bit);
                self.free -= 1;
                each(Pfn(word as u64 * 64 + u64::from(bit)));
            }
        }
    }

    /// Makes a page free.
    ///
    /// # Errors
    /// [`NotTaken`], and nothing changes: the page is beyond the end or free already.
    pub fn give(&mut self, page: Pfn) -> Result<(), NotTaken> {
        if page.0 >= self.pages || self.is_free(page) {
            return Err(NotTaken(page));
        }
        let word = page.0 as usize / 64;
        self.words[word] |= 1 << (page.0 % 64);
        self.free += 1;
        self.hint = self.hint.min(word);
        Ok(())
    }
}
