//! What calls make of their arguments: descriptors, paths, and memory in pieces.

use super::Stop;
use crate::{
    Access, PAGE, Platform,
    fs::{
        AT_FDCWD, At, Caller, DescriptionId, Descriptors, Detached, Errno, Fd, FileSystem, Follow,
        Node, PATH_MAX, Pid,
    },
    kernel::{Files, Kernel, Store},
    memory::{Fault, FileId, Parts},
    process::{Process, View},
};
use alloc::vec::Vec;

/// The working directory, as an argument.
pub(super) const CWD: u64 = AT_FDCWD as u64;
/// An empty path means the descriptor itself (`AT_EMPTY_PATH`).
pub(super) const EMPTY_PATH: u64 = 0x1000;
/// A symbolic link at the end is meant itself (`AT_SYMLINK_NOFOLLOW`).
pub(super) const NO_FOLLOW: u64 = 0x100;
/// A symbolic link at the end is followed (`AT_SYMLINK_FOLLOW`).
pub(super) const FOLLOW: u64 = 0x400;

/// A path of a process's, and where it begins.
pub(super) struct Path {
    directory: i32,
    text: Vec<u8>,
}

impl Path {
    /// The same, for the file system.
    pub fn at<P: Platform>(&self, fs: &FileSystem, view: &View<'_, P>) -> Result<At<'_>, Errno> {
        let process = view.processes.get(view.current).ok_or(Errno::ESRCH)?;
        process.descriptors.at(fs, process.working, self.directory, &self.text)
    }

    /// The file that it means; if it is empty and may be, what the descriptor is for.
    pub fn find<P: Platform>(
        &self,
        fs: &FileSystem,
        view: &View<'_, P>,
        caller: &Caller<'_>,
        follow: Follow,
        empty: bool,
    ) -> Result<Node, Errno> {
        if !empty || !self.text.is_empty() {
            return fs.find(caller, self.at(fs, view)?, follow);
        }
        let process = view.processes.get(view.current).ok_or(Errno::ESRCH)?;
        if self.directory == AT_FDCWD {
            return Ok(process.working);
        }
        let fd = u32::try_from(self.directory).map_err(|_| Errno::EBADF)?;
        process.descriptors.get(Fd(fd)).map(|id| fs.node_of(id))
    }
}

/// The descriptors of a process, and what they are of.
pub(super) struct Table<'a, P: Platform> {
    pub descriptors: &'a mut Descriptors,
    pub fs: &'a mut FileSystem,
    pub store: Store<'a, P>,
}

/// How a file is found by a path.
pub(super) fn follow(flags: u64) -> Follow {
    if flags & NO_FOLLOW == 0 { Follow::Yes } else { Follow::No }
}

/// Refuses flags but these.
pub(super) fn only(flags: u64, known: u64) -> Result<(), Errno> {
    // The upper half of a register is not the caller's to say in an `int`.
    if flags as u32 & !(known as u32) == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

impl<P: Platform> Kernel<P> {
    /// The process that makes a call.
    pub(super) fn caller(&self, who: Pid) -> &Process<P> {
        self.processes.get(who).expect("the caller exists")
    }

    /// The process that makes a call, to change.
    pub(super) fn caller_mut(&mut self, who: Pid) -> &mut Process<P> {
        self.processes.get_mut(who).expect("the caller exists")
    }

    /// Whether it is the superuser.
    pub(super) fn is_privileged(&self, who: Pid) -> bool {
        self.caller(who).ids.uid == 0
    }

    /// The files, and pages for them.
    pub(super) fn storage(&mut self) -> (&mut FileSystem, Store<'_, P>) {
        let store = Store { platform: &mut self.platform, frames: &mut self.memory.frames };
        (&mut self.fs, store)
    }

    /// The descriptors of a process, to change.
    pub(super) fn table(&mut self, who: Pid) -> Table<'_, P> {
        Table {
            descriptors: &mut self.processes.get_mut(who).expect("the caller exists").descriptors,
            fs: &mut self.fs,
            store: Store { platform: &mut self.platform, frames: &mut self.memory.frames },
        }
    }

    /// What a descriptor of a process is for.
    pub(super) fn description(&self, who: Pid, fd: u64) -> Result<DescriptionId, Errno> {
        self.caller(who).descriptors.get(Fd(fd as u32))
    }

    /// A path in the memory of a process.
    pub(super) fn path(&mut self, who: Pid, directory: u64, address: u64) -> Result<Path, Stop> {
        let text = self.user(who).string(address, PATH_MAX)?;
        Ok(Path { directory: directory as i32, text })
    }

    /// The file that a path in the memory of a process means. Of the flags, those count that
    /// say how it is found.
    pub(super) fn find(
        &mut self,
        who: Pid,
        directory: u64,
        path: u64,
        flags: u64,
    ) -> Result<Node, Stop> {
        let path = self.path(who, directory, path)?;
        let Files { fs, ids, view, .. } = self.files(who);
        let empty = flags & EMPTY_PATH != 0;
        Ok(path.find(fs, &view, &ids.caller(&view), follow(flags), empty)?)
    }

    /// Makes sure that a structure can be read or written.
    pub(super) fn touch(
        &mut self,
        who: Pid,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<(), Stop> {
        Ok(self.user(who).touch(address, length as u64, access)?)
    }

    /// A structure of a process's.
    pub(super) fn read_bytes<const N: usize>(
        &mut self,
        who: Pid,
        address: u64,
    ) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.user(who).read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Gives a process a structure: all of it or nothing.
    pub(super) fn write_bytes(&mut self, who: Pid, address: u64, from: &[u8]) -> Result<(), Stop> {
        let mut user = self.user(who);
        if address as usize % PAGE + from.len() > PAGE {
            user.touch(address, from.len() as u64, Access::Write)?;
        }
        Ok(user.write(address, from)?)
    }

    /// As [`write_bytes`](Self::write_bytes), unless the process does not want it.
    pub(super) fn write_if(&mut self, who: Pid, address: u64, from: &[u8]) -> Result<(), Stop> {
        if address == 0 { Ok(()) } else { self.write_bytes(who, address, from) }
    }

    /// How many bytes from an address on can be reached, of so many, and why no more.
    pub(super) fn reachable(
        &mut self,
        who: Pid,
        address: u64,
        length: usize,
        access: Access,
    ) -> (usize, Result<(), Stop>) {
        let mut user = self.user(who);
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(Fault::NotMapped);
            match at.and_then(|at| user.page(at, access)) {
                Ok((_, _, there)) => done += there,
                Err(fault) => return (done, Err(fault.into())),
            }
        }
        (done.min(length), Ok(()))
    }

    /// A file has lost pages: no process maps them any more.
    pub(super) fn give_back(&mut self, detached: Detached) {
        if !detached.pages.is_empty() {
            let file = FileId::from(detached.ino);
            let (platform, memory) = (&mut self.platform, &mut self.memory);
            let mut parts = Parts { platform, memory, files: &mut self.fs };
            let spaces = self.processes.iter_mut().filter_map(|process| process.space.as_mut());
            spaces.for_each(|space| space.cut_file(&mut parts, file, detached.from));
        }
        detached.give(&mut self.storage().1);
    }
}
