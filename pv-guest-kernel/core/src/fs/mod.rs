//! Files: a file system in memory, and what processes have open of it.
//!
//! - **Names and inodes**: [`FileSystem::find`] walks a path to a [`Node`]; the calls that change
//!   names (`mkdir`, `unlink`, `rename`, ...) take paths, those on a file itself (`stat`,
//!   `set_mode`, ...) take nodes.
//! - **Content lies in pages** of the kernel's memory, by [`Storage`], because what `mmap` maps
//!   are these very pages: [`FileSystem::page_of`]. When a file loses pages they are handed to
//!   the caller as [`Detached`], to be unmapped before they are given back.
//! - **Open files** are descriptions, counted and shared; each process has a table of
//!   [`Descriptors`] of them.
//! - **Nothing waits here.** What cannot go on says what it waits for, as a [`Wait`]; what
//!   happens since can be asked for: [`FileSystem::next_wake`].
//! - **Everything is counted**: [`Limits`], [`Usage`].
//!
//! The terminal's own rules and the text of `/proc` are the process layer's: see
//! [`Stop::Terminal`] and [`Processes`].

mod attributes;
mod content;
pub mod cpio;
mod description;
mod descriptors;
mod device;
mod directory;
mod errno;
mod inode;
mod io;
mod list;
mod names;
mod open;
mod pipe;
mod place;
mod poll;
mod proc;
mod rename;
mod seek;
mod size;
mod space;
mod spare;
mod storage;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use attributes::{FsStat, Permission, SetTime, Stat};
pub use content::MAX_FILE;
pub use description::{DescriptionId, Wait};
pub use descriptors::{AT_FDCWD, DESCRIPTORS, Descriptors, Fd};
pub use device::{Device, DeviceNumber};
pub use errno::Errno;
pub use inode::{Detached, FileType, Ino};
pub use io::Stop;
pub use list::Entry;
pub use names::Make;
pub use open::{OpenFlags, Opened};
pub use poll::{PollEvents, Polled};
pub use proc::{
    NoProcesses, Pid, ProcFile, ProcNode, ProcessFile, ProcessLink, Processes, SystemFile,
};
pub use rename::RenameFlags;
pub use seek::Seek;
pub use size::Mappable;
pub use space::{Limits, PIPE_ATOMIC, PIPE_BYTES, Usage};
pub use storage::Storage;
pub use walk::{At, Follow, LINKS_MAX, NAME_MAX, PATH_MAX};

use alloc::collections::VecDeque;
use description::Description;
use directory::Directory;
use inode::{Content, Inode, Inodes};
use slab::Slab;
use space::Space;

/// A moment, since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

/// A file, by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Node {
    /// In memory.
    Inode(Ino),
    /// In `/proc`.
    Proc(ProcNode),
}

/// Who makes a call.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permissions that a new file does not get.
    pub umask: u32,
    /// What `/proc` asks.
    pub processes: &'a dyn Processes,
}

impl Caller<'static> {
    /// The kernel itself, before there are processes.
    pub const KERNEL: Self = Self { uid: 0, gid: 0, umask: 0, processes: &NoProcesses };
}

impl Caller<'_> {
    const fn owner(&self) -> (u32, u32) {
        (self.uid, self.gid)
    }
}

/// All files, and all that is open.
#[derive(Clone, Debug)]
pub struct FileSystem {
    inodes: Inodes,
    root: Ino,
    /// The directory that `/proc` covers.
    proc_at: Option<Ino>,
    descriptions: Slab<Description>,
    space: Space,
    wakes: VecDeque<Wait>,
    clock: Time,
}

impl FileSystem {
    /// A file system with an empty root directory.
    pub fn new(limits: Limits) -> Self {
        let mut inodes = Inodes::default();
        let mut space = Space::new(limits);
        space.usage.inodes = 1;
        let root = inodes.insert(Inode {
            content: Content::Directory(Directory::new()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            links: 2,
            uses: 0,
            atime: Time::default(),
            mtime: Time::default(),
            ctime: Time::default(),
            parent: Ino(0),
            anonymous: false,
        });
        Self {
            inodes,
            root,
            proc_at: None,
            descriptions: Slab::new(),
            space,
            wakes: VecDeque::new(),
            clock: Time::default(),
        }
    }

    /// The root directory.
    pub const fn root(&self) -> Node {
        Node::Inode(self.root)
    }

    /// Sets the time that files are stamped with; once a timer tick is enough.
    pub const fn set_clock(&mut self, now: Time) {
        self.clock = now;
    }

    /// What is used.
    pub const fn usage(&self) -> Usage {
        self.space.usage
    }

    /// What may be used.
    pub const fn limits(&self) -> Limits {
        self.space.limits
    }

    /// Something that has happened since it was last asked: who waits for it makes the call
    /// again. Ask until there is none, after each system call and each end of a process.
    pub fn next_wake(&mut self) -> Option<Wait> {
        self.wakes.pop_front()
    }

    fn wake(&mut self, wait: Wait) {
        if !self.wakes.contains(&wait) {
            self.wakes.push_back(wait);
        }
    }

    /// Makes `/dev` with its devices and links, and `/proc`, where they are not there yet.
    ///
    /// # Errors
    /// `ENOSPC`; `ENOTDIR` if one of them is a file.
    pub fn set_up(&mut self) -> Result<(), Errno> {
        const LINKS: [(&[u8], &[u8]); 4] = [
            (b"/dev/fd", b"/proc/self/fd"),
            (b"/dev/stdin", b"/proc/self/fd/0"),
            (b"/dev/stdout", b"/proc/self/fd/1"),
            (b"/dev/stderr", b"/proc/self/fd/2"),
        ];
        fn at(path: &[u8]) -> At<'_> {
            // All are absolute: where they start does not matter.
            At { start: Node::Proc(ProcNode::Root), path }
        }
        let caller = &Caller::KERNEL;
        let there = |result: Result<(), Errno>| match result {
            Err(Errno::EEXIST) => Ok(()),
            other => other,
        };
        there(self.mkdir(caller, at(b"/dev"), 0o755))?;
        there(self.mkdir(caller, at(b"/proc"), 0o555))?;
        for device in Device::ALL {
            let path = [b"/dev/", device.name().as_bytes()].concat();
            there(self.mknod(caller, at(&path), Make::Device(device.number()), 0o666))?;
        }
        for (path, target) in LINKS {
            there(self.symlink(caller, target, at(path)))?;
        }
        match self.find(caller, at(b"/proc"), Follow::No)? {
            Node::Inode(ino) if self.kind(Node::Inode(ino)) == FileType::Directory => {
                self.proc_at = Some(ino);
                Ok(())
            }
            Node::Inode(_) => Err(Errno::ENOTDIR),
            Node::Proc(_) => Ok(()),
        }
    }

    /// The entries of an inode that is a directory.
    fn entries(&mut self, directory: Ino) -> &mut Directory {
        match &mut self.inodes[directory].content {
            Content::Directory(entries) => entries,
            _ => unreachable!("the walk ended in a directory"),
        }
    }

    /// What kind of file it is.
    pub fn kind(&self, node: Node) -> FileType {
        match node {
            Node::Inode(ino) => self.inodes[ino].content.kind(),
            Node::Proc(node) => node.kind(),
        }
    }

    /// The device that a node is, if the kernel has it.
    pub fn device(&self, node: Node) -> Option<Device> {
        match node {
            Node::Inode(ino) => match self.inodes[ino].content {
                Content::Device(number) => Device::with_number(number),
                _ => None,
            },
            Node::Proc(_) => None,
        }
    }
}

impl Node {
    /// What programs see as its inode number.
    pub fn number(self) -> u64 {
        match self {
            Self::Inode(ino) => ino.number(),
            Self::Proc(node) => node.number(),
        }
    }
}
