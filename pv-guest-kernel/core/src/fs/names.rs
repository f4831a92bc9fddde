//! Calls that make and take away names: directories, links, devices, FIFOs.

use super::{
    At, Caller, DeviceNumber, Errno, FileSystem, FileType, Follow, Ino, Node, PATH_MAX, Permission,
    Storage,
    content::FileContent,
    directory::Directory,
    inode::{Content, Inode},
    pipe::Pipe,
    space::entry_bytes,
    walk::Walked,
};

/// What `mknod` makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Make {
    /// An empty regular file.
    File,
    /// A FIFO.
    Fifo,
    /// A character device. One that the kernel does not have cannot be opened.
    Device(DeviceNumber),
}

impl FileSystem {
    /// Makes a directory.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, and those of [`find`](Self::find).
    pub fn mkdir(&mut self, caller: &Caller<'_>, at: At<'_>, mode: u32) -> Result<(), Errno> {
        let walked = self.walk(caller, at, Follow::Never)?;
        let directory = self.vacant(caller, &walked)?;
        let content = Content::Directory(Directory::new());
        self.make(
            caller.owner(),
            directory,
            walked.name(),
            content,
            mode & 0o1777 & !caller.umask,
        )?;
        Ok(())
    }

    /// Makes a file that is neither a directory nor a link.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, and those of [`find`](Self::find).
    pub fn mknod(
        &mut self,
        caller: &Caller<'_>,
        at: At<'_>,
        make: Make,
        mode: u32,
    ) -> Result<(), Errno> {
        let walked = self.walk(caller, at, Follow::Never)?;
        let directory = self.vacant_file(caller, &walked)?;
        let content = match make {
            Make::File => Content::File(FileContent::default()),
            Make::Fifo => Content::Fifo(Pipe::default()),
            Make::Device(_) if caller.uid != 0 => return Err(Errno::EPERM),
            Make::Device(number) => Content::Device(number),
        };
        self.make(caller.owner(), directory, walked.name(), content, mode & !caller.umask)?;
        Ok(())
    }

    /// Makes a symbolic link that says `text`.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, and those of [`find`](Self::find).
    pub fn symlink(&mut self, caller: &Caller<'_>, text: &[u8], at: At<'_>) -> Result<(), Errno> {
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        if text.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let walked = self.walk(caller, at, Follow::Never)?;
        let directory = self.vacant_file(caller, &walked)?;
        self.make(caller.owner(), directory, walked.name(), Content::Symlink(text.into()), 0o777)?;
        Ok(())
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// `EPERM` of a directory, `EXDEV` of what is in `/proc`, `EEXIST`, `ENOSPC`, and those of
    /// [`find`](Self::find).
    pub fn link(
        &mut self,
        caller: &Caller<'_>,
        from: At<'_>,
        follow: Follow,
        to: At<'_>,
    ) -> Result<(), Errno> {
        let node = self.find(caller, from, follow)?;
        let walked = self.walk(caller, to, Follow::Never)?;
        let directory = self.vacant_file(caller, &walked)?;
        let Node::Inode(ino) = node else { return Err(Errno::EXDEV) };
        if self.kind(node) == FileType::Directory {
            return Err(Errno::EPERM);
        }
        if self.inodes[ino].links == 0 {
            return Err(Errno::ENOENT);
        }
        self.space.take_name(entry_bytes(walked.name()))?;
        self.entries(directory).insert(walked.name(), ino);
        self.touch(directory);
        let clock = self.clock;
        let inode = &mut self.inodes[ino];
        inode.links += 1;
        inode.ctime = clock;
        Ok(())
    }

    /// Takes a name of a file away. The file goes when nobody uses it.
    ///
    /// # Errors
    /// `EISDIR`, `EPERM` in `/proc`, and those of [`find`](Self::find).
    pub fn unlink(
        &mut self,
        caller: &Caller<'_>,
        at: At<'_>,
        storage: &mut dyn Storage,
    ) -> Result<(), Errno> {
        let walked = self.walk(caller, at, Follow::Never)?;
        let node = walked.node.ok_or(Errno::ENOENT)?;
        if self.kind(node) == FileType::Directory {
            return Err(Errno::EISDIR);
        }
        if walked.slash {
            return Err(Errno::ENOTDIR);
        }
        let (Node::Inode(directory), Node::Inode(ino)) = (walked.directory, node) else {
            return Err(Errno::EPERM);
        };
        self.permit(caller, walked.directory, Permission::WRITE)?;
        self.forget(directory, walked.name());
        self.unname(ino, storage);
        Ok(())
    }

    /// Takes an empty directory away.
    ///
    /// # Errors
    /// `ENOTEMPTY`, `EBUSY` of the root and `/proc`, `EINVAL` of `.`, and those of
    /// [`find`](Self::find).
    pub fn rmdir(
        &mut self,
        caller: &Caller<'_>,
        at: At<'_>,
        storage: &mut dyn Storage,
    ) -> Result<(), Errno> {
        let walked = self.walk(caller, at, Follow::Never)?;
        match walked.name() {
            b"" => return Err(Errno::EBUSY),
            b"." => return Err(Errno::EINVAL),
            b".." => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        let node = walked.node.ok_or(Errno::ENOENT)?;
        let Node::Inode(directory) = walked.directory else { return Err(Errno::EPERM) };
        let Node::Inode(ino) = node else { return Err(Errno::EBUSY) };
        self.permit(caller, walked.directory, Permission::WRITE)?;
        match &self.inodes[ino].content {
            Content::Directory(entries) if entries.is_empty() => {}
            Content::Directory(_) => return Err(Errno::ENOTEMPTY),
            _ => return Err(Errno::ENOTDIR),
        }
        self.forget(directory, walked.name());
        self.unname(ino, storage);
        Ok(())
    }

    /// The directory in which a new name is to be made.
    pub(super) fn vacant(&self, caller: &Caller<'_>, walked: &Walked<'_>) -> Result<Ino, Errno> {
        if walked.node.is_some() {
            return Err(Errno::EEXIST);
        }
        // As Linux says when a new name is wanted in `/proc`.
        let Node::Inode(directory) = walked.directory else { return Err(Errno::ENOENT) };
        if self.inodes[directory].links == 0 {
            return Err(Errno::ENOENT);
        }
        self.permit(caller, walked.directory, Permission::WRITE)?;
        Ok(directory)
    }

    /// The same for a name of what is no directory: no slash may follow it.
    fn vacant_file(&self, caller: &Caller<'_>, walked: &Walked<'_>) -> Result<Ino, Errno> {
        if walked.node.is_none() && walked.slash {
            return Err(Errno::ENOENT);
        }
        self.vacant(caller, walked)
    }

    /// Makes an inode and its first name, which is not there yet.
    pub(super) fn make(
        &mut self,
        owner: (u32, u32),
        directory: Ino,
        name: &[u8],
        content: Content,
        mode: u32,
    ) -> Result<Ino, Errno> {
        let text = if let Content::Symlink(text) = &content { text.len() as u64 } else { 0 };
        self.space.take_inode()?;
        if let Err(errno) = self.space.take_name(entry_bytes(name) + text) {
            self.space.give_inode();
            return Err(errno);
        }
        let is_directory = content.kind() == FileType::Directory;
        let ino = self.inodes.insert(Inode {
            content,
            mode: mode & 0o7777,
            uid: owner.0,
            gid: owner.1,
            links: if is_directory { 2 } else { 1 },
            uses: 0,
            atime: self.clock,
            mtime: self.clock,
            ctime: self.clock,
            parent: directory,
            anonymous: false,
        });
        if is_directory {
            self.inodes[directory].links += 1;
            self.inodes[directory].uses += 1;
        }
        self.entries(directory).insert(name, ino);
        self.touch(directory);
        Ok(ino)
    }

    /// Takes a name out of a directory.
    pub(super) fn forget(&mut self, directory: Ino, name: &[u8]) {
        self.entries(directory).remove(name);
        self.space.give_name(entry_bytes(name));
        self.touch(directory);
    }

    /// An inode has one name less; a directory had only that one.
    pub(super) fn unname(&mut self, ino: Ino, storage: &mut dyn Storage) {
        let clock = self.clock;
        let inode = &mut self.inodes[ino];
        inode.ctime = clock;
        if matches!(inode.content, Content::Directory(_)) {
            inode.links = 0;
            let parent = inode.parent;
            self.inodes[parent].links -= 1;
        } else {
            inode.links -= 1;
        }
        self.reap(ino, storage);
    }

    /// The names of a directory have changed.
    pub(super) fn touch(&mut self, directory: Ino) {
        let clock = self.clock;
        let inode = &mut self.inodes[directory];
        (inode.mtime, inode.ctime) = (clock, clock);
    }
}
