//! What can happen in one step, and how a trace tells it.

use core::fmt;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::{Mfn, Number, Status, VirtAddr};

/// One of the two domains: 0 or 1. Its identity is one more.
pub type Side = usize;

/// A step: whatever stands between two moments at which another vCPU may run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A domain makes a call: the first piece of it.
    Call(u8, Made),
    /// The next piece of the call that a domain is in.
    GoOn(u8),
    /// A domain writes a word through a translation that the processor has cached.
    #[allow(missing_docs, reason = "who writes what where")]
    Write { by: u8, frame: u8, word: u8, value: Value },
    /// Somebody rewrites the argument frame of a domain whose call is under way.
    #[allow(missing_docs, reason = "whose, which word, what")]
    Scribble { of: u8, word: u8, value: Value },
    /// The kernel of a domain puts a frame into its vCPU page that returns to user mode.
    ForgeTrapFrame(u8),
    /// A process makes a system call, or touches what is not mapped.
    Trap(u8),
    /// The operator ends a domain.
    End(u8),
    /// The scheduler is asked what to do: a piece of taking apart, or scrubbing.
    Schedule,
    /// The alarm is due.
    Alarm,
}

/// What a step counts in the distance from the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cost {
    /// Nothing: a call that is under way goes on, or background work does.
    Free,
    /// One: a guest or the operator chose it.
    One,
}

/// A page-table entry or a word that may become one: the frame from bit 8 on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u16);

impl Value {
    /// Nothing.
    pub const ABSENT: Value = Value(0);

    /// A leaf of that frame; of level 2, an entry that names a table if it is not writable.
    pub const fn leaf(frame: u8, writable: bool) -> Value {
        Value((frame as u16) << 8 | if writable { 3 } else { 1 })
    }

    /// An entry that no check lets in.
    pub const BAD: Value = Value(4);
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = self.0 >> 8;
        match self.0 & 0xff {
            0 if frame == 0 => f.write_str("absent"),
            1 => write!(f, "frame {frame} r"),
            3 => write!(f, "frame {frame} rw"),
            _ => write!(f, "{:#x}", self.0),
        }
    }
}

/// Which entry an update changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Where {
    /// Of a table.
    #[allow(missing_docs, reason = "which entry of which table")]
    Entry { table: u8, index: u8 },
    /// That maps a page of the kernel's address space; the page is flushed.
    Page(u8),
}

impl Where {
    /// As the call has it.
    pub fn target(self) -> Target {
        match self {
            Where::Entry { table, index } => {
                Target::Entry { table: Mfn(table.into()), index: index.into() }
            }
            Where::Page(page) => Target::Page {
                space: Space::Kernel,
                address: VirtAddr(u64::from(page) << 12),
                flush: true,
            },
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Where::Entry { table, index } => write!(f, "entry {index} of frame {table}"),
            Where::Page(page) => write!(f, "page {page}"),
        }
    }
}

/// A root in `pt_switch`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    /// Stays.
    Keep,
    /// Goes.
    Clear,
    /// Becomes that frame.
    Set(u8),
}

/// When a timer is to fire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// At once.
    Passed,
    /// Some ticks from now.
    Soon,
    /// Never.
    Never,
}

/// A call with its arguments. The number of a grant, a port or a handle is as a guest would
/// write it down; frames are numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "each is the call of its name")]
pub enum Made {
    PtCreate { frame: u8, level: u8 },
    PtPin { frame: u8, level: u8 },
    PtUnpin { frame: u8 },
    PtSwitch { kernel: Root, user: Root },
    PteUpdate { at: Where, value: Value },
    PteUpdates([(Where, Value); 2]),
    TlbFlush { page: Option<u8> },
    BalloonInflate { frames: [u8; 2], count: u8 },
    BalloonDeflate { count: u8 },
    BalloonReport { frame: u8 },
    GrantShare { frame: u8, write: bool },
    GrantRevoke { grant: u8 },
    GrantMap { grant: u8, write: bool },
    GrantUnmap { slot: u8, stale: bool },
    EventAlloc,
    EventBind { port: u8 },
    EventSend { port: u8 },
    EventMask { port: u8, masked: bool },
    EventClose { port: u8 },
    TrapRegister,
    TrapReturn { update: Option<(Where, Value)> },
    SchedYield,
    SchedBlock,
    TimerSet(When),
    Shutdown,
    Batch([Short; 2]),
}

/// A call that stands in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "each is the call of its name")]
pub enum Short {
    PtCreate { frame: u8, level: u8 },
    PtPin { frame: u8, level: u8 },
    PtUnpin { frame: u8 },
    PteUpdate { at: Where, value: Value },
    GrantUnmap { slot: u8 },
}

impl From<Short> for Made {
    fn from(short: Short) -> Made {
        match short {
            Short::PtCreate { frame, level } => Made::PtCreate { frame, level },
            Short::PtPin { frame, level } => Made::PtPin { frame, level },
            Short::PtUnpin { frame } => Made::PtUnpin { frame },
            Short::PteUpdate { at, value } => Made::PteUpdate { at, value },
            Short::GrantUnmap { slot } => Made::GrantUnmap { slot, stale: false },
        }
    }
}

impl Made {
    /// Which call it is.
    pub const fn number(self) -> Number {
        match self {
            Made::PtCreate { .. } => Number::PtCreate,
            Made::PtPin { .. } => Number::PtPin,
            Made::PtUnpin { .. } => Number::PtUnpin,
            Made::PtSwitch { .. } => Number::PtSwitch,
            Made::PteUpdate { .. } | Made::PteUpdates(_) => Number::PteUpdate,
            Made::TlbFlush { .. } => Number::TlbFlush,
            Made::BalloonInflate { .. } => Number::BalloonInflate,
            Made::BalloonDeflate { .. } => Number::BalloonDeflate,
            Made::BalloonReport { .. } => Number::BalloonReport,
            Made::GrantShare { .. } => Number::GrantShare,
            Made::GrantRevoke { .. } => Number::GrantRevoke,
            Made::GrantMap { .. } => Number::GrantMap,
            Made::GrantUnmap { .. } => Number::GrantUnmap,
            Made::EventAlloc => Number::EventAlloc,
            Made::EventBind { .. } => Number::EventBind,
            Made::EventSend { .. } => Number::EventSend,
            Made::EventMask { .. } => Number::EventMask,
            Made::EventClose { .. } => Number::EventClose,
            Made::TrapRegister => Number::TrapRegister,
            Made::TrapReturn { .. } => Number::TrapReturn,
            Made::SchedYield => Number::SchedYield,
            Made::SchedBlock => Number::SchedBlock,
            Made::TimerSet(_) => Number::TimerSet,
            Made::Shutdown => Number::Shutdown,
            Made::Batch(_) => Number::Batch,
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.number().name())?;
        let access = |write| if write { "rw" } else { "r" };
        match *self {
            Made::PtCreate { frame, level } | Made::PtPin { frame, level } => {
                write!(f, "frame {frame}, level {level}")?;
            }
            Made::PtUnpin { frame } => write!(f, "frame {frame}")?,
            Made::PtSwitch { kernel, user } => write!(f, "kernel {kernel}, user {user}")?,
            Made::PteUpdate { at, value } => write!(f, "{at}: {value}")?,
            Made::PteUpdates([(at, value), (then, other)]) => {
                write!(f, "{at}: {value}; {then}: {other}")?;
            }
            Made::TlbFlush { page: None } => write!(f, "all")?,
            Made::TlbFlush { page: Some(page) } => write!(f, "page {page}")?,
            Made::BalloonInflate { frames: [first, second], count } => {
                write!(f, "frame {first}")?;
                if count > 1 {
                    write!(f, ", frame {second}")?;
                }
            }
            Made::BalloonDeflate { count } => write!(f, "{count}")?,
            Made::BalloonReport { frame } => write!(f, "frame {frame}")?,
            Made::GrantShare { frame, write } => write!(f, "frame {frame}, {}", access(write))?,
            Made::GrantRevoke { grant } => write!(f, "grant {grant}")?,
            Made::GrantMap { grant, write } => write!(f, "grant {grant}, {}", access(write))?,
            Made::GrantUnmap { slot, stale } => {
                write!(f, "{}handle {slot}", if stale { "a former " } else { "" })?;
            }
            Made::EventBind { port } | Made::EventSend { port } | Made::EventClose { port } => {
                write!(f, "port {port}")?;
            }
            Made::EventMask { port, masked } => {
                write!(f, "port {port}, {}", if masked { "masked" } else { "not masked" })?;
            }
            Made::TrapReturn { update: Some((at, value)) } => write!(f, "{at}: {value}")?,
            Made::TimerSet(when) => write!(f, "{when:?}")?,
            Made::Batch([first, second]) => {
                write!(f, "{}; {}", Made::from(first), Made::from(second))?
            }
            Made::EventAlloc
            | Made::TrapRegister
            | Made::TrapReturn { update: None }
            | Made::SchedYield
            | Made::SchedBlock
            | Made::Shutdown => {}
        }
        f.write_str(")")
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Keep => f.write_str("as it is"),
            Root::Clear => f.write_str("none"),
            Root::Set(frame) => write!(f, "frame {frame}"),
        }
    }
}

impl Action {
    /// What it counts.
    pub const fn cost(self) -> Cost {
        match self {
            Action::GoOn(_) | Action::Schedule => Cost::Free,
            _ => Cost::One,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Action::Call(by, call) => write!(f, "dom{}: {call}", by + 1),
            Action::GoOn(by) => write!(f, "dom{}: (its call goes on)", by + 1),
            Action::Write { by, frame, word, value } => {
                write!(f, "dom{}: writes word {word} of frame {frame}: {value}", by + 1)
            }
            Action::Scribble { of, word, value } => {
                write!(
                    f,
                    "word {word} of the argument frame of dom{} is rewritten: {value}",
                    of + 1
                )
            }
            Action::ForgeTrapFrame(by) => {
                write!(f, "dom{}: writes a trap frame that returns to user mode", by + 1)
            }
            Action::Trap(by) => write!(f, "dom{}: its process makes a system call", by + 1),
            Action::End(of) => write!(f, "the operator ends dom{}", of + 1),
            Action::Schedule => f.write_str("(background work)"),
            Action::Alarm => f.write_str("(the alarm is due)"),
        }
    }
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Came {
    /// The call returned.
    Returned(Status, u64),
    /// There is more of the call to do.
    GoesOn,
    /// The vCPU sleeps, or its domain has ended.
    Left,
    /// There is nothing to say.
    Nothing,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Came::Returned(status, value) => match status.decode() {
                Some(Ok(())) if *value == 0 => f.write_str(" -> Success"),
                Some(Ok(())) => write!(f, " -> Success, {value:#x}"),
                Some(Err(error)) if *value == 0 => write!(f, " -> {error:?}"),
                Some(Err(error)) => write!(f, " -> {error:?}, {value:#x}"),
                None => write!(f, " -> {status:?}"),
            },
            Came::GoesOn => f.write_str(" -> goes on"),
            Came::Left => f.write_str(" -> left"),
            Came::Nothing => Ok(()),
        }
    }
}
