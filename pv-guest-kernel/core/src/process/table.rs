//! All processes: [`ProcessTable`].

use super::{Process, Progress, State};
use crate::{Platform, fs::Pid};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

/// Numbers of processes are below this, as Linux has it.
const PID_END: u32 = 32768;

/// All processes, by number.
#[derive(Debug)]
pub struct ProcessTable<P: Platform> {
    processes: BTreeMap<Pid, Box<Process<P>>>,
    /// The number after which a free one is looked for.
    last: Pid,
    /// Forks so far (`processes` of `/proc/stat`).
    made: u64,
}

impl<P: Platform> Default for ProcessTable<P> {
    fn default() -> Self {
        ProcessTable { processes: BTreeMap::new(), last: Pid(0), made: 0 }
    }
}

impl<P: Platform> ProcessTable<P> {
    /// A process.
    #[inline]
    pub fn get(&self, pid: Pid) -> Option<&Process<P>> {
        self.processes.get(&pid).map(|process| &**process)
    }

    /// A process, to change.
    #[inline]
    pub fn get_mut(&mut self, pid: Pid) -> Option<&mut Process<P>> {
        self.processes.get_mut(&pid).map(|process| &mut **process)
    }

    /// The first process at or above a number.
    pub fn first_from(&self, pid: Pid) -> Option<Pid> {
        self.processes.range(pid..).next().map(|(pid, _)| *pid)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Process<P>> {
        self.processes.values().map(|process| &**process)
    }

    /// All of them, to change.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process<P>> {
        self.processes.values_mut().map(|process| &mut **process)
    }

    /// How many there are, those included that have ended and were not waited for.
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// How many were made since the start.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The number of the process that was made last.
    pub fn last(&self) -> Pid {
        self.last
    }

    /// How many a user has.
    pub(crate) fn count_of(&self, uid: u32) -> usize {
        self.iter().filter(|process| process.credentials.user.real == uid).count()
    }

    /// The numbers of the processes that a rule picks.
    pub(crate) fn which(&self, picks: impl Fn(&Process<P>) -> bool) -> Vec<Pid> {
        self.iter().filter(|process| picks(process)).map(|process| process.pid).collect()
    }

    /// A number that no process, group or session has. There are fewer processes than numbers.
    pub(crate) fn free_pid(&self) -> Pid {
        let taken = |pid: Pid| {
            self.processes.contains_key(&pid)
                || self.iter().any(|process| process.group == pid || process.session == pid)
        };
        let mut next = self.last;
        loop {
            next = if next.0 + 1 < PID_END { Pid(next.0 + 1) } else { Pid(2) };
            if !taken(next) {
                return next;
            }
        }
    }

    /// A process more.
    pub(crate) fn insert(&mut self, process: Box<Process<P>>) {
        self.last = process.pid;
        self.made += 1;
        self.processes.insert(process.pid, process);
    }

    /// A process less: it was waited for.
    pub(crate) fn remove(&mut self, pid: Pid) -> Option<Box<Process<P>>> {
        self.processes.remove(&pid)
    }
}

impl<P: Platform> Process<P> {
    /// Its call is over.
    #[inline]
    pub(crate) fn finish_call(&mut self) {
        self.calling = false;
        self.progress = Progress::default();
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }
}
