//! Listing a directory: `getdents`.

use super::{
    DescriptionId, Errno, FileSystem, FileType, Node, OpenFlags, Processes, inode::Content,
};
use alloc::borrow::Cow;

/// An entry of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// What programs see as the inode number.
    pub ino: u64,
    /// Where the listing goes on behind it: for `lseek`.
    pub next: u64,
    /// What kind of file it is.
    pub kind: FileType,
    /// Its name.
    pub name: &'a [u8],
}

impl FileSystem {
    /// Lists from where the description is, and moves it, until `each` takes no more. An entry
    /// that is there throughout a listing is listed once, whatever else comes and goes.
    ///
    /// # Errors
    /// `EBADF` if it does not read, `ENOTDIR`, `ENOENT` of a directory that is gone.
    pub fn list(
        &mut self,
        id: DescriptionId,
        processes: &dyn Processes,
        each: &mut dyn FnMut(Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let description = self.description(id);
        if description.flags.contains(OpenFlags::PATH) {
            return Err(Errno::EBADF);
        }
        let node = description.node;
        if self.kind(node) != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        if let Node::Inode(ino) = node
            && self.inodes[ino].links == 0
        {
            return Err(Errno::ENOENT);
        }
        let mut place = description.offset;
        while let Some((next, name, entry)) = self.entry_at(node, place, processes) {
            let kind = self.kind(entry);
            if !each(Entry { ino: entry.number(), next, kind, name: &name }) {
                break;
            }
            place = next;
        }
        let clock = self.clock;
        self.description_mut(id).offset = place;
        if let Node::Inode(ino) = node {
            self.inodes[ino].atime = clock;
        }
        Ok(())
    }

    fn entry_at(
        &self,
        directory: Node,
        place: u64,
        processes: &dyn Processes,
    ) -> Option<(u64, Cow<'_, [u8]>, Node)> {
        match (place, directory) {
            (0, _) => Some((1, Cow::Borrowed(b"."), directory)),
            (1, _) => Some((2, Cow::Borrowed(b".."), self.parent(directory))),
            (_, Node::Proc(directory)) => {
                let (next, node) = directory.at(place, processes)?;
                Some((next, Cow::Owned(node.name()), Node::Proc(node)))
            }
            (_, Node::Inode(ino)) => {
                let Content::Directory(entries) = &self.inodes[ino].content else { return None };
                let (next, name, ino) = entries.at(place)?;
                Some((next, Cow::Borrowed(name), self.mounted(ino)))
            }
        }
    }
}
