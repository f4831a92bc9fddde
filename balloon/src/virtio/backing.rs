//! What the device has done with the frames behind a guest's pages.

use crate::Answer;
use hypercall_abi::Pfn;

/// The hypervisor as the device sees it: frames of one guest, taken and given.
///
/// Which page may go or come is decided and remembered by the device; here is how.
pub trait Backing {
    /// Takes the frames behind pages. When it returns, those of the first [`Answer::done`] are out of the
    /// guest's map, no translation of them is cached anywhere, and they are not the guest's any more:
    /// only then is the guest told. The pages differ and all have a frame.
    ///
    /// The page after them was refused, if any was, for instance because a device reads or writes it. It
    /// keeps its frame, and the device asks for those after it.
    fn take(&mut self, pages: &[Pfn]) -> Answer;

    /// Backs pages with frames of zeros. The first [`Answer::done`] can be used when it returns. The pages
    /// differ and none has a frame. What is refused is asked for again.
    fn give(&mut self, pages: &[Pfn]) -> Answer;
}
