//! What the file system needs of the machine: [`Storage`].

use crate::Pfn;

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
    /// Fills with bytes that nobody can guess, for `/dev/random` and `/dev/urandom`.
    fn random(&mut self, to: &mut [u8]);
}
