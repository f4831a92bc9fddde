//! What is known of a file beside its content: [`Stat`], permissions, times.

use super::{
    Caller, DeviceNumber, Errno, FileSystem, FileType, Node, ProcNode, Time, inode::Content,
};
use crate::PAGE;
use bitflags::bitflags;

bitflags! {
    /// What is asked to be done with a file: as in a mode, and as `access` counts.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Permission: u32 {
        /// Read; list.
        const READ = 4;
        /// Write; change names.
        const WRITE = 2;
        /// Execute; look into.
        const EXECUTE = 1;
    }
}

/// All that is known of a file. How it lies in memory is the machine's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// The file system: 1, or 2 for `/proc`.
    pub device: u64,
    /// Number of the inode.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// How many names it has.
    pub links: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Of a device: which.
    pub number: Option<DeviceNumber>,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// When it was last read.
    pub atime: Time,
    /// When its content was last changed.
    pub mtime: Time,
    /// When anything of it was last changed.
    pub ctime: Time,
}

/// All that is known of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FsStat {
    /// Which kind, as Linux numbers them.
    pub magic: u64,
    /// Blocks of a page each.
    pub blocks: u64,
    /// Blocks that are free.
    pub blocks_free: u64,
    /// Inodes.
    pub inodes: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
}

/// What becomes of a time of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// It stays.
    Keep,
    /// It is now.
    Now,
    /// It is that.
    To(Time),
}

const TMPFS: u64 = 0x0102_1994;
const PROCFS: u64 = 0x9fa0;

/// Permissions of what is in `/proc`.
fn proc_mode(node: ProcNode) -> u32 {
    match node.kind() {
        FileType::Directory => 0o555,
        FileType::Symlink => 0o777,
        _ => 0o444,
    }
}

impl FileSystem {
    /// All that is known of a file.
    pub fn stat(&self, caller: &Caller<'_>, node: Node) -> Stat {
        match node {
            Node::Proc(node) => {
                let (uid, gid) = node.process().map_or((0, 0), |pid| caller.processes.owner(pid));
                Stat {
                    device: 2,
                    ino: node.number(),
                    mode: node.kind().mode_bits() | proc_mode(node),
                    links: if node.kind() == FileType::Directory { 2 } else { 1 },
                    uid,
                    gid,
                    number: None,
                    size: 0,
                    blocks: 0,
                    atime: self.clock,
                    mtime: self.clock,
                    ctime: self.clock,
                }
            }
            Node::Inode(ino) => {
                let inode = &self.inodes[ino];
                let (size, pages) = match &inode.content {
                    Content::File(content) => (content.size(), content.page_count()),
                    Content::Symlink(text) => (text.len() as u64, 0),
                    _ => (0, 0),
                };
                Stat {
                    device: 1,
                    ino: ino.number(),
                    mode: inode.content.kind().mode_bits() | inode.mode,
                    links: inode.links,
                    uid: inode.uid,
                    gid: inode.gid,
                    number: match inode.content {
                        Content::Device(number) => Some(number),
                        _ => None,
                    },
                    size,
                    blocks: (pages * (PAGE / 512)) as u64,
                    atime: inode.atime,
                    mtime: inode.mtime,
                    ctime: inode.ctime,
                }
            }
        }
    }

    /// All that is known of the file system that a file is in.
    pub fn statfs(&self, node: Node) -> FsStat {
        let (limits, usage) = (self.limits(), self.usage());
        match node {
            Node::Proc(_) => {
                FsStat { magic: PROCFS, blocks: 0, blocks_free: 0, inodes: 0, inodes_free: 0 }
            }
            Node::Inode(_) => FsStat {
                magic: TMPFS,
                blocks: limits.file_pages,
                blocks_free: limits.file_pages - usage.file_pages,
                inodes: limits.inodes.into(),
                inodes_free: (limits.inodes - usage.inodes).into(),
            },
        }
    }

    /// Whether a caller may do that with a file. The root user may do all but execute what
    /// nobody may execute, and write to `/proc`.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn permit(&self, caller: &Caller<'_>, node: Node, wanted: Permission) -> Result<(), Errno> {
        let (mode, uid, gid) = match node {
            Node::Inode(ino) => (self.inodes[ino].mode, self.inodes[ino].uid, self.inodes[ino].gid),
            Node::Proc(_) if wanted.contains(Permission::WRITE) => return Err(Errno::EACCES),
            Node::Proc(node) => (proc_mode(node), 0, 0),
        };
        let granted = if caller.uid == 0 {
            let executable = mode & 0o111 != 0 || self.kind(node) == FileType::Directory;
            if executable { 7 } else { 6 }
        } else if caller.uid == uid {
            mode >> 6
        } else if caller.gid == gid {
            mode >> 3
        } else {
            mode
        };
        if wanted.bits() & !granted == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Sets the permissions of a file.
    ///
    /// # Errors
    /// `EPERM` if the caller is not the owner, or of `/proc`; `EOPNOTSUPP` of a symbolic link.
    pub fn set_mode(&mut self, caller: &Caller<'_>, node: Node, mode: u32) -> Result<(), Errno> {
        let Node::Inode(ino) = node else { return Err(Errno::EPERM) };
        if self.kind(node) == FileType::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let inode = &mut self.inodes[ino];
        if caller.uid != 0 && caller.uid != inode.uid {
            return Err(Errno::EPERM);
        }
        inode.mode = mode & 0o7777;
        inode.ctime = self.clock;
        Ok(())
    }

    /// Sets user and group of a file. Set-user-id and set-group-id go.
    ///
    /// # Errors
    /// `EPERM` if the caller is not the root user, or of `/proc`.
    pub fn set_owner(
        &mut self,
        caller: &Caller<'_>,
        node: Node,
        uid: Option<u32>,
        gid: Option<u32>,
    ) -> Result<(), Errno> {
        let Node::Inode(ino) = node else { return Err(Errno::EPERM) };
        let inode = &mut self.inodes[ino];
        let same = uid.is_none_or(|uid| uid == inode.uid)
            && gid.is_none_or(|gid| gid == inode.gid || gid == caller.gid);
        if caller.uid != 0 && !(caller.uid == inode.uid && same) {
            return Err(Errno::EPERM);
        }
        inode.uid = uid.unwrap_or(inode.uid);
        inode.gid = gid.unwrap_or(inode.gid);
        if !matches!(inode.content, Content::Directory(_)) {
            inode.mode &= !0o6000;
        }
        inode.ctime = self.clock;
        Ok(())
    }

    /// Sets times of a file.
    ///
    /// # Errors
    /// `EPERM` if the caller is not the owner, or of `/proc`; `EACCES` if it sets them to now and
    /// may not write either; `EINVAL` of a time that is none.
    pub fn set_times(
        &mut self,
        caller: &Caller<'_>,
        node: Node,
        atime: SetTime,
        mtime: SetTime,
    ) -> Result<(), Errno> {
        let wrong = |time| matches!(time, SetTime::To(time) if time.nanoseconds >= 1_000_000_000);
        if wrong(atime) || wrong(mtime) {
            return Err(Errno::EINVAL);
        }
        let Node::Inode(ino) = node else { return Err(Errno::EPERM) };
        if caller.uid != 0 && caller.uid != self.inodes[ino].uid {
            if (atime, mtime) != (SetTime::Now, SetTime::Now) {
                return Err(Errno::EPERM);
            }
            self.permit(caller, node, Permission::WRITE)?;
        }
        let now = self.clock;
        let inode = &mut self.inodes[ino];
        for (time, set) in [(&mut inode.atime, atime), (&mut inode.mtime, mtime)] {
            match set {
                SetTime::Keep => {}
                SetTime::Now => *time = now,
                SetTime::To(to) => *time = to,
            }
        }
        if (atime, mtime) != (SetTime::Keep, SetTime::Keep) {
            inode.ctime = now;
        }
        Ok(())
    }
}
