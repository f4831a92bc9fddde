//! All processes: [`ProcessTable`].

use super::Process;
use crate::{Platform, fs::Pid};
use alloc::{boxed::Box, collections::BTreeMap};

/// All processes, by number.
#[derive(Debug)]
pub struct ProcessTable<P: Platform> {
    processes: BTreeMap<Pid, Box<Process<P>>>,
}

impl<P: Platform> ProcessTable<P> {
    /// A process.
    pub fn get(&self, pid: Pid) -> Option<&Process<P>> {
        self.processes.get(&pid).map(|process| &**process)
    }

    /// A process, to change.
    pub fn get_mut(&mut self, pid: Pid) -> Option<&mut Process<P>> {
        self.processes.get_mut(&pid).map(|process| &mut **process)
    }

    /// The first process at or above a number.
    pub fn first_from(&self, pid: Pid) -> Option<Pid> {
        self.processes.range(pid..).next().map(|(pid, _)| *pid)
    }
}
