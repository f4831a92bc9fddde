//! `/proc`: its names. What its files say comes from the process layer, by [`Processes`], when
//! they are opened; an open file keeps what it said then.

use super::{Descriptors, Errno, Fd, FileSystem, FileType, Node, directory::FIRST};
use alloc::{format, vec::Vec};

/// Number of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub u32);

macro_rules! names {
    ($(#[$about:meta])* $type:ident: $($variant:ident = $name:literal $meaning:literal,)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $type {
            $(#[doc = $meaning] $variant,)*
        }

        impl $type {
            /// All of them, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in its directory.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

names! {
    /// A file of `/proc` on the whole system.
    SystemFile:
    Cmdline = "cmdline" "The kernel's arguments.",
    Cpuinfo = "cpuinfo" "The processors.",
    Filesystems = "filesystems" "Kinds of file systems.",
    Loadavg = "loadavg" "How many processes wanted to run of late.",
    Meminfo = "meminfo" "Memory, in use and free.",
    Mounts = "mounts" "Where file systems are.",
    Stat = "stat" "Counts since the start.",
    Swaps = "swaps" "Where pages are swapped to.",
    Uptime = "uptime" "Seconds since the start, and seconds idle.",
    Version = "version" "The kernel's name and version.",
    Vmstat = "vmstat" "Counts of memory management.",
}

names! {
    /// A file of `/proc` on one process.
    ProcessFile:
    Cmdline = "cmdline" "Its arguments.",
    Comm = "comm" "Its name.",
    Environ = "environ" "Its environment.",
    Maps = "maps" "Its memory, by area.",
    Stat = "stat" "Its state, in one line.",
    Statm = "statm" "Its memory, in pages.",
    Status = "status" "Its state, to be read by people.",
}

names! {
    /// A symbolic link of `/proc` to what a process uses.
    ProcessLink:
    Cwd = "cwd" "Its working directory.",
    Exe = "exe" "Its program.",
    Root = "root" "Its root directory.",
}

/// A file of `/proc` with content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProcFile {
    /// On the system.
    System(SystemFile),
    /// On a process.
    Process(Pid, ProcessFile),
}

/// Something in `/proc`. The process that it tells of may be gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProcNode {
    /// `/proc` itself.
    Root,
    /// `self`: a link to the process that asks.
    SelfLink,
    /// A file.
    File(ProcFile),
    /// The directory of a process.
    Process(Pid),
    /// A link of a process.
    Link(Pid, ProcessLink),
    /// The directory of a process's descriptors.
    Descriptors(Pid),
    /// A link to what a descriptor is for.
    Descriptor(Pid, u32),
}

/// What `/proc` must know of processes. The process layer implements it.
pub trait Processes {
    /// The process that makes the call.
    fn current(&self) -> Pid;
    /// The first process at or above a number.
    fn first_from(&self, pid: Pid) -> Option<Pid>;
    /// User and group of a process.
    fn owner(&self, pid: Pid) -> (u32, u32);
    /// What a file says now.
    ///
    /// # Errors
    /// Of the opening: `ENOENT` or `ESRCH` if the process is gone.
    fn content(&self, fs: &FileSystem, file: ProcFile) -> Result<Vec<u8>, Errno>;
    /// What a link of a process leads to.
    fn link(&self, pid: Pid, link: ProcessLink) -> Option<Node>;
    /// The descriptors of a process.
    fn descriptors(&self, pid: Pid) -> Option<&Descriptors>;
}

/// No processes: the kernel has none yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoProcesses;

impl Processes for NoProcesses {
    fn current(&self) -> Pid {
        Pid(0)
    }
    fn first_from(&self, _: Pid) -> Option<Pid> {
        None
    }
    fn owner(&self, _: Pid) -> (u32, u32) {
        (0, 0)
    }
    fn content(&self, _: &FileSystem, _: ProcFile) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    fn link(&self, _: Pid, _: ProcessLink) -> Option<Node> {
        None
    }
    fn descriptors(&self, _: Pid) -> Option<&Descriptors> {
        None
    }
}

/// Where the processes begin in the order of `/proc`; files are before.
const PROCESSES: u64 = 256;
/// The name of the directory of descriptors.
const DESCRIPTORS: &[u8] = b"fd";

fn exists(pid: Pid, processes: &dyn Processes) -> bool {
    processes.first_from(pid) == Some(pid)
}

/// A number as it is written in a name: without a sign and without zeros before it.
fn parse(name: &[u8]) -> Option<u32> {
    if !name.iter().all(u8::is_ascii_digit) || (name.len() > 1 && name[0] == b'0') {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

/// The names in `/proc` and in the directory of a process that are always there, in order.
fn fixed(directory: ProcNode) -> impl Iterator<Item = ProcNode> {
    let system = directory == ProcNode::Root;
    let process = if let ProcNode::Process(pid) = directory { Some(pid) } else { None };
    let files = SystemFile::ALL.iter().map(|&file| ProcNode::File(ProcFile::System(file)));
    let of_system = core::iter::once(ProcNode::SelfLink).chain(files).filter(move |_| system);
    let of_process = process.into_iter().flat_map(|pid| {
        let files =
            ProcessFile::ALL.iter().map(move |&f| ProcNode::File(ProcFile::Process(pid, f)));
        let links = ProcessLink::ALL.iter().map(move |&link| ProcNode::Link(pid, link));
        files.chain(links).chain([ProcNode::Descriptors(pid)])
    });
    of_system.chain(of_process)
}

impl ProcNode {
    /// What kind of file it is.
    pub const fn kind(self) -> FileType {
        match self {
            Self::Root | Self::Process(_) | Self::Descriptors(_) => FileType::Directory,
            Self::File(_) => FileType::File,
            Self::SelfLink | Self::Link(..) | Self::Descriptor(..) => FileType::Symlink,
        }
    }

    /// The process that it tells of.
    pub const fn process(self) -> Option<Pid> {
        match self {
            Self::Root | Self::SelfLink | Self::File(ProcFile::System(_)) => None,
            Self::File(ProcFile::Process(pid, _))
            | Self::Process(pid)
            | Self::Link(pid, _)
            | Self::Descriptors(pid)
            | Self::Descriptor(pid, _) => Some(pid),
        }
    }

    /// What programs see as its inode number.
    pub fn number(self) -> u64 {
        let base = self.process().map_or(0, |pid| (u64::from(pid.0) + 1) << 32);
        base + match self {
            Self::Root | Self::Process(_) => 1,
            Self::SelfLink => 2,
            Self::Descriptors(_) => 3,
            Self::File(ProcFile::System(file)) => 0x100 + file as u64,
            Self::File(ProcFile::Process(_, file)) => 0x100 + file as u64,
            Self::Link(_, link) => 0x200 + link as u64,
            Self::Descriptor(_, fd) => 0x1000 + u64::from(fd),
        }
    }

    /// Its name in its directory; `/proc` has none here.
    pub fn name(self) -> Vec<u8> {
        match self {
            Self::Root => Vec::new(),
            Self::SelfLink => b"self".to_vec(),
            Self::File(ProcFile::System(file)) => file.name().into(),
            Self::File(ProcFile::Process(_, file)) => file.name().into(),
            Self::Process(pid) => format!("{}", pid.0).into(),
            Self::Link(_, link) => link.name().into(),
            Self::Descriptors(_) => DESCRIPTORS.to_vec(),
            Self::Descriptor(_, fd) => format!("{fd}").into(),
        }
    }

    /// The directory that it is in; `/proc` has none here.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::Descriptor(pid, _) => Some(Self::Descriptors(pid)),
            Self::File(ProcFile::Process(pid, _)) | Self::Link(pid, _) | Self::Descriptors(pid) => {
                Some(Self::Process(pid))
            }
            Self::SelfLink | Self::File(ProcFile::System(_)) | Self::Process(_) => Some(Self::Root),
        }
    }

    /// What a name means in this directory.
    pub(super) fn find(self, name: &[u8], processes: &dyn Processes) -> Option<Self> {
        if let Some(pid) = self.process()
            && !exists(pid, processes)
        {
            return None;
        }
        if let Self::Descriptors(pid) = self {
            let fd = parse(name)?;
            processes.descriptors(pid)?.get(Fd(fd)).ok()?;
            return Some(Self::Descriptor(pid, fd));
        }
        if let Some(node) = fixed(self).find(|node| node.name() == name) {
            return Some(node);
        }
        let pid = Pid(parse(name).filter(|_| self == Self::Root)?);
        exists(pid, processes).then_some(Self::Process(pid))
    }

    /// The first entry of this directory at or behind a place, and the place behind it.
    pub(super) fn at(self, place: u64, processes: &dyn Processes) -> Option<(u64, Self)> {
        let index = place.saturating_sub(FIRST);
        if let Self::Descriptors(pid) = self {
            let from = Fd(u32::try_from(index).ok()?);
            let (fd, _) = processes.descriptors(pid)?.first_from(from)?;
            return Some((FIRST + u64::from(fd.0) + 1, Self::Descriptor(pid, fd.0)));
        }
        if let Some(pid) = self.process()
            && !exists(pid, processes)
        {
            return None;
        }
        if let Some(node) = fixed(self).nth(index as usize) {
            return Some((place.max(FIRST) + 1, node));
        }
        let from = u32::try_from(place.saturating_sub(PROCESSES)).ok()?;
        let pid = processes.first_from(Pid(from)).filter(|_| self == Self::Root)?;
        Some((PROCESSES + u64::from(pid.0) + 1, Self::Process(pid)))
    }
}
