//! Who runs next, and who is woken when: [`Scheduler`].
//!
//! Processes take turns, each for a time slice. One that is woken goes before those that only
//! wait for their turn, with what was left of its slice; when that is used up it waits for its
//! turn like the others. So who sleeps often is served soon, and nobody starves.

use crate::fs::{Pid, Wait};
use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

/// Something that processes wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// Something happened to a file.
    File(Wait),
    /// The terminal has something to read.
    Terminal,
}

/// What happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Due {
    /// A process is woken.
    Wake,
    /// The alarm of a process rings.
    Alarm,
}

/// Queues of processes.
#[derive(Debug, Default)]
pub struct Scheduler {
    /// Who was woken.
    woken: VecDeque<Pid>,
    /// Who waits for its turn.
    turns: VecDeque<Pid>,
    sleepers: BTreeSet<(Event, Pid)>,
    times: BTreeSet<(u64, Pid, Due)>,
}

impl Scheduler {
    /// A process that was woken wants to run.
    pub(crate) fn add_woken(&mut self, pid: Pid) {
        self.woken.push_back(pid);
    }

    /// A process waits for its turn.
    pub(crate) fn add_last(&mut self, pid: Pid) {
        self.turns.push_back(pid);
    }

    /// A process has the next turn: it was interrupted for one that was woken.
    pub(crate) fn add_first(&mut self, pid: Pid) {
        self.turns.push_front(pid);
    }

    /// Takes who runs next.
    pub(crate) fn next(&mut self) -> Option<Pid> {
        self.woken.pop_front().or_else(|| self.turns.pop_front())
    }

    /// Whether somebody was woken.
    pub fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    /// Whether somebody waits to run.
    pub fn has_others(&self) -> bool {
        self.has_woken() || !self.turns.is_empty()
    }

    /// How many wait to run.
    pub fn waiting(&self) -> usize {
        self.woken.len() + self.turns.len()
    }

    /// A process that stops or ends waits to run no more.
    pub(crate) fn remove(&mut self, pid: Pid) {
        self.woken.retain(|queued| *queued != pid);
        self.turns.retain(|queued| *queued != pid);
    }

    /// A process waits for something.
    pub(crate) fn sleep(&mut self, event: Event, pid: Pid) {
        self.sleepers.insert((event, pid));
    }

    /// A process waits for it no more.
    pub(crate) fn unsleep(&mut self, event: Event, pid: Pid) {
        self.sleepers.remove(&(event, pid));
    }

    /// How many things are waited for, each by so many.
    pub(crate) fn sleeping(&self) -> usize {
        self.sleepers.len()
    }

    /// Who waits for something.
    pub(crate) fn sleepers(&self, event: Event) -> Vec<Pid> {
        let range = (event, Pid(0))..=(event, Pid(u32::MAX));
        self.sleepers.range(range).map(|(_, pid)| *pid).collect()
    }

    /// Something happens to a process at a time.
    pub(crate) fn at(&mut self, time: u64, pid: Pid, what: Due) {
        self.times.insert((time, pid, what));
    }

    /// It does not happen.
    pub(crate) fn not_at(&mut self, time: u64, pid: Pid, what: Due) {
        self.times.remove(&(time, pid, what));
    }

    /// When something happens next.
    pub fn next_time(&self) -> Option<u64> {
        self.times.first().map(|(time, ..)| *time)
    }

    /// Takes what has happened by now.
    pub(crate) fn due(&mut self, now: u64) -> Option<(Pid, Due)> {
        let (time, pid, what) = *self.times.first()?;
        if time > now {
            return None;
        }
        self.times.pop_first();
        Some((pid, what))
    }

    /// Whether nobody waits for anything: all processes have ended.
    #[cfg(any(test, feature = "model"))]
    pub fn is_empty(&self) -> bool {
        !self.has_others() && self.sleepers.is_empty() && self.times.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_woken_goes_first_and_the_others_in_order() {
        let mut scheduler = Scheduler::default();
        scheduler.add_last(Pid(1));
        scheduler.add_last(Pid(2));
        scheduler.add_woken(Pid(3));
        scheduler.add_first(Pid(4));
        let order: Vec<_> = core::iter::from_fn(|| scheduler.next()).collect();
        assert_eq!(order, [3, 4, 1, 2].map(Pid));
    }

    #[test]
    fn times_come_in_their_order() {
        let mut scheduler = Scheduler::default();
        scheduler.at(20, Pid(1), Due::Wake);
        scheduler.at(10, Pid(2), Due::Alarm);
        scheduler.at(15, Pid(3), Due::Wake);
        scheduler.not_at(15, Pid(3), Due::Wake);
        assert_eq!(scheduler.due(5), None);
        assert_eq!(scheduler.due(30), Some((Pid(2), Due::Alarm)));
        assert_eq!(scheduler.due(30), Some((Pid(1), Due::Wake)));
        assert!(scheduler.is_empty());
    }
}
