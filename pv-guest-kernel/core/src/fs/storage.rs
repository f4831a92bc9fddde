//! What the file system needs of the machine: [`Storage`].

use crate::{PAGE, Pfn};

/// Pages for content, and random bytes.
///
/// The kernel implements it over its frame allocator and its platform. The file system passes
/// only pages that it took and has not given back, with offset and length within one page.
pub trait Storage {
    /// A page for the file system, whatever it holds; `None` when there is none. An
    /// implementation may reclaim memory first.
    fn take(&mut self) -> Option<Pfn>;
    /// The file system uses the page no more. No process maps it: see
    /// [`Detached`](super::Detached).
    fn give(&mut self, page: Pfn);
    /// Reads bytes of a page.
    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]);
    /// Writes bytes of a page.
    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]);
    /// Whether anybody wants to know which pages of files are alike.
    fn names_content(&self) -> bool {
        false
    }
    /// Pages that were named by the same number most probably hold the same.
    fn name_content(&mut self, _page: Pfn, _content: u64) {}
    /// Fills a page with zeros.
    fn clear(&mut self, page: Pfn);
    /// Keeps a page's bytes under a number, in place of those before, as long as the machine has memory to
    /// spare: for `/dev/spare`. False: none are kept under it.
    fn spare_put(&mut self, _number: u64, _from: &[u8; PAGE]) -> bool {
        false
    }
    /// Gets them back. False: they are not there, and `to` is as it was.
    fn spare_get(&mut self, _number: u64, _to: &mut [u8; PAGE]) -> bool {
        false
    }
    /// Fills with bytes that nobody can guess, for `/dev/random` and `/dev/urandom`.
    fn random(&mut self, to: &mut [u8]);
}
