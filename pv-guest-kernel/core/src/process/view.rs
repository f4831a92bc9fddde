//! What `/proc` shows of processes and of the system: [`View`].

use super::{LoadAverage, ProcessTable, text};
use crate::{
    Platform,
    calls::Clock,
    fs::{
        Descriptors, Errno, FileSystem, Node, Pid, ProcFile, ProcessFile, ProcessLink, Processes,
    },
    memory::{MemoryInfo, SwapCounts},
    terminal::Terminal,
};
use alloc::vec::Vec;

/// The processes, and the system's figures, at one moment.
#[derive(Debug)]
pub struct View<'a, P: Platform> {
    /// The processes.
    pub processes: &'a ProcessTable<P>,
    /// Who asks.
    pub current: Pid,
    /// Memory.
    pub info: MemoryInfo,
    /// Swapping.
    pub swapping: SwapCounts,
    /// Nanoseconds since the start.
    pub now: u64,
    /// The rest.
    pub system: System<'a>,
}

/// What is known of the system beside processes and memory.
#[derive(Clone, Copy, Debug)]
pub struct System<'a> {
    /// The terminal.
    pub terminal: &'a Terminal,
    /// The kernel's command line.
    pub command_line: &'a [u8],
    /// The time of day.
    pub clock: Clock,
    /// How many processes wanted to run of late.
    pub load: LoadAverage,
    /// Nanoseconds in which nobody wanted to run.
    pub idle_time: u64,
    /// Times that another process ran than before.
    pub switches: u64,
    /// Exits for the alarm, the console and the like.
    pub interrupts: u64,
}

impl<P: Platform> Processes for View<'_, P> {
    fn current(&self) -> Pid {
        self.current
    }

    fn first_from(&self, pid: Pid) -> Option<Pid> {
        self.processes.first_from(pid)
    }

    fn owner(&self, pid: Pid) -> (u32, u32) {
        self.processes.get(pid).map_or((0, 0), |process| (process.ids.uid, process.ids.gid))
    }

    /// What is in the memory of a process is filled in by `open`, which can read that.
    fn content(&self, fs: &FileSystem, file: ProcFile) -> Result<Vec<u8>, Errno> {
        let (pid, file) = match file {
            ProcFile::System(file) => return text::system(self, fs, file),
            ProcFile::Process(pid, file) => (pid, file),
        };
        let process = self.processes.get(pid).ok_or(Errno::ESRCH)?;
        match file {
            ProcessFile::Stat => Ok(text::stat(self, process)),
            ProcessFile::Statm => Ok(text::statm(process)),
            ProcessFile::Status => Ok(text::status(process)),
            ProcessFile::Comm => Ok([process.name.as_slice(), b"\n"].concat()),
            ProcessFile::Cmdline => Ok(Vec::new()),
            ProcessFile::Environ if self.may_look(pid) => Ok(Vec::new()),
            ProcessFile::Maps if self.may_look(pid) => text::maps(process, fs),
            ProcessFile::Environ | ProcessFile::Maps => Err(Errno::EACCES),
        }
    }

    fn link(&self, pid: Pid, link: ProcessLink) -> Option<Node> {
        let process = self.processes.get(pid).filter(|process| !process.has_ended())?;
        match link {
            ProcessLink::Cwd => Some(process.working),
            ProcessLink::Exe => process.program,
            ProcessLink::Root => None,
        }
    }

    fn descriptors(&self, pid: Pid) -> Option<&Descriptors> {
        self.processes.get(pid).map(|process| &process.descriptors)
    }
}

impl<P: Platform> View<'_, P> {
    /// Whether who asks may see into a process: its own user, and the superuser.
    fn may_look(&self, pid: Pid) -> bool {
        let uid = |pid| self.processes.get(pid).map(|process| process.ids.uid);
        uid(self.current) == Some(0) || uid(self.current) == uid(pid)
    }
}
