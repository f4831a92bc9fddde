//! Signals of a process: what is done with each, which are blocked, and which wait.

use super::{DefaultAction, Info, Signal, SignalSet};
use alloc::{boxed::Box, vec::Vec};
use bitflags::bitflags;

bitflags! {
    /// Flags of a signal's action, in the numbers of both machines.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct ActionFlags: u64 {
        /// `SA_NOCLDSTOP`.
        const NO_CHILD_STOP = 1;
        /// `SA_NOCLDWAIT`.
        const NO_CHILD_WAIT = 2;
        /// `SA_SIGINFO`.
        const INFO = 4;
        /// `SA_RESTORER`, of x86-64.
        const RESTORER = 0x0400_0000;
        /// `SA_ONSTACK`.
        const ON_STACK = 0x0800_0000;
        /// `SA_RESTART`.
        const RESTART = 0x1000_0000;
        /// `SA_NODEFER`.
        const NO_DEFER = 0x4000_0000;
        /// `SA_RESETHAND`.
        const RESET = 0x8000_0000;
    }
}

/// What a process does with a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// The handler's address; 0: the default action; 1: nothing.
    pub handler: u64,
    /// How.
    pub flags: ActionFlags,
    /// Where the handler returns to, if the flags say so.
    pub restorer: u64,
    /// What is blocked meanwhile.
    pub mask: SignalSet,
}

impl Action {
    /// `SIG_DFL`.
    pub const DEFAULT: u64 = 0;
    /// `SIG_IGN`.
    pub const IGNORE: u64 = 1;
}

/// The stack that handlers run on if their action says so (`sigaltstack`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlternateStack {
    /// Its lowest address.
    pub start: u64,
    /// Bytes; 0 if there is none.
    pub size: u64,
}

impl AlternateStack {
    /// Whether a stack pointer is on it.
    pub fn has(&self, sp: u64) -> bool {
        sp > self.start && sp - self.start <= self.size
    }

    /// `ss_flags`, for a stack pointer if it matters: `SS_DISABLE`, `SS_ONSTACK`.
    pub fn flags(&self, sp: Option<u64>) -> u32 {
        match sp {
            _ if self.size == 0 => AlternateStack::DISABLE,
            Some(sp) if self.has(sp) => AlternateStack::ON,
            _ => 0,
        }
    }

    /// `SS_ONSTACK`.
    pub const ON: u32 = 1;
    /// `SS_DISABLE`.
    pub const DISABLE: u32 = 2;
    /// `MINSIGSTKSZ`.
    pub const LEAST: u64 = 2048;
}

/// Signals that queue at most; more are refused (`EAGAIN`), or have no [`Info`].
const QUEUE_MAX: usize = 32;

/// The signals of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signals {
    actions: Box<[Action; 64]>,
    /// What is blocked.
    pub blocked: SignalSet,
    /// What was blocked before a call that waits with another set (`sigsuspend`, `ppoll`).
    pub saved: Option<SignalSet>,
    pending: SignalSet,
    queue: Vec<Info>,
    /// The stack for handlers.
    pub stack: AlternateStack,
}

impl Default for Signals {
    fn default() -> Signals {
        Signals {
            actions: Box::new([Action::default(); 64]),
            blocked: SignalSet::default(),
            saved: None,
            pending: SignalSet::default(),
            queue: Vec::new(),
            stack: AlternateStack::default(),
        }
    }
}

impl Signals {
    /// What is done with a signal.
    pub fn action(&self, signal: Signal) -> Action {
        self.actions[signal.0 as usize - 1]
    }

    /// Says what is done with a signal. If that is nothing, those that wait are gone.
    pub fn set_action(&mut self, signal: Signal, action: Action) {
        self.actions[signal.0 as usize - 1] = action;
        if self.is_ignored(signal) {
            self.forget(SignalSet::of(&[signal]));
        }
    }

    /// Whether a signal does nothing.
    pub fn is_ignored(&self, signal: Signal) -> bool {
        match self.action(signal).handler {
            Action::DEFAULT => signal.default_action() == DefaultAction::Ignore,
            handler => handler == Action::IGNORE,
        }
    }

    /// Those that wait.
    pub fn pending(&self) -> SignalSet {
        self.pending
    }

    /// Those that wait and are not blocked.
    #[inline]
    pub fn deliverable(&self) -> SignalSet {
        self.pending.without(self.blocked)
    }

    /// Whether something is to be done before the process runs.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.deliverable().is_empty() || self.saved.is_some()
    }

    /// What waits of a signal first.
    pub fn peek(&self, signal: Signal) -> Option<Info> {
        self.queue.iter().find(|info| info.signal == signal).copied()
    }

    /// A signal waits from now on.
    ///
    /// # Errors
    /// There are too many of those that queue: this one is lost.
    pub fn add(&mut self, info: Info) -> Result<(), QueueFull> {
        let signal = info.signal;
        if self.pending.has(signal) && !signal.queues() {
            return Ok(());
        }
        if signal.queues() && self.queue.len() >= QUEUE_MAX {
            return Err(QueueFull);
        }
        self.queue.push(info);
        self.pending = self.pending.and(SignalSet::of(&[signal]));
        Ok(())
    }

    /// Takes the first of those in a set that wait.
    pub fn take(&mut self, set: SignalSet) -> Option<Info> {
        let signal = self.pending.common(set).first()?;
        let index = self.queue.iter().position(|info| info.signal == signal)?;
        let info = self.queue.remove(index);
        if !self.queue.iter().any(|info| info.signal == signal) {
            self.pending = self.pending.without(SignalSet::of(&[signal]));
        }
        Some(info)
    }

    /// Forgets those of a set that wait.
    pub fn forget(&mut self, set: SignalSet) {
        if !self.pending.common(set).is_empty() {
            self.pending = self.pending.without(set);
            self.queue.retain(|info| !set.has(info.signal));
        }
    }

    /// Blocks another set until the call that asks is over; made again, it asks in vain.
    pub fn suspend(&mut self, blocked: SignalSet) {
        if self.saved.is_none() {
            self.saved = Some(self.blocked);
            self.blocked = blocked.without(SignalSet::ALWAYS);
        }
    }

    /// Of a forked process: the same but for those that wait.
    #[must_use]
    pub fn fork(&self) -> Signals {
        Signals { pending: SignalSet::default(), queue: Vec::new(), ..self.clone() }
    }

    /// Of a process that executes: handlers are gone with their program, and so is their stack.
    pub fn reset_handlers(&mut self) {
        for action in self.actions.iter_mut() {
            let handler = action.handler.min(Action::IGNORE);
            let handler = if handler == action.handler { handler } else { Action::DEFAULT };
            *action = Action { handler, ..Action::default() };
        }
        self.stack = AlternateStack::default();
    }
}

/// Too many signals wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFull;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Cause;

    fn info(number: u64) -> Info {
        Info { signal: Signal::with_number(number).unwrap(), cause: Cause::Kernel }
    }

    #[test]
    fn a_signal_waits_once_and_a_real_time_signal_as_often_as_it_was_sent() {
        let mut signals = Signals::default();
        for number in [15, 15, 40, 40, 11] {
            signals.add(info(number)).unwrap();
        }
        let all = SignalSet(u64::MAX);
        let taken: Vec<_> =
            core::iter::from_fn(|| signals.take(all)).map(|info| info.signal.number()).collect();
        assert_eq!(taken, [11, 15, 40, 40]);
        assert!(signals.pending().is_empty());
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut signals = Signals::default();
        (0..QUEUE_MAX).for_each(|_| signals.add(info(34)).unwrap());
        assert_eq!(signals.add(info(34)), Err(QueueFull));
        signals.add(info(9)).unwrap();
        assert_eq!(signals.deliverable().first(), Some(Signal::KILL));
    }

    #[test]
    fn to_ignore_a_signal_forgets_it() {
        let mut signals = Signals::default();
        signals.add(info(10)).unwrap();
        signals.set_action(Signal::USR1, Action { handler: Action::IGNORE, ..Action::default() });
        assert!(signals.pending().is_empty());
        assert!(signals.is_ignored(Signal::CHLD) && !signals.is_ignored(Signal::TERM));
    }

    #[test]
    fn an_exec_keeps_what_is_ignored_and_drops_handlers() {
        let mut signals = Signals::default();
        let action = |handler| Action { handler, ..Action::default() };
        signals.set_action(Signal::INT, action(Action::IGNORE));
        signals.set_action(Signal::HUP, action(0x1000));
        signals.reset_handlers();
        assert!(signals.is_ignored(Signal::INT));
        assert_eq!(signals.action(Signal::HUP), Action::default());
    }
}
