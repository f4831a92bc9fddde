//! The descriptors of a process: numbers for open file descriptions.

use super::{At, DescriptionId, Errno, FileSystem, FileType, Node, Storage};
use alloc::vec::Vec;

/// Descriptors of a process at most.
pub const DESCRIPTORS: u32 = 256;

/// Descriptors that the table of a process grows by.
const GROWTH: usize = 32;

/// A descriptor: a process's number for an open file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fd(pub u32);

/// What calls take in place of a descriptor for the working directory.
pub const AT_FDCWD: i32 = -100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Descriptor {
    description: DescriptionId,
    close_on_exec: bool,
}

/// The descriptors of a process. Each counts for its description, so a table that goes is closed
/// first: [`close_all`](Self::close_all).
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptors {
    slots: Vec<Option<Descriptor>>,
    limit: u32,
}

impl Default for Descriptors {
    fn default() -> Self {
        Self { slots: Vec::new(), limit: DESCRIPTORS }
    }
}

impl Descriptors {
    /// The description of a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn get(&self, fd: Fd) -> Result<DescriptionId, Errno> {
        self.slot(fd).map(|slot| slot.description)
    }

    /// The first descriptor at or above a number.
    pub fn first_from(&self, fd: Fd) -> Option<(Fd, DescriptionId)> {
        let mut slots = self.slots.iter().enumerate().skip(fd.0 as usize);
        slots.find_map(|(fd, slot)| slot.map(|slot| (Fd(fd as u32), slot.description)))
    }

    /// Descriptors at most (`RLIMIT_NOFILE`).
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Sets how many there may be, up to [`DESCRIPTORS`]. What is open stays.
    ///
    /// # Errors
    /// `EPERM` of more.
    pub fn set_limit(&mut self, limit: u32) -> Result<(), Errno> {
        if limit > DESCRIPTORS {
            return Err(Errno::EPERM);
        }
        self.limit = limit;
        Ok(())
    }

    /// Whether so many more fit. To be asked before a file is opened or made, so that a process
    /// with a full table changes nothing.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn room_for(&self, count: usize) -> Result<(), Errno> {
        let free = (0..self.limit as usize)
            .filter(|&fd| self.slots.get(fd).is_none_or(Option::is_none))
            .take(count);
        if free.count() < count { Err(Errno::EMFILE) } else { Ok(()) }
    }

    /// Gives a description the lowest free number. The table takes over who keeps it.
    ///
    /// # Errors
    /// `EMFILE`; the description is still the caller's.
    pub fn insert(&mut self, description: DescriptionId, close_on_exec: bool) -> Result<Fd, Errno> {
        self.insert_from(0, description, close_on_exec)
    }

    fn insert_from(
        &mut self,
        least: u32,
        description: DescriptionId,
        close_on_exec: bool,
    ) -> Result<Fd, Errno> {
        let fd = (least..self.limit)
            .find(|&fd| self.slots.get(fd as usize).is_none_or(Option::is_none))
            .ok_or(Errno::EMFILE)?;
        self.put(fd, Descriptor { description, close_on_exec });
        Ok(Fd(fd))
    }

    fn put(&mut self, fd: u32, descriptor: Descriptor) {
        if self.slots.len() <= fd as usize {
            // In steps: room for twice as many would be the kernel's heap for nothing.
            let length = (fd as usize + 1).next_multiple_of(GROWTH);
            self.slots.reserve_exact(length - self.slots.len());
            self.slots.resize(fd as usize + 1, None);
        }
        self.slots[fd as usize] = Some(descriptor);
    }

    /// One more number, at or above `least`, for the same description: `dup`, `F_DUPFD`.
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` if `least` is too large; `EMFILE`.
    pub fn dup(
        &mut self,
        fs: &mut FileSystem,
        fd: Fd,
        least: u32,
        close_on_exec: bool,
    ) -> Result<Fd, Errno> {
        let description = self.get(fd)?;
        if least >= self.limit {
            return Err(Errno::EINVAL);
        }
        let new = self.insert_from(least, description, close_on_exec)?;
        fs.share(description);
        Ok(new)
    }

    /// A given number for the same description, in place of what it was: `dup2`, `dup3`. For
    /// equal numbers nothing changes; `dup3` refuses them first.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn dup_to(
        &mut self,
        fs: &mut FileSystem,
        fd: Fd,
        to: Fd,
        close_on_exec: bool,
        storage: &mut dyn Storage,
    ) -> Result<Fd, Errno> {
        let description = self.get(fd)?;
        if to.0 >= self.limit {
            return Err(Errno::EBADF);
        }
        if fd != to {
            fs.share(description);
            let old = self.get(to);
            self.put(to.0, Descriptor { description, close_on_exec });
            if let Ok(old) = old {
                fs.close(old, storage);
            }
        }
        Ok(to)
    }

    /// Closes a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close(
        &mut self,
        fs: &mut FileSystem,
        fd: Fd,
        storage: &mut dyn Storage,
    ) -> Result<(), Errno> {
        let description = self.get(fd)?;
        self.slots[fd.0 as usize] = None;
        fs.close(description, storage);
        Ok(())
    }

    /// Whether a descriptor is closed at `exec` (`F_GETFD`).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close_on_exec(&self, fd: Fd) -> Result<bool, Errno> {
        self.slot(fd).map(|slot| slot.close_on_exec)
    }

    /// Sets whether a descriptor is closed at `exec` (`F_SETFD`).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_close_on_exec(&mut self, fd: Fd, close: bool) -> Result<(), Errno> {
        match self.slots.get_mut(fd.0 as usize) {
            Some(Some(slot)) => {
                slot.close_on_exec = close;
                Ok(())
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// The table of a new process: the same descriptions.
    pub fn fork(&self, fs: &mut FileSystem) -> Self {
        for slot in self.slots.iter().flatten() {
            fs.share(slot.description);
        }
        Self { slots: self.slots.clone(), limit: self.limit }
    }

    /// Closes what is to be closed at `exec`.
    pub fn exec(&mut self, fs: &mut FileSystem, storage: &mut dyn Storage) {
        for slot in &mut self.slots {
            if let Some(closed) = slot.take_if(|slot| slot.close_on_exec) {
                fs.close(closed.description, storage);
            }
        }
    }

    /// Closes all: the process ends.
    pub fn close_all(&mut self, fs: &mut FileSystem, storage: &mut dyn Storage) {
        for slot in core::mem::take(&mut self.slots).into_iter().flatten() {
            fs.close(slot.description, storage);
        }
    }

    /// Where a path of a call with a directory descriptor begins. An absolute path does not ask,
    /// and an empty one leads nowhere.
    ///
    /// # Errors
    /// `EBADF`; `ENOTDIR` if it is no directory.
    pub fn at<'a>(
        &self,
        fs: &FileSystem,
        working: Node,
        directory: i32,
        path: &'a [u8],
    ) -> Result<At<'a>, Errno> {
        if directory == AT_FDCWD || path.is_empty() || path.starts_with(b"/") {
            return Ok(At { start: working, path });
        }
        let fd = u32::try_from(directory).map_err(|_| Errno::EBADF)?;
        let start = fs.node_of(self.get(Fd(fd))?);
        if fs.kind(start) != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(At { start, path })
    }

    fn slot(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        match self.slots.get(fd.0 as usize) {
            Some(Some(slot)) => Ok(slot),
            _ => Err(Errno::EBADF),
        }
    }
}
