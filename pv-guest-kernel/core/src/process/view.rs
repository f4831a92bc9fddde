//! What `/proc` shows of processes and of the system: [`View`].

use super::ProcessTable;
use crate::{
    Platform,
    fs::{Descriptors, Errno, FileSystem, Node, Pid, ProcFile, ProcessLink, Processes},
    memory::{MemoryInfo, SwapCounts},
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

    fn content(&self, _fs: &FileSystem, _file: ProcFile) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }

    fn link(&self, pid: Pid, link: ProcessLink) -> Option<Node> {
        let process = self.processes.get(pid)?;
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
