//! Sleeping and waking, and sending signals.

use super::{
    Action, Cause, DefaultAction, Due, Event, INIT, Info, QueueFull, Signal, SignalSet, Signals,
    State, StateChange, signal_status,
};
use crate::{Platform, calls::Waiting, fs::Pid, kernel::Kernel};

impl<P: Platform> Kernel<P> {
    /// Puts the caller of a call to sleep.
    pub(crate) fn sleep(&mut self, who: Pid, waiting: Waiting) {
        for wait in &waiting.files {
            self.scheduler.sleep(Event::File(*wait), who);
        }
        if waiting.terminal {
            self.scheduler.sleep(Event::Terminal, who);
        }
        if let Some(until) = waiting.until {
            self.scheduler.at(until, who, Due::Wake);
        }
        if let Some(process) = self.processes.get_mut(who) {
            process.state = State::Waiting(waiting);
        }
    }

    /// Wakes a process that waits in a call; others go on as they are.
    pub fn wake(&mut self, who: Pid) {
        if self.end_wait(who) {
            match self.processes.get(who).is_some_and(|process| process.slice != 0) {
                true => self.scheduler.add_woken(who),
                // It has had its time: others come first.
                false => self.scheduler.add_last(who),
            }
        }
    }

    /// Wakes who waits for something.
    pub fn happened(&mut self, event: Event) {
        for pid in self.scheduler.sleepers(event) {
            self.wake(pid);
        }
    }

    /// A process that waits in a call does so no more. Whether it did.
    pub(super) fn end_wait(&mut self, who: Pid) -> bool {
        let Some(process) = self.processes.get_mut(who) else { return false };
        if !matches!(process.state, State::Waiting(_)) {
            return false;
        }
        let State::Waiting(waiting) = core::mem::replace(&mut process.state, State::Ready) else {
            return false;
        };
        for wait in waiting.files {
            self.scheduler.unsleep(Event::File(wait), who);
        }
        if waiting.terminal {
            self.scheduler.unsleep(Event::Terminal, who);
        }
        if let Some(until) = waiting.until {
            self.scheduler.not_at(until, who, Due::Wake);
        }
        true
    }

    /// Whether a signal is to be delivered to a process that catches it, or that it ends: a call
    /// that would wait is given up.
    pub fn is_interrupted(&self, who: Pid) -> bool {
        self.processes.get(who).is_some_and(|process| {
            let signals = &process.signals;
            let mut set = signals.deliverable();
            while let Some(signal) = set.first() {
                let passes = match (signals.action(signal).handler, signal.default_action()) {
                    (Action::DEFAULT, DefaultAction::Terminate | DefaultAction::Core) => {
                        signals.peek(signal).is_some_and(|info| is_protected(who, signals, &info))
                    }
                    (handler, _) => handler == Action::DEFAULT,
                };
                if !passes {
                    return true;
                }
                set = set.without(SignalSet::of(&[signal]));
            }
            false
        })
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// [`QueueFull`], of a signal that queues.
    pub fn send(&mut self, to: Pid, info: Info) -> Result<(), QueueFull> {
        let signal = info.signal;
        let Some(process) = self.processes.get_mut(to) else { return Ok(()) };
        if process.has_ended() {
            return Ok(());
        }
        let signals = &mut process.signals;
        let stopping = SignalSet::STOPPING;
        if stopping.has(signal) {
            signals.forget(SignalSet::of(&[Signal::CONT]));
        }
        if signal == Signal::CONT {
            signals.forget(stopping);
        }
        let awaited = match &process.state {
            State::Waiting(waiting) => waiting.signals.has(signal),
            _ => false,
        };
        let ignored = signals.is_ignored(signal) && !signals.blocked.has(signal) && !awaited;
        let protected = is_protected(to, signals, &info) && !signals.blocked.has(signal);
        let added = if ignored || protected { Ok(()) } else { signals.add(info) };
        let deliverable = awaited || !signals.deliverable().is_empty();
        if process.state == State::Lending && signal == Signal::KILL {
            self.terminate(to, signal_status(signal));
        } else if process.state == State::Stopped {
            if signal == Signal::CONT || signal == Signal::KILL {
                self.go_on(to, signal == Signal::CONT);
            }
        } else if deliverable {
            self.wake(to);
        }
        added
    }

    /// Sends a signal of the kernel's own to a process.
    pub fn signal(&mut self, to: Pid, signal: Signal) {
        // The kernel's own signals do not queue.
        let _ = self.send(to, Info { signal, cause: Cause::Kernel });
    }

    /// Sends a signal of the kernel's own to all processes of a group: Ctrl-C.
    pub fn signal_group(&mut self, group: Pid, signal: Signal) {
        for pid in self.processes.which(|process| process.group == group) {
            self.signal(pid, signal);
        }
    }

    /// A process that was stopped goes on; its parent learns of it.
    fn go_on(&mut self, who: Pid, tell: bool) {
        let Some(process) = self.processes.get_mut(who) else { return };
        process.state = State::Ready;
        process.change = tell.then_some(StateChange::Continued);
        self.scheduler.add_last(who);
        if tell {
            self.tell_parent(who);
        }
    }
}

/// Whether a signal does nothing to the first process, which has only those that it catches: who
/// ends it ends the machine. What it brings upon itself is another thing.
pub(super) fn is_protected(who: Pid, signals: &Signals, info: &Info) -> bool {
    who == INIT
        && signals.action(info.signal).handler == Action::DEFAULT
        && !info.signal.is_forced(info.cause)
}
