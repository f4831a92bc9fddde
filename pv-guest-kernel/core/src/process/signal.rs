//! What signals there are, sets of them, and why one was sent: [`Signal`], [`SignalSet`],
//! [`Info`].

use crate::fs::Pid;

/// A signal, by its number: 1 to 64. The numbers are those of both machines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signal(pub(super) u8);

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
