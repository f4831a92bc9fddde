//! Opening: `open`, `pipe`, and the FIFO that waits for its other end.

use super::{
    At, Caller, DescriptionId, Detached, Device, Errno, FileSystem, FileType, Follow, Node,
    Permission, ProcNode, Storage, Wait,
    content::FileContent,
    inode::{Content, Inode},
    pipe::Pipe,
};
use alloc::{boxed::Box, vec::Vec};
use bitflags::bitflags;

bitflags! {
    /// How a file is opened, in Linux's numbers, which are equal on both machines. Unknown bits
    /// do nothing, as in Linux: make it with `from_bits_retain`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct OpenFlags: u32 {
        /// Write only. Without this and `RDWR`: read only.
        const WRONLY = 1;
        /// Read and write.
        const RDWR = 2;
        /// Make the file if it is not there.
        const CREAT = 0o100;
        /// Fail if it is there.
        const EXCL = 0o200;
        /// Do not make it the process's terminal.
        const NOCTTY = 0o400;
        /// Throw its content away.
        const TRUNC = 0o1000;
        /// Write at the end.
        const APPEND = 0o2000;
        /// `EAGAIN` where it would wait.
        const NONBLOCK = 0o4000;
        /// Only if it is a directory.
        const DIRECTORY = 0o200_000;
        /// Not if it is a symbolic link.
        const NOFOLLOW = 0o400_000;
        /// Close at `exec`. The descriptor's, not the description's.
        const CLOEXEC = 0o2_000_000;
        /// Only the place, for calls that take a directory; neither reads nor writes.
        const PATH = 0o10_000_000;
        /// A file without a name: not supported.
        const TMPFILE = 0o20_000_000;
    }
}

impl OpenFlags {
    /// The flags that `F_SETFL` sets.
    pub const SETTABLE: Self = Self::APPEND.union(Self::NONBLOCK);
    const ACCESS: Self = Self::WRONLY.union(Self::RDWR);
    /// What a description does not keep.
    const OF_OPENING: Self =
        Self::CREAT.union(Self::EXCL).union(Self::NOCTTY).union(Self::TRUNC).union(Self::CLOEXEC);

    /// Whether it reads.
    pub const fn is_read(self) -> bool {
        !self.contains(Self::WRONLY) && !self.contains(Self::PATH)
    }

    /// Whether it writes.
    pub const fn is_write(self) -> bool {
        self.intersects(Self::ACCESS) && !self.contains(Self::PATH)
    }
}

/// An opened file.
#[derive(Debug)]
#[must_use = "close the description, and give back what is detached"]
pub struct Opened {
    /// The description, kept by the caller.
    pub description: DescriptionId,
    /// Of a FIFO without its other end: `open` answers when [`FileSystem::opened`] says so. If a
    /// signal comes first, close the description.
    pub wait: Option<Wait>,
    /// The pages of a file whose content was thrown away.
    pub detached: Option<Detached>,
}

impl FileSystem {
    /// Opens a file.
    ///
    /// # Errors
    /// `ENFILE`; `EEXIST`, `ELOOP`, `EISDIR`, `ENOTDIR`, `EACCES` by what is there and the
    /// flags; `ENXIO` of a device that the kernel has not and of a FIFO nobody reads; `ENOSPC`,
    /// `ENOMEM`; `EINVAL`, `EOPNOTSUPP` of flags; and those of [`find`](Self::find).
    pub fn open(
        &mut self,
        caller: &Caller<'_>,
        at: At<'_>,
        flags: OpenFlags,
        mode: u32,
        storage: &mut dyn Storage,
    ) -> Result<Opened, Errno> {
        let flags = checked(flags)?;
        self.space.room_for_open_files(1)?;
        let create = flags.contains(OpenFlags::CREAT);
        let exclusive = create && flags.contains(OpenFlags::EXCL);
        let nofollow = flags.contains(OpenFlags::NOFOLLOW);
        let follow = match (create, exclusive || nofollow) {
            (true, true) => Follow::Never,
            (true, false) => Follow::Create,
            (false, true) => Follow::No,
            (false, false) => Follow::Yes,
        };
        let walked = self.walk(caller, at, follow)?;
        if create && walked.slash && !walked.is_special() {
            return Err(Errno::EISDIR);
        }
        let Some(node) = walked.node else {
            if !create {
                return Err(Errno::ENOENT);
            }
            let directory = self.vacant(caller, &walked)?;
            let content = Content::File(FileContent::default());
            let mode = mode & !caller.umask;
            let ino = self.make(caller.owner(), directory, walked.name(), content, mode)?;
            let description = self.describe_open(Node::Inode(ino), flags.kept(), None);
            return Ok(Opened { description, wait: None, detached: None });
        };
        if exclusive {
            return Err(Errno::EEXIST);
        }
        self.open_node(caller, node, flags, storage)
    }

    /// Opens what is there.
    fn open_node(
        &mut self,
        caller: &Caller<'_>,
        node: Node,
        flags: OpenFlags,
        storage: &mut dyn Storage,
    ) -> Result<Opened, Errno> {
        let kind = self.kind(node);
        if flags.contains(OpenFlags::DIRECTORY) && kind != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        if flags.contains(OpenFlags::PATH) {
            let description = self.describe_open(node, flags.kept(), None);
            return Ok(Opened { description, wait: None, detached: None });
        }
        let truncate = flags.contains(OpenFlags::TRUNC);
        let mut wanted = Permission::empty();
        wanted.set(Permission::READ, flags.is_read());
        wanted.set(Permission::WRITE, flags.is_write() || truncate);
        match kind {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Directory
                if wanted.contains(Permission::WRITE) || flags.contains(OpenFlags::CREAT) =>
            {
                return Err(Errno::EISDIR);
            }
            _ => {}
        }
        self.permit(caller, node, wanted)?;
        let mut snapshot: Option<Box<[u8]>> = None;
        match node {
            Node::Proc(ProcNode::File(file)) => {
                let content: Vec<u8> = caller.processes.content(self, file)?;
                self.space.take_snapshot(content.len())?;
                snapshot = Some(content.into());
            }
            Node::Inode(ino) => match &self.inodes[ino].content {
                Content::Device(number) if Device::with_number(*number).is_none() => {
                    return Err(Errno::ENXIO);
                }
                Content::Fifo(_) => return self.open_fifo(node, flags),
                _ => {}
            },
            Node::Proc(_) => {}
        }
        let description = self.describe_open(node, flags.kept(), snapshot);
        let detached = match node {
            Node::Inode(ino) if truncate && kind == FileType::File => {
                Some(self.resize(ino, 0, storage))
            }
            _ => None,
        };
        Ok(Opened { description, wait: None, detached })
    }

    fn open_fifo(&mut self, node: Node, flags: OpenFlags) -> Result<Opened, Errno> {
        let Some((ino, pipe)) = self.pipe_of(node) else { return Err(Errno::ENXIO) };
        let (read, write) = (flags.is_read(), flags.is_write());
        // A pipe, unlike a FIFO, is opened again as it is: by the links in `/proc`.
        let alone = match (read, write) {
            _ if self.inodes[ino].anonymous => false,
            (true, false) => pipe.writers == 0,
            (false, true) => pipe.readers == 0,
            _ => false,
        };
        let nonblocking = flags.contains(OpenFlags::NONBLOCK);
        if alone && write && nonblocking {
            return Err(Errno::ENXIO);
        }
        let partners = if read { pipe.writer_opens } else { pipe.reader_opens };
        let description = self.describe_open(node, flags.kept(), None);
        if let Content::Fifo(pipe) = &mut self.inodes[ino].content {
            pipe.open(read, write, &mut self.space);
        }
        self.wake(Wait::Partner(ino));
        let wait = (alone && !nonblocking).then_some(Wait::Partner(ino));
        self.description_mut(description).opening = wait.map(|_| partners);
        Ok(Opened { description, wait, detached: None })
    }

    /// Whether the opening of a FIFO is done: its other end was opened meanwhile, be it closed
    /// again or not.
    ///
    /// # Errors
    /// What it still waits for.
    pub fn opened(&mut self, id: DescriptionId) -> Result<(), Wait> {
        let description = self.description(id);
        if let Some(before) = description.opening
            && let Some((ino, pipe)) = self.pipe_of(description.node)
        {
            let read = description.flags.is_read();
            let partners = if read { pipe.writer_opens } else { pipe.reader_opens };
            if partners == before {
                return Err(Wait::Partner(ino));
            }
        }
        self.description_mut(id).opening = None;
        Ok(())
    }

    /// Makes a pipe: the description that reads, and the one that writes. Of the flags only
    /// `NONBLOCK` counts.
    ///
    /// # Errors
    /// `ENFILE`.
    pub fn pipe(
        &mut self,
        caller: &Caller<'_>,
        flags: OpenFlags,
    ) -> Result<(DescriptionId, DescriptionId), Errno> {
        self.space.room_for_open_files(2)?;
        let mut pipe = Pipe::default();
        pipe.open(true, true, &mut self.space);
        let ino = self.inodes.insert(Inode {
            content: Content::Fifo(pipe),
            mode: 0o600,
            uid: caller.uid,
            gid: caller.gid,
            links: 0,
            uses: 0,
            atime: self.clock,
            mtime: self.clock,
            ctime: self.clock,
            parent: self.root,
            anonymous: true,
        });
        let flags = flags & OpenFlags::NONBLOCK;
        let read = self.describe_open(Node::Inode(ino), flags, None);
        let write = self.describe_open(Node::Inode(ino), flags | OpenFlags::WRONLY, None);
        Ok((read, write))
    }
}

impl OpenFlags {
    fn kept(self) -> Self {
        self - Self::OF_OPENING
    }
}

/// Refuses flags that make no sense together; a place alone has no others.
fn checked(flags: OpenFlags) -> Result<OpenFlags, Errno> {
    let flags = OpenFlags::from_bits_truncate(flags.bits());
    if flags.contains(OpenFlags::TMPFILE) {
        return Err(Errno::EOPNOTSUPP);
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(flags
            & (OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC));
    }
    let both = OpenFlags::CREAT | OpenFlags::DIRECTORY;
    if flags.contains(OpenFlags::ACCESS) || flags.contains(both) {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}
