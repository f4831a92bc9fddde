//! Tests of the file system as a whole, and what they need: a [`World`] with pages that know
//! their owner, and processes made up for `/proc`.

mod against_linux;
mod archive;
mod attributes;
pub(crate) mod audit;
mod descriptors;
mod devices;
mod files;
mod limits;
mod listing;
mod names;
mod opening;
mod paths;
mod pipes;
mod procfs;

use super::*;
use crate::{PAGE, Pfn};
use alloc::{boxed::Box, format, vec, vec::Vec};
use std::collections::BTreeMap;

/// Pages that come with rubbish in them. Touching a page that was not taken is a panic.
pub struct Pages {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    next: u64,
    /// Pages that can still be taken.
    pub left: usize,
    /// Pages that are kept in spare memory, and how many may be.
    pub spare: BTreeMap<u64, Box<[u8; PAGE]>>,
    pub spare_room: usize,
    /// Pages whose content was named, and by which number.
    pub named: Vec<(Pfn, u64)>,
}

impl Pages {
    pub fn taken(&self) -> usize {
        self.pages.len()
    }
}

impl Storage for Pages {
    fn names_content(&self) -> bool {
        true
    }
    fn name_content(&mut self, page: Pfn, content: u64) {
        assert!(self.pages.contains_key(&page.0), "a page that was taken");
        self.named.push((page, content));
    }
    fn take(&mut self) -> Option<Pfn> {
        self.left = self.left.checked_sub(1)?;
        self.next += 1;
        self.pages.insert(self.next, Box::new([0xa5; PAGE]));
        Some(Pfn(self.next))
    }
    fn give(&mut self, page: Pfn) {
        self.pages.remove(&page.0).expect("a page that was taken");
        self.left += 1;
    }
    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.pages[&page.0][offset..][..to.len()]);
    }
    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        let page = self.pages.get_mut(&page.0).expect("a page that was taken");
        page[offset..][..from.len()].copy_from_slice(from);
    }
    fn clear(&mut self, page: Pfn) {
        self.write(page, 0, &[0; PAGE]);
    }
    fn spare_put(&mut self, number: u64, from: &[u8; PAGE]) -> bool {
        self.spare.remove(&number);
        let kept = self.spare.len() < self.spare_room;
        if kept {
            self.spare.insert(number, Box::new(*from));
        }
        kept
    }
    fn spare_get(&mut self, number: u64, to: &mut [u8; PAGE]) -> bool {
        let found = self.spare.get(&number);
        found.map(|page| *to = **page).is_some()
    }
    fn random(&mut self, to: &mut [u8]) {
        to.fill(4);
    }
}

/// Processes as the process layer would have them.
#[derive(Default)]
pub struct Table {
    pub current: u32,
    pub all: BTreeMap<Pid, Descriptors>,
    pub exe: Option<Node>,
}

impl Processes for Table {
    fn current(&self) -> Pid {
        Pid(self.current)
    }
    fn first_from(&self, pid: Pid) -> Option<Pid> {
        self.all.range(pid..).next().map(|(pid, _)| *pid)
    }
    fn owner(&self, pid: Pid) -> (u32, u32) {
        (pid.0 + 1000, 100)
    }
    fn content(&self, fs: &FileSystem, file: ProcFile) -> Result<Vec<u8>, Errno> {
        Ok(match file {
            ProcFile::System(SystemFile::Meminfo) => {
                format!("Cached: {} kB\n", fs.usage().file_pages * 4).into_bytes()
            }
            ProcFile::System(file) => file.name().into(),
            ProcFile::Process(pid, ProcessFile::Stat) => format!("{} (x) R\n", pid.0).into_bytes(),
            ProcFile::Process(..) => vec![b'm'; 5000],
        })
    }
    fn link(&self, _: Pid, link: ProcessLink) -> Option<Node> {
        self.exe.filter(|_| link == ProcessLink::Exe)
    }
    fn descriptors(&self, pid: Pid) -> Option<&Descriptors> {
        self.all.get(&pid)
    }
}

/// A file system and what is around it; calls by a path from the root.
pub struct World {
    pub fs: FileSystem,
    pub pages: Pages,
    pub table: Table,
    /// User and group that calls are made by.
    pub uid: u32,
    pub umask: u32,
}

/// The caller of a world. A macro, so that the file system can be borrowed beside it.
macro_rules! caller {
    ($world:expr) => {
        &Caller { uid: $world.uid, gid: $world.uid, umask: $world.umask, processes: &$world.table }
    };
}
pub(crate) use caller;

/// A path from the root.
pub fn at(fs: &FileSystem, path: &'static str) -> At<'static> {
    At { start: fs.root(), path: path.as_bytes() }
}

impl World {
    pub fn new() -> Self {
        Self::with(Limits::default(), 4096)
    }

    pub fn with(limits: Limits, pages: usize) -> Self {
        let pages = Pages {
            pages: BTreeMap::new(),
            next: 0,
            left: pages,
            spare: BTreeMap::new(),
            spare_room: 0,
            named: Vec::new(),
        };
        Self { fs: FileSystem::new(limits), pages, table: Table::default(), uid: 0, umask: 0 }
    }

    pub fn at<'a>(&self, path: &'a str) -> At<'a> {
        At { start: self.fs.root(), path: path.as_bytes() }
    }

    pub fn try_open(&mut self, path: &str, flags: OpenFlags) -> Result<DescriptionId, Errno> {
        let at = self.at(path);
        let opened = self.fs.open(caller!(self), at, flags, 0o644, &mut self.pages)?;
        assert_eq!(opened.wait, None);
        opened.detached.into_iter().for_each(|detached| detached.give(&mut self.pages));
        Ok(opened.description)
    }

    pub fn open(&mut self, path: &str, flags: OpenFlags) -> DescriptionId {
        self.try_open(path, flags).expect(path)
    }

    pub fn close(&mut self, id: DescriptionId) {
        self.fs.close(id, &mut self.pages);
    }

    pub fn read(&mut self, id: DescriptionId, length: usize) -> Result<Vec<u8>, Stop> {
        let mut to = vec![0xee; length];
        let done = self.fs.read(id, &mut to, &mut self.pages)?;
        to.truncate(done);
        Ok(to)
    }

    pub fn write(&mut self, id: DescriptionId, from: &[u8]) -> Result<usize, Stop> {
        self.fs.write(id, from, &mut self.pages)
    }

    /// Makes a file with content.
    pub fn put(&mut self, path: &str, content: &[u8]) {
        let id = self.open(path, OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC);
        assert_eq!(self.write(id, content), Ok(content.len()));
        self.close(id);
    }

    /// The whole content of a file.
    pub fn content(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let id = self.try_open(path, OpenFlags::empty())?;
        let content = self.read(id, 1 << 20);
        self.close(id);
        Ok(content.expect("a file that can be read"))
    }

    pub fn find(&self, path: &str) -> Result<Node, Errno> {
        self.fs.find(caller!(self), self.at(path), Follow::Yes)
    }

    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(self.fs.stat(caller!(self), self.fs.find(caller!(self), self.at(path), Follow::No)?))
    }

    pub fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        let at = self.at(path);
        self.fs.mkdir(caller!(self), at, 0o755)
    }

    pub fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        let at = self.at(path);
        self.fs.rmdir(caller!(self), at, &mut self.pages)
    }

    pub fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let at = self.at(path);
        self.fs.unlink(caller!(self), at, &mut self.pages)
    }

    pub fn symlink(&mut self, text: &str, path: &str) -> Result<(), Errno> {
        let at = self.at(path);
        self.fs.symlink(caller!(self), text.as_bytes(), at)
    }

    pub fn link(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let (from, to) = (self.at(from), self.at(to));
        self.fs.link(caller!(self), from, Follow::No, to)
    }

    pub fn mkfifo(&mut self, path: &str) -> Result<(), Errno> {
        let at = self.at(path);
        self.fs.mknod(caller!(self), at, Make::Fifo, 0o644)
    }

    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        self.rename_with(from, to, RenameFlags::empty())
    }

    pub fn rename_with(&mut self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        let (from, to) = (self.at(from), self.at(to));
        self.fs.rename(caller!(self), from, to, flags, &mut self.pages)
    }

    pub fn readlink(&self, path: &str) -> Result<Vec<u8>, Errno> {
        self.fs.readlink(caller!(self), self.at(path))
    }

    pub fn set_size(&mut self, path: &str, size: i64) -> Result<(), Errno> {
        let node = self.find(path)?;
        let detached = self.fs.set_size(caller!(self), node, size, &mut self.pages)?;
        detached.give(&mut self.pages);
        Ok(())
    }

    /// Names in a directory, with `.` and `..`.
    pub fn names(&mut self, path: &str) -> Vec<std::string::String> {
        let id = self.open(path, OpenFlags::DIRECTORY);
        let mut names = Vec::new();
        let listed = self.fs.list(id, &self.table, &mut |entry| {
            names.push(core::str::from_utf8(entry.name).expect("a name of a test").into());
            true
        });
        assert_eq!(listed, Ok(()));
        self.close(id);
        names
    }

    /// What was woken since the last time.
    pub fn wakes(&mut self) -> Vec<Wait> {
        core::iter::from_fn(|| self.fs.next_wake()).collect()
    }

    /// Removes everything below a directory.
    pub fn clean(&mut self, path: &str) {
        for name in self.names(path) {
            if matches!(&*name, "." | "..") {
                continue;
            }
            let path = format!("{path}/{name}");
            match self.stat(&path).expect("what is listed").mode & FileType::MASK {
                mode if mode == FileType::Directory.mode_bits() => {
                    self.clean(&path);
                    assert_eq!(self.rmdir(&path), Ok(()));
                }
                _ => assert_eq!(self.unlink(&path), Ok(())),
            }
        }
    }

    /// All is as in a new file system.
    pub fn assert_empty(&self) {
        assert_eq!(self.fs.usage(), Usage { inodes: 1, ..Usage::default() });
        assert_eq!(self.pages.taken(), 0);
    }
}
