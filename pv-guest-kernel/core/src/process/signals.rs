//! Signals of a process: what is done with each, which are blocked, and which wait.

use crate::fs::Pid;
use alloc::{boxed::Box, vec::Vec};
use bitflags::bitflags;

/// A signal, by its number: 1 to 64. The numbers are those of both machines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $number:literal $meaning:literal,)*) => {
        impl Signal {
            $(#[doc = $meaning] pub const $name: Signal = Signal($number);)*
        }
    };
}

signals! {
    HUP = 1 "The terminal is gone.",
    INT = 2 "Somebody typed Ctrl-C.",
    QUIT = 3 "Somebody typed Ctrl-\\.",
    ILL = 4 "It executed what is no instruction.",
    TRAP = 5 "It came to a breakpoint.",
    ABRT = 6 "It gave up.",
    BUS = 7 "It touched what its file or its processor has not.",
    FPE = 8 "It divided by zero.",
    KILL = 9 "It ends, whatever it wants.",
    USR1 = 10 "As the program likes.",
    SEGV = 11 "It touched memory that is not its own.",
    USR2 = 12 "As the program likes.",
    PIPE = 13 "It wrote to a pipe that nobody reads.",
    ALRM = 14 "Its alarm rang.",
    TERM = 15 "It should end.",
    CHLD = 17 "A child ended, stopped or went on.",
    CONT = 18 "It goes on.",
    STOP = 19 "It stops, whatever it wants.",
    TSTP = 20 "Somebody typed Ctrl-Z.",
    TTIN = 21 "It read from the terminal in the background.",
    TTOU = 22 "It wrote to the terminal in the background.",
    URG = 23 "A socket has something urgent.",
    WINCH = 28 "The window has another size.",
}

/// The first signal of those that queue.
const REAL_TIME: u8 = 32;

/// What a signal does that no handler catches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends, and would leave a core file.
    Core,
    /// Nothing.
    Ignore,
    /// The process stops.
    Stop,
    /// The process goes on, if it is stopped.
    Continue,
}

impl Signal {
    /// The signal of a number.
    pub fn with_number(number: u64) -> Option<Signal> {
        (1..=64).contains(&number).then_some(Signal(number as u8))
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// Whether more than one of it can wait.
    pub const fn queues(self) -> bool {
        self.0 >= REAL_TIME
    }

    /// Whether an instruction of the process itself brought it about, or that its stack cannot
    /// take a handler's frame.
    pub const fn is_forced(self, cause: Cause) -> bool {
        match cause {
            Cause::Fault { .. } => true,
            Cause::Kernel => SignalSet::SYNCHRONOUS.has(self),
            _ => false,
        }
    }

    /// What it does that no handler catches.
    pub const fn default_action(self) -> DefaultAction {
        match self {
            Signal::QUIT
            | Signal::ILL
            | Signal::TRAP
            | Signal::ABRT
            | Signal::BUS
            | Signal::FPE
            | Signal::SEGV => DefaultAction::Core,
            // SIGXCPU, SIGXFSZ, SIGSYS.
            Signal(24 | 25 | 31) => DefaultAction::Core,
            Signal::CHLD | Signal::URG | Signal::WINCH => DefaultAction::Ignore,
            Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => DefaultAction::Stop,
            Signal::CONT => DefaultAction::Continue,
            _ => DefaultAction::Terminate,
        }
    }
}

/// A set of signals, as system calls have it: bit 0 is signal 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// What no process can block, ignore or handle.
    pub const ALWAYS: SignalSet = SignalSet::of(&[Signal::KILL, Signal::STOP]);
    /// What stops a process by default.
    pub const STOPPING: SignalSet =
        SignalSet::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);
    /// What an instruction of the process itself brings about.
    pub const SYNCHRONOUS: SignalSet =
        SignalSet::of(&[Signal::ILL, Signal::TRAP, Signal::BUS, Signal::FPE, Signal::SEGV]);

    /// The set of these signals.
    pub const fn of(signals: &[Signal]) -> SignalSet {
        let mut bits = 0;
        let mut index = 0;
        while index < signals.len() {
            bits |= 1 << (signals[index].0 - 1);
            index += 1;
        }
        SignalSet(bits)
    }

    /// Whether a signal is in it.
    pub const fn has(self, signal: Signal) -> bool {
        self.0 >> (signal.0 - 1) & 1 != 0
    }

    /// Whether there is none in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With those of another.
    #[must_use]
    pub const fn and(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// Without those of another.
    #[must_use]
    pub const fn without(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn common(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & other.0)
    }

    /// The one that is delivered first: what an instruction brought about, then by number.
    pub const fn first(self) -> Option<Signal> {
        let urgent = self.common(SignalSet::SYNCHRONOUS);
        let from = if urgent.is_empty() { self } else { urgent };
        if from.is_empty() { None } else { Some(Signal(from.0.trailing_zeros() as u8 + 1)) }
    }
}

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

/// Why a signal was sent, for `siginfo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The kernel (`SI_KERNEL`): the terminal, the alarm, a pipe.
    Kernel,
    /// A process (`SI_USER`, `SI_TKILL`, or as the sender of `sigqueue` says).
    Process {
        /// `si_code`.
        code: i32,
        /// Who.
        pid: Pid,
        /// Its user.
        uid: u32,
        /// What it said.
        value: u64,
    },
    /// An instruction of its own.
    Fault {
        /// `si_code`: `SEGV_MAPERR`, `SEGV_ACCERR`, ...
        code: i32,
        /// The address.
        address: u64,
    },
    /// A child.
    Child {
        /// `si_code`: `CLD_EXITED`, ...
        code: i32,
        /// Which.
        pid: Pid,
        /// Its user.
        uid: u32,
        /// Its status, or the signal.
        status: i32,
        /// How long it ran, in clock ticks.
        user: u64,
        /// How long the kernel worked for it, in clock ticks.
        system: u64,
    },
}

/// A signal on its way to a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// Which.
    pub signal: Signal,
    /// Why.
    pub cause: Cause,
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
const QUEUE_MAX: usize = 64;

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
