//! Inodes: what a file is, apart from its names; and the table of them.

use super::{
    DeviceNumber, FileSystem, Node, Storage, Time, content::FileContent, directory::Directory,
    pipe::Pipe,
};
use crate::Pfn;
use alloc::{boxed::Box, vec::Vec};
use slab::Slab;

/// Number of an inode. It is used again when the inode is gone, so who keeps one holds the
/// inode: [`FileSystem::hold`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ino(pub(crate) u32);

impl Ino {
    /// What programs see.
    pub const fn number(self) -> u64 {
        self.0 as u64 + 1
    }
}

/// What kind of file it is. The value is that of Linux's `st_mode`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum FileType {
    /// A pipe, with or without a name.
    Fifo = 0o010_000,
    /// A character device.
    Device = 0o020_000,
    /// A directory.
    Directory = 0o040_000,
    /// A regular file.
    File = 0o100_000,
    /// A symbolic link.
    Symlink = 0o120_000,
}

impl FileType {
    /// Bits of a mode that say the type.
    pub const MASK: u32 = 0o170_000;

    /// The type in `st_mode`.
    pub const fn mode_bits(self) -> u32 {
        self as u32
    }

    /// The type in a directory entry (`d_type`).
    pub const fn entry_type(self) -> u8 {
        (self as u32 >> 12) as u8
    }
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    File(FileContent),
    Directory(Directory),
    Symlink(Box<[u8]>),
    Fifo(Pipe),
    Device(DeviceNumber),
}

impl Content {
    pub fn kind(&self) -> FileType {
        match self {
            Self::File(_) => FileType::File,
            Self::Directory(_) => FileType::Directory,
            Self::Symlink(_) => FileType::Symlink,
            Self::Fifo(_) => FileType::Fifo,
            Self::Device(_) => FileType::Device,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub content: Content,
    /// The lower twelve bits of the mode.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Names, and for a directory what is in it that names it.
    pub links: u32,
    /// Who else keeps it: descriptions, mappings, working directories, children's `..`.
    pub uses: u32,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    /// Of a directory: what `..` is, held. Of others: where a name of it was last, to be checked.
    pub parent: Ino,
    /// A pipe without a name: it does not count as an inode of the file system.
    pub anonymous: bool,
}

impl Inode {
    pub fn set_times(&mut self, time: Time) {
        (self.atime, self.mtime, self.ctime) = (time, time, time);
    }
}

/// All inodes by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Inodes(Slab<Inode>);

impl Inodes {
    pub fn insert(&mut self, inode: Inode) -> Ino {
        Ino(self.0.insert(inode) as u32)
    }

    /// An inode by a number that nobody may hold any more.
    pub fn get(&self, ino: Ino) -> Option<&Inode> {
        self.0.get(ino.0 as usize)
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (Ino, &Inode)> {
        self.0.iter().map(|(slot, inode)| (Ino(slot as u32), inode))
    }
}

/// An inode that has a name or is held. Anything else is a mistake of the kernel.
impl core::ops::Index<Ino> for Inodes {
    type Output = Inode;
    fn index(&self, ino: Ino) -> &Inode {
        &self.0[ino.0 as usize]
    }
}

impl core::ops::IndexMut<Ino> for Inodes {
    fn index_mut(&mut self, ino: Ino) -> &mut Inode {
        &mut self.0[ino.0 as usize]
    }
}

/// Pages that a file has no more. Processes may still map them: unmap the file from its page
/// `from` on everywhere, then give them back.
#[derive(Debug)]
#[must_use = "unmap the pages, then give them back"]
pub struct Detached {
    /// The file.
    pub ino: Ino,
    /// The first page that it has not any more.
    pub from: u64,
    /// Its pages from there.
    pub pages: Vec<Pfn>,
}

impl Detached {
    /// Gives the pages back. No process maps them any more.
    pub fn give(self, storage: &mut dyn Storage) {
        self.pages.into_iter().for_each(|page| storage.give(page));
    }
}

impl FileSystem {
    /// Keeps a node, for a mapping or a working directory, until it is released as often.
    pub fn hold(&mut self, node: Node) {
        if let Node::Inode(ino) = node {
            self.inodes[ino].uses += 1;
        }
    }

    /// Keeps a node no more. With the last name and the last who kept it goes the file.
    pub fn release(&mut self, node: Node, storage: &mut dyn Storage) {
        if let Node::Inode(ino) = node {
            self.inodes[ino].uses -= 1;
            self.reap(ino, storage);
        }
    }

    /// Frees an inode if nothing names or keeps it; then perhaps what only it kept.
    pub(super) fn reap(&mut self, ino: Ino, storage: &mut dyn Storage) {
        let mut next = Some(ino);
        while let Some(ino) = next.take() {
            if self.inodes[ino].links != 0 || self.inodes[ino].uses != 0 {
                return;
            }
            let mut inode = self.inodes.0.remove(ino.0 as usize);
            if !inode.anonymous {
                self.space.give_inode();
            }
            match &mut inode.content {
                Content::File(content) => content.free(storage, &mut self.space),
                Content::Symlink(text) => self.space.give_name(text.len() as u64),
                Content::Directory(_) => {
                    self.inodes[inode.parent].uses -= 1;
                    next = Some(inode.parent);
                }
                // Who had a pipe open kept it: it is empty.
                Content::Fifo(_) | Content::Device(_) => {}
            }
        }
    }

    /// Ends the file system: gives all its pages back. Nothing maps or uses it any more.
    pub fn dispose(mut self, storage: &mut dyn Storage) {
        for mut inode in self.inodes.0.drain() {
            match &mut inode.content {
                Content::File(content) => content.free(storage, &mut self.space),
                // Who has none open has nothing to give back.
                Content::Fifo(pipe) if pipe.readers + pipe.writers > 0 => {
                    (pipe.readers, pipe.writers) = (1, 0);
                    pipe.close(true, false, storage, &mut self.space);
                }
                _ => {}
            }
        }
    }
}
