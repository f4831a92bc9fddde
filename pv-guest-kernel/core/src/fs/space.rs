//! What the file system may use, and what it uses: [`Limits`], [`Usage`]. A process that takes
//! all of it gets an error; the kernel's memory stays for the others.

use super::Errno;
use crate::PAGE;

/// Bytes that a directory entry counts beside its name: about what it costs the kernel's heap at
/// worst. Without it, links to one file would be free.
pub(super) const ENTRY_BYTES: u64 = 192;

/// Bytes of a pipe at most.
pub const PIPE_BYTES: usize = 65536;

/// Bytes that a pipe takes all together or not at all; what a pipe holds when pipes are scarce.
pub const PIPE_ATOMIC: usize = 4096;

/// What the file system may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Pages of files. More is `ENOSPC`.
    pub file_pages: u64,
    /// Bytes of names and symbolic links, with what they cost: they lie in the kernel's heap,
    /// which must have as much. More is `ENOSPC`.
    pub name_bytes: u64,
    /// Inodes; each takes up to 2 KiB of the heap. More is `ENOSPC`.
    pub inodes: u32,
    /// Open file descriptions. More is `ENFILE`.
    pub open_files: u32,
    /// Pages of pipes. When they are promised away, further pipes hold [`PIPE_ATOMIC`] bytes.
    pub pipe_pages: u32,
    /// Bytes of opened files of `/proc`. More is `ENOMEM`.
    pub snapshot_bytes: usize,
}

impl Limits {
    /// For a small machine.
    pub const DEFAULT: Self = Self {
        file_pages: 4096,
        name_bytes: 2 << 20,
        inodes: 4096,
        open_files: 1024,
        pipe_pages: 512,
        snapshot_bytes: 1 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the file system uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Pages of files.
    pub file_pages: u64,
    /// Bytes of names and symbolic links, with what they cost.
    pub name_bytes: u64,
    /// Inodes that have or had a name, the root included.
    pub inodes: u32,
    /// Open file descriptions.
    pub open_files: u32,
    /// Pages promised to open pipes.
    pub pipe_pages: u32,
    /// Bytes of opened files of `/proc`.
    pub snapshot_bytes: usize,
}

/// Limits and usage; everything that is taken goes through here.
#[derive(Clone, Debug)]
pub(super) struct Space {
    pub limits: Limits,
    pub usage: Usage,
}

impl Space {
    pub fn new(limits: Limits) -> Self {
        Self { limits, usage: Usage::default() }
    }

    pub fn take_name(&mut self, bytes: u64) -> Result<(), Errno> {
        if bytes > self.limits.name_bytes.saturating_sub(self.usage.name_bytes) {
            return Err(Errno::ENOSPC);
        }
        self.usage.name_bytes += bytes;
        Ok(())
    }

    pub fn give_name(&mut self, bytes: u64) {
        self.usage.name_bytes -= bytes;
    }

    pub fn take_file_page(&mut self) -> Result<(), Errno> {
        if self.usage.file_pages >= self.limits.file_pages {
            return Err(Errno::ENOSPC);
        }
        self.usage.file_pages += 1;
        Ok(())
    }

    pub fn give_file_pages(&mut self, count: usize) {
        self.usage.file_pages -= count as u64;
    }

    pub fn take_inode(&mut self) -> Result<(), Errno> {
        if self.usage.inodes >= self.limits.inodes {
            return Err(Errno::ENOSPC);
        }
        self.usage.inodes += 1;
        Ok(())
    }

    pub fn give_inode(&mut self) {
        self.usage.inodes -= 1;
    }

    /// Whether so many files more may be opened.
    pub fn room_for_open_files(&self, count: u32) -> Result<(), Errno> {
        if count > self.limits.open_files.saturating_sub(self.usage.open_files) {
            return Err(Errno::ENFILE);
        }
        Ok(())
    }

    /// Promises pages to a pipe: how many bytes it may hold.
    pub fn take_pipe(&mut self) -> usize {
        let large = pipe_pages(PIPE_BYTES);
        let left = self.limits.pipe_pages.saturating_sub(self.usage.pipe_pages);
        let capacity = if large <= left { PIPE_BYTES } else { PIPE_ATOMIC };
        self.usage.pipe_pages += pipe_pages(capacity);
        capacity
    }

    pub fn give_pipe(&mut self, capacity: usize) {
        self.usage.pipe_pages -= pipe_pages(capacity);
    }

    pub fn take_snapshot(&mut self, bytes: usize) -> Result<(), Errno> {
        if bytes > self.limits.snapshot_bytes.saturating_sub(self.usage.snapshot_bytes) {
            return Err(Errno::ENOMEM);
        }
        self.usage.snapshot_bytes += bytes;
        Ok(())
    }

    pub fn give_snapshot(&mut self, bytes: usize) {
        self.usage.snapshot_bytes -= bytes;
    }
}

/// Pages of a pipe at most: what it holds may begin within a page.
pub(super) fn pipe_pages(capacity: usize) -> u32 {
    (capacity / PAGE) as u32 + 1
}

/// Bytes that the entry of a name counts.
pub(super) fn entry_bytes(name: &[u8]) -> u64 {
    ENTRY_BYTES + name.len() as u64
}
