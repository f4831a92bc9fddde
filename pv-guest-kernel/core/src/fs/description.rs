//! Open file descriptions: what descriptors are for. `dup` and `fork` share them.

use super::{
    Errno, FileSystem, FileType, Ino, Node, OpenFlags, Storage, inode::Content, pipe::Pipe,
};
use alloc::{boxed::Box, vec::Vec};

/// An open file description. Who keeps one counts: [`FileSystem::share`] and
/// [`FileSystem::close`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DescriptionId(pub(super) u32);

/// What a call waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wait {
    /// There is something to read from a pipe, or nobody writes to it any more.
    Readable(Ino),
    /// There is room in a pipe, or nobody reads from it any more.
    Writable(Ino),
    /// The other end of a FIFO is opened.
    Partner(Ino),
}

#[derive(Clone, Debug)]
pub(super) struct Description {
    pub node: Node,
    pub flags: OpenFlags,
    pub offset: u64,
    pub count: u32,
    /// What a file of `/proc` said when it was opened.
    pub snapshot: Option<Box<[u8]>>,
    /// Of a FIFO whose opening waits: how often the other end had been opened then.
    pub opening: Option<u64>,
}

impl FileSystem {
    /// The file that a description is of.
    pub fn node_of(&self, id: DescriptionId) -> Node {
        self.description(id).node
    }

    /// Access mode and status flags (`F_GETFL`).
    pub fn flags(&self, id: DescriptionId) -> OpenFlags {
        self.description(id).flags
    }

    /// Sets the status flags that can be set (`F_SETFL`); others are left as they are.
    pub fn set_flags(&mut self, id: DescriptionId, flags: OpenFlags) {
        let settable = OpenFlags::SETTABLE;
        let description = self.description_mut(id);
        description.flags = (description.flags - settable) | (flags & settable);
    }

    /// Says what an open file of `/proc` says, which was not known when it was opened.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn set_snapshot(&mut self, id: DescriptionId, text: Vec<u8>) -> Result<(), Errno> {
        self.space.take_snapshot(text.len())?;
        let old = self.description_mut(id).snapshot.replace(text.into());
        self.space.give_snapshot(old.map_or(0, |old| old.len()));
        Ok(())
    }

    /// Bytes that a pipe holds at most; other files hold none.
    pub fn capacity(&self, id: DescriptionId) -> u64 {
        self.pipe_of(self.node_of(id)).map_or(0, |(_, pipe)| pipe.capacity() as u64)
    }

    /// Counts one more who keeps a description.
    pub fn share(&mut self, id: DescriptionId) {
        self.description_mut(id).count += 1;
    }

    /// Counts one less. The last one closes the file.
    pub fn close(&mut self, id: DescriptionId, storage: &mut dyn Storage) {
        self.description_mut(id).count -= 1;
        if self.description(id).count != 0 {
            return;
        }
        let description = self.descriptions.remove(id.0 as usize);
        self.space.usage.open_files -= 1;
        if let Some(snapshot) = &description.snapshot {
            self.space.give_snapshot(snapshot.len());
        }
        let flags = description.flags;
        if let Node::Inode(ino) = description.node
            && let Content::Fifo(pipe) = &mut self.inodes[ino].content
            && !flags.contains(OpenFlags::PATH)
        {
            pipe.close(flags.is_read(), flags.is_write(), storage, &mut self.space);
            let (readers, writers) = (pipe.readers, pipe.writers);
            if writers == 0 {
                self.wake(Wait::Readable(ino));
            }
            if readers == 0 {
                self.wake(Wait::Writable(ino));
            }
        }
        self.release(description.node, storage);
    }

    /// A new description with one who keeps it. There is room for it.
    pub(super) fn describe_open(
        &mut self,
        node: Node,
        flags: OpenFlags,
        snapshot: Option<Box<[u8]>>,
    ) -> DescriptionId {
        self.hold(node);
        self.space.usage.open_files += 1;
        let description = Description { node, flags, offset: 0, count: 1, snapshot, opening: None };
        DescriptionId(self.descriptions.insert(description) as u32)
    }

    pub(super) fn description(&self, id: DescriptionId) -> &Description {
        &self.descriptions[id.0 as usize]
    }

    pub(super) fn description_mut(&mut self, id: DescriptionId) -> &mut Description {
        &mut self.descriptions[id.0 as usize]
    }

    /// The pipe that a node is.
    pub(super) fn pipe_of(&self, node: Node) -> Option<(Ino, &Pipe)> {
        match node {
            Node::Inode(ino) => match &self.inodes[ino].content {
                Content::Fifo(pipe) => Some((ino, pipe)),
                _ => None,
            },
            Node::Proc(_) => None,
        }
    }

    /// Bytes that can be read at once from a pipe (`FIONREAD`); of a file, bytes to its end.
    pub fn available(&self, id: DescriptionId) -> u64 {
        let description = self.description(id);
        match self.pipe_of(description.node) {
            Some((_, pipe)) => pipe.length() as u64,
            None => self.length_of(id).saturating_sub(description.offset),
        }
    }

    /// Bytes of what a description is of.
    pub(super) fn length_of(&self, id: DescriptionId) -> u64 {
        let description = self.description(id);
        match (&description.snapshot, description.node) {
            (Some(snapshot), _) => snapshot.len() as u64,
            (None, Node::Inode(ino)) if self.kind(description.node) == FileType::File => {
                self.size_of(ino)
            }
            _ => 0,
        }
    }
}
