//! The end of a process: what it had goes back, its children get another parent, and its own
//! learns of it.

use super::{Action, ActionFlags, Due, INIT, Info, Signal, SignalSet, State};
use crate::{
    Platform,
    fs::Pid,
    kernel::{End, Files, Kernel},
};

impl<P: Platform> Kernel<P> {
    /// Ends a process, with a status as `wait4` gives it.
    pub fn terminate(&mut self, who: Pid, status: i32) {
        if self.processes.get(who).is_none_or(super::Process::has_ended) {
            return;
        }
        if who == INIT {
            self.end = Some(self.end.unwrap_or(End::Init(status)));
        }
        self.end_wait(who);
        self.leave(who);
        self.scheduler.remove(who);
        self.set_alarm_of(who, None);
        if self.float_owner == Some(who) {
            self.float_owner = None;
        }
        self.close_opening(who);
        self.release_memory(who);
        self.release_files(who);
        if let Some(process) = self.processes.get_mut(who) {
            process.state = State::Ended(status);
            process.change = None;
            process.calling = false;
            process.signals.forget(SignalSet(u64::MAX));
        }
        self.leave_children(who);
        self.terminal_loses(who);
        self.announce_end(who);
        self.serve_wakes();
    }

    /// The memory of a process that ends or executes goes: back to whom it was borrowed from, or
    /// away.
    pub(crate) fn release_memory(&mut self, who: Pid) {
        let Some(process) = self.processes.get_mut(who) else { return };
        let (clear, lender) = (process.clear_tid, process.borrowed_from.take());
        process.clear_tid = 0;
        if clear != 0 && lender.is_some() && process.space.is_some() {
            // Who shares the memory sees that it is gone. What it cannot reach, stays.
            let _ = self.user(who).write_u32(clear, 0);
        }
        let Some(process) = self.processes.get_mut(who) else { return };
        let space = process.space.take();
        if let Some(space) = &space {
            let usage = space.usage();
            let times = &mut process.times;
            times.peak_resident = times.peak_resident.max(usage.peak_resident);
            times.past_faults += usage.faults - usage.major_faults;
            times.past_major_faults += usage.major_faults;
        }
        // Who lent its own memory on passes what comes back.
        let heir = if space.is_none() { lender } else { None };
        for child in self.processes.iter_mut().filter(|child| child.borrowed_from == Some(who)) {
            child.borrowed_from = heir;
        }
        if space.is_none() && heir.is_some() {
            return;
        }
        let mut unclaimed = space;
        if let Some(lender) = lender.and_then(|lender| self.processes.get_mut(lender)) {
            if lender.space.is_none() {
                lender.space = unclaimed.take();
            }
            if lender.state == State::Lending {
                lender.state = State::Ready;
                let pid = lender.pid;
                self.scheduler.add_woken(pid);
            }
        }
        if let Some(space) = unclaimed {
            space.destroy(&mut self.parts());
        }
    }

    fn release_files(&mut self, who: Pid) {
        let Some(process) = self.processes.get_mut(who) else { return };
        let mut descriptors = core::mem::take(&mut process.descriptors);
        let (working, program) = (process.working, process.program.take());
        process.working = self.fs.root();
        let Files { fs, mut store, .. } = self.files(who);
        descriptors.close_all(fs, &mut store);
        fs.release(working, &mut store);
        if let Some(program) = program {
            fs.release(program, &mut store);
        }
    }

    /// Closes the FIFO that a process was opening in a call that is given up.
    pub(super) fn close_opening(&mut self, who: Pid) {
        let opening =
            self.processes.get_mut(who).and_then(|process| process.progress.opening.take());
        if let Some(description) = opening {
            let Files { fs, mut store, .. } = self.files(who);
            fs.close(description, &mut store);
        }
    }

    /// The children of a process that ended are the first process's. Groups that it held together
    /// with its session are orphans: those of its children, and its own.
    fn leave_children(&mut self, who: Pid) {
        let Some((group, session)) = self.processes.get(who).map(|it| (it.group, it.session))
        else {
            return;
        };
        for child in self.processes.which(|process| process.parent == who) {
            let Some(process) = self.processes.get_mut(child) else { continue };
            process.parent = INIT;
            let (of_child, held) =
                (process.group, process.group != group && process.session == session);
            if process.has_ended() {
                self.announce_end(child);
            }
            if held {
                self.release_orphans(of_child);
            }
        }
        let parent = self.processes.get(who).and_then(|it| self.processes.get(it.parent));
        let held = parent.is_some_and(|it| it.group != group && it.session == session);
        if held {
            self.release_orphans(group);
        }
    }

    /// Tells the parent of a process that it has ended. A parent that does not want to know is
    /// not waited for.
    fn announce_end(&mut self, who: Pid) {
        let Some(process) = self.processes.get(who) else { return };
        let (parent, signal) = (process.parent, Signal::with_number(process.end_signal.into()));
        let cause = process.child_info();
        let Some(to) = self.processes.get(parent) else { return };
        let action = to.signals.action(Signal::CHLD);
        let unwanted =
            action.handler == Action::IGNORE || action.flags.contains(ActionFlags::NO_CHILD_WAIT);
        if let (Some(signal), Some(cause)) = (signal, cause) {
            // A signal that queues and finds no room is lost, as Linux has it.
            let _ = self.send(parent, Info { signal, cause });
        }
        if unwanted && signal == Some(Signal::CHLD) {
            self.processes.remove(who);
        }
        self.wake_for_child(parent);
    }

    /// Sets or stops the alarm of a process.
    pub(crate) fn set_alarm_of(&mut self, who: Pid, alarm: Option<super::Alarm>) {
        let Some(process) = self.processes.get_mut(who) else { return };
        if let Some(old) = core::mem::replace(&mut process.alarm, alarm) {
            self.scheduler.not_at(old.at, who, Due::Alarm);
        }
        if let Some(alarm) = alarm {
            self.scheduler.at(alarm.at, who, Due::Alarm);
            if self.current.is_some() {
                let now = self.platform.now();
                self.set_alarm(now);
            }
        }
    }

    /// The alarm of a process rings.
    pub(crate) fn ring(&mut self, who: Pid, now: u64) {
        let Some(alarm) = self.processes.get(who).and_then(|process| process.alarm) else { return };
        let again = (alarm.interval != 0).then(|| {
            // Those that were missed meanwhile are one.
            let missed = now.saturating_sub(alarm.at) / alarm.interval;
            let later = (missed + 1).saturating_mul(alarm.interval);
            super::Alarm { at: alarm.at.saturating_add(later), ..alarm }
        });
        self.set_alarm_of(who, again);
        self.signal(who, Signal::ALRM);
    }
}
