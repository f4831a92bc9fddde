//! Files by their pages: their size, what `mmap` maps of them, what `exec` reads.

use super::{
    Caller, DescriptionId, Detached, Device, Errno, FileSystem, FileType, Ino, Node, OpenFlags,
    Permission, Storage, inode::Content,
};
use crate::{PAGE, Pfn};
use alloc::vec::Vec;

/// What a description gives to map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mappable {
    /// The pages of a file. Hold it while it is mapped.
    File(Ino),
    /// Pages of zeros, as without a file: `/dev/zero`.
    Zeros,
}

impl FileSystem {
    /// Sets the size of a file: `truncate`.
    ///
    /// # Errors
    /// `EINVAL` of a negative size and of what is no regular file; `EISDIR`; `EACCES`.
    pub fn set_size(
        &mut self,
        caller: &Caller<'_>,
        node: Node,
        size: i64,
        storage: &mut dyn Storage,
    ) -> Result<Detached, Errno> {
        let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
        match (node, self.kind(node)) {
            (_, FileType::Directory) => Err(Errno::EISDIR),
            (Node::Inode(ino), FileType::File) => {
                self.permit(caller, node, Permission::WRITE)?;
                Ok(self.resize(ino, size, storage))
            }
            (Node::Proc(_), _) => Err(Errno::EACCES),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Sets the size of an open file: `ftruncate`.
    ///
    /// # Errors
    /// `EINVAL` of a negative size, of what is no regular file, and if it does not write; `EBADF`
    /// of a place alone.
    pub fn set_size_of(
        &mut self,
        id: DescriptionId,
        size: i64,
        storage: &mut dyn Storage,
    ) -> Result<Detached, Errno> {
        let description = self.description(id);
        if description.flags.contains(OpenFlags::PATH) {
            return Err(Errno::EBADF);
        }
        let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
        match description.node {
            Node::Inode(ino)
                if description.flags.is_write()
                    && self.kind(Node::Inode(ino)) == FileType::File =>
            {
                Ok(self.resize(ino, size, storage))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Sets the size of a regular file; others have none.
    pub(super) fn resize(&mut self, ino: Ino, size: u64, storage: &mut dyn Storage) -> Detached {
        let clock = self.clock;
        let inode = &mut self.inodes[ino];
        let pages = match &mut inode.content {
            Content::File(content) => content.set_size(size, storage, &mut self.space),
            _ => Vec::new(),
        };
        (inode.mtime, inode.ctime) = (clock, clock);
        Detached { ino, from: size.div_ceil(PAGE as u64), pages }
    }

    /// Bytes of a regular file; others have none.
    pub fn size_of(&self, ino: Ino) -> u64 {
        match &self.inodes[ino].content {
            Content::File(content) => content.size(),
            _ => 0,
        }
    }

    /// The page of a file at an index, to be mapped. The page stays the file's until it is
    /// [`Detached`] or the file goes, which who holds it prevents. A hole is `None`, or is filled
    /// with a page of zeros if `create`: what is mapped shared and written must have a page.
    ///
    /// # Errors
    /// `ENXIO` behind the end (`SIGBUS`), `ENOSPC`, `ENOMEM`, `ENODEV` if it is no regular file.
    pub fn page_of(
        &mut self,
        ino: Ino,
        index: u64,
        create: bool,
        storage: &mut dyn Storage,
    ) -> Result<Option<Pfn>, Errno> {
        match &mut self.inodes[ino].content {
            Content::File(content) => content.page(index, create, storage, &mut self.space),
            _ => Err(Errno::ENODEV),
        }
    }

    /// What a description gives to map; `shared_write` if stores are to reach the file.
    ///
    /// # Errors
    /// `EACCES` if it does not read, or write where it must; `ENODEV` if it cannot be mapped;
    /// `EBADF` of a place alone.
    pub fn mappable(&self, id: DescriptionId, shared_write: bool) -> Result<Mappable, Errno> {
        let description = self.description(id);
        let flags = description.flags;
        if flags.contains(OpenFlags::PATH) {
            return Err(Errno::EBADF);
        }
        if !flags.is_read() || (shared_write && !flags.is_write()) {
            return Err(Errno::EACCES);
        }
        match description.node {
            Node::Inode(ino) if self.kind(Node::Inode(ino)) == FileType::File => {
                Ok(Mappable::File(ino))
            }
            node if self.device(node) == Some(Device::Zero) => Ok(Mappable::Zeros),
            _ => Err(Errno::ENODEV),
        }
    }

    /// The file of a program that the caller may execute. Hold it while it runs.
    ///
    /// # Errors
    /// `EACCES` if it is no regular file, or may not be executed.
    pub fn program(&self, caller: &Caller<'_>, node: Node) -> Result<Ino, Errno> {
        match node {
            Node::Inode(ino) if self.kind(node) == FileType::File => {
                self.permit(caller, node, Permission::EXECUTE)?;
                Ok(ino)
            }
            _ => Err(Errno::EACCES),
        }
    }

    /// Reads a regular file by its inode: how many bytes; none at the end.
    pub fn read_file(&self, ino: Ino, offset: u64, to: &mut [u8], storage: &dyn Storage) -> usize {
        match &self.inodes[ino].content {
            Content::File(content) => content.read(offset, to, storage),
            _ => 0,
        }
    }
}
