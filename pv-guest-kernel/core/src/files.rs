//! The file system as memory sees it: an inode is a file, and its pages are mapped.

use crate::{
    Platform,
    fs::{Errno, FileSystem, Ino, Node},
    kernel::Store,
    memory::{FileId, FilePage, FilePages, Frames},
};

impl<P: Platform> FilePages<P> for FileSystem {
    fn page(
        &mut self,
        platform: &mut P,
        frames: &mut Frames,
        file: FileId,
        index: u64,
        fill: bool,
    ) -> FilePage {
        let mut store = Store { platform, frames };
        match self.page_of(Ino::from(file), index, fill, &mut store) {
            Ok(Some(page)) => FilePage::Page(page),
            Ok(None) => FilePage::Hole,
            Err(Errno::ENXIO) => FilePage::Beyond,
            Err(Errno::ENOMEM) => FilePage::NoMemory,
            Err(_) => FilePage::Refused,
        }
    }

    fn keep(&mut self, file: FileId) {
        self.hold(Node::Inode(file.into()));
    }

    fn release(&mut self, platform: &mut P, frames: &mut Frames, file: FileId) {
        let mut store = Store { platform, frames };
        FileSystem::release(self, Node::Inode(file.into()), &mut store);
    }
}

impl From<FileId> for Ino {
    fn from(file: FileId) -> Ino {
        // A file's name in memory was made of an inode's: it fits.
        Ino(file.0 as u32)
    }
}

impl From<Ino> for FileId {
    fn from(ino: Ino) -> FileId {
        FileId(ino.0.into())
    }
}
