//! Process groups, and what parents learn of children that stop and go on.

use super::{
    ActionFlags, Cause, Info, Process, Signal, State, StateChange,
    siginfo::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED},
};
use crate::{Platform, fs::Pid, kernel::Kernel};

/// Nanoseconds of a clock tick as `times` counts.
pub(crate) const TICK: u64 = 10_000_000;

/// What `wait4` says of a process that a signal ended. There are no core files, as where their
/// size is limited to 0: never does it say that one was written.
pub fn signal_status(signal: Signal) -> i32 {
    signal.number() as i32
}

/// What `wait4` says of a process that ended by itself.
pub fn exit_status(code: u64) -> i32 {
    (code as i32 & 0xff) << 8
}

impl StateChange {
    /// What `wait4` says.
    pub fn status(self) -> i32 {
        match self {
            StateChange::Stopped(signal) => (signal.number() as i32) << 8 | 0x7f,
            StateChange::Continued => 0xffff,
        }
    }
}

impl<P: Platform> Process<P> {
    /// What its parent learns of it: `siginfo` of SIGCHLD.
    pub(crate) fn child_info(&self) -> Option<Cause> {
        let (code, status) = match (&self.state, self.change) {
            (State::Ended(status), _) if status & 0x7f == 0 => (CLD_EXITED, status >> 8),
            (State::Ended(status), _) => (CLD_KILLED, status & 0x7f),
            (_, Some(StateChange::Stopped(signal))) => (CLD_STOPPED, signal.number() as i32),
            (_, Some(StateChange::Continued)) => (CLD_CONTINUED, Signal::CONT.number() as i32),
            _ => return None,
        };
        let (pid, uid) = (self.pid, self.credentials.user.real);
        let (user, system) = (self.times.user / TICK, self.times.system / TICK);
        Some(Cause::Child { code, pid, uid, status, user, system })
    }
}

impl<P: Platform> Kernel<P> {
    /// Whether nobody is left who could continue the processes of a group: none of them has a
    /// parent in the same session and another group. One process can be left out of account.
    pub(crate) fn is_orphaned(&self, group: Pid, ended: Option<Pid>) -> bool {
        !self.processes.iter().any(|process| {
            process.group == group
                && !process.has_ended()
                && Some(process.pid) != ended
                && self.processes.get(process.parent).is_some_and(|parent| {
                    parent.group != group && parent.session == process.session
                })
        })
    }

    /// If a group is an orphan from now on and one of it is stopped, all of it go on, with
    /// SIGHUP: nobody else would continue them.
    pub(super) fn release_orphans(&mut self, group: Pid) {
        let stopped =
            |process: &Process<P>| process.group == group && process.state == State::Stopped;
        if self.processes.iter().any(stopped) && self.is_orphaned(group, None) {
            self.signal_group(group, Signal::HUP);
            self.signal_group(group, Signal::CONT);
        }
    }

    /// Tells the parent of a process that it stopped or went on.
    pub(super) fn tell_parent(&mut self, who: Pid) {
        let Some(process) = self.processes.get(who) else { return };
        let (parent, cause) = (process.parent, process.child_info());
        let wanted = self.processes.get(parent).is_some_and(|parent| {
            let flags = parent.signals.action(Signal::CHLD).flags;
            !flags.contains(ActionFlags::NO_CHILD_STOP)
        });
        if let Some(cause) = cause.filter(|_| wanted) {
            // It does not queue.
            let _ = self.send(parent, Info { signal: Signal::CHLD, cause });
        }
        self.wake_for_child(parent);
    }

    /// Wakes a process that waits for a child.
    pub(super) fn wake_for_child(&mut self, parent: Pid) {
        let waits = self.processes.get(parent).is_some_and(
            |process| matches!(&process.state, State::Waiting(waiting) if waiting.child),
        );
        if waits {
            self.wake(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_linux() {
        assert_eq!(exit_status(0x1ff), 0xff00);
        assert_eq!(signal_status(Signal::KILL), 9);
        assert_eq!(signal_status(Signal::SEGV), 11);
        assert_eq!(StateChange::Stopped(Signal::TSTP).status(), 0x147f);
    }
}
