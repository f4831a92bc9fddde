//! What the file system does for memory: [`FilePages`].

use super::{FileId, Frames};
use crate::{Pfn, Platform};

/// A page of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilePage {
    /// It is this one.
    Page(Pfn),
    /// The file has none there: zeros.
    Hole,
    /// The file ends before it.
    Beyond,
    /// A page was wanted for a hole, and there is none.
    NoMemory,
    /// A page was wanted for a hole, and the file may not grow, or its device failed.
    Refused,
}

/// The file system as memory sees it. The content of a file lies in pages of [`Frames`], of
/// [`Kind::File`](super::Kind::File), with one use by the file; memory adds its own. When the
/// file gives a page back that is mapped, the mapping keeps it.
pub trait FilePages<P: Platform> {
    /// A page of a file's content. In the last one, the bytes behind the file's end are zero.
    ///
    /// With `fill`, a hole gets a page of zeros: the mapping is shared, and must see what is
    /// written later.
    fn page(
        &mut self,
        platform: &mut P,
        frames: &mut Frames,
        file: FileId,
        index: u64,
        fill: bool,
    ) -> FilePage;

    /// An area more maps the file: it stays when its last name and descriptor are gone.
    fn keep(&mut self, file: FileId);

    /// An area less maps it. The file goes when nothing else keeps it.
    fn release(&mut self, platform: &mut P, frames: &mut Frames, file: FileId);
}

/// No file system: no file has a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoFiles;

impl<P: Platform> FilePages<P> for NoFiles {
    fn page(&mut self, _: &mut P, _: &mut Frames, _: FileId, _: u64, _: bool) -> FilePage {
        FilePage::Beyond
    }

    fn keep(&mut self, _: FileId) {}

    fn release(&mut self, _: &mut P, _: &mut Frames, _: FileId) {}
}
