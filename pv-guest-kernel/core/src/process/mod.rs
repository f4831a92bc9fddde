//! Processes: what one is, and what becomes of it.
//!
//! - **Life**: `fork` makes one like another, `exec` gives it a program (`elf`, `script` and
//!   `stack` say what that finds), `exit` ends it. A process has one thread.
//! - **Time**: [`Scheduler`] has queues and times; `wake` moves processes between them. The main
//!   loop itself is [`Kernel::run`](crate::kernel::Kernel::run).
//! - **Signals**: [`Signals`] has what waits and what is done; `wake` sends them, `deliver` has
//!   them done before a process runs, `frame` is what a handler finds on the stack. `jobs` are
//!   groups, and what parents learn.
//! - **Who and how much**: [`Credentials`], [`ResourceLimits`]; `/proc` shows it by [`View`].

mod credentials;
mod deliver;
mod elf;
mod exec;
mod exit;
mod fork;
mod frame;
mod image;
mod jobs;
mod limits;
mod load;
mod scheduler;
mod script;
mod siginfo;
mod signal;
mod signals;
mod stack;
mod table;
mod text;
mod view;
mod wake;

pub use credentials::{Credentials, GROUPS_MAX, Triple};
pub(crate) use exec::Execution;
pub(crate) use fork::{Birth, CloneFlags};
pub(crate) use frame::{Context, Float, context_of, sanitised};
pub use image::Image;
pub(crate) use jobs::TICK;
pub use jobs::{exit_status, signal_status};
pub use limits::{Limit, Resource, ResourceLimits};
pub use load::{LOAD_BITS, LoadAverage};
pub use scheduler::{Due, Event, Scheduler};
pub(crate) use siginfo::{SI_TKILL, SI_USER, SIGINFO};
pub use signal::{Cause, DefaultAction, Info, Signal, SignalSet};
pub use signals::{Action, ActionFlags, AlternateStack, QueueFull, Signals};
pub use table::ProcessTable;
pub use view::{System, View};

use crate::{
    FloatState, Platform,
    calls::Waiting,
    fs::{DescriptionId, Descriptors, Node, Pid},
    kernel::Ids,
    memory::AddressSpace,
};
use alloc::vec::Vec;

/// The first process, which adopts orphans and whose end is the machine's.
pub const INIT: Pid = Pid(1);

/// A process. One that has ended keeps its number and its status until its parent has asked.
#[derive(Debug)]
pub struct Process<P: Platform> {
    /// Its number.
    pub pid: Pid,
    /// Who asks for its end.
    pub parent: Pid,
    /// Its process group.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
    /// Its name: of the program, cut to 15 bytes.
    pub name: Vec<u8>,
    /// What it does.
    pub state: State,
    /// It is in a system call that has no answer yet, and makes it when it runs next. Its
    /// registers are behind the call.
    pub calling: bool,
    /// How far that call is.
    pub progress: Progress,
    /// Its memory; none when it has ended, and while a child has it that it made by `vfork`.
    pub space: Option<AddressSpace<P>>,
    /// Who gets the memory back: the parent, of a child of `vfork`.
    pub borrowed_from: Option<Pid>,
    /// Its registers, while it does not run.
    pub registers: P::Registers,
    /// Its floating-point registers, unless the processor has them.
    pub float: FloatState,
    /// What it has open.
    pub descriptors: Descriptors,
    /// Its working directory, held.
    pub working: Node,
    /// Its program, held.
    pub program: Option<Node>,
    /// Where in its memory the program is, and what it was given.
    pub image: Image,
    /// Who it is to the file system.
    pub ids: Ids,
    /// Who it is: real, effective and saved.
    pub credentials: Credentials,
    /// What it may have.
    pub limits: ResourceLimits,
    /// Signals: what is done with them, and those that wait.
    pub signals: Signals,
    /// The signal that its parent gets at its end; 0 for none.
    pub end_signal: u32,
    /// That it stopped or went on, until the parent has asked.
    pub change: Option<StateChange>,
    /// Times and counts.
    pub times: Times,
    /// `ITIMER_REAL`.
    pub alarm: Option<Alarm>,
    /// How nice it is: -20 to 19. It is kept, and does not count.
    pub nice: i32,
    /// Base of its thread-local storage, if it was set by a call.
    pub thread_base: u64,
    /// A word of its memory that is cleared when it ends or executes (`set_tid_address`).
    pub clear_tid: u64,
    /// It has executed since it was forked: `setpgid` of its parent comes too late.
    pub executed: bool,
    /// Nanoseconds that are left of its time slice.
    pub(crate) slice: u64,
}

/// What a process does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It wants to run.
    Ready,
    /// It waits in a system call, which it makes again when something of that happens.
    Waiting(Waiting),
    /// Its memory is its child's, until that executes or ends (`vfork`).
    Lending,
    /// A signal stopped it.
    Stopped,
    /// It has ended, with the status that `wait4` gives.
    Ended(i32),
}

/// How far a call is that waits: this lasts until the call is answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// When it gives up, in nanoseconds since the start.
    pub until: Option<u64>,
    /// Bytes that it has moved.
    pub done: u64,
    /// The FIFO that it opens. It is closed if the call is given up.
    pub opening: Option<DescriptionId>,
}

/// What a parent can learn of a process that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StateChange {
    /// This signal stopped it.
    Stopped(Signal),
    /// It goes on.
    Continued,
}

/// Times and counts of a process. Times are in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// When it started, since the start of the machine.
    pub started: u64,
    /// It ran.
    pub user: u64,
    /// The kernel worked for it.
    pub system: u64,
    /// As `user`, of the children that have been waited for, and theirs.
    pub children_user: u64,
    /// As `system`, of these.
    pub children_system: u64,
    /// The most pages that one of these children had in memory.
    pub children_peak_resident: u64,
    /// Faults of these children, served from memory.
    pub children_faults: u64,
    /// Faults of these children that read a page back.
    pub children_major_faults: u64,
    /// It gave the processor up.
    pub voluntary_switches: u64,
    /// The processor was taken from it.
    pub involuntary_switches: u64,
    /// Pages in memory, at most, of its address spaces that are gone.
    pub peak_resident: u64,
    /// Faults of its address spaces that are gone.
    pub past_faults: u64,
    /// Those that read a page back, of these.
    pub past_major_faults: u64,
}

/// An alarm: `ITIMER_REAL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// When it rings, in nanoseconds since the start.
    pub at: u64,
    /// How long after that again; 0 for never.
    pub interval: u64,
}
