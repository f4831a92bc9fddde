//! Processes: what one is, and the table of them.

mod table;
mod view;

pub use table::ProcessTable;
pub use view::View;

use crate::{
    FloatState, Platform,
    calls::Waiting,
    fs::{Descriptors, Node, Pid},
    kernel::Ids,
    memory::AddressSpace,
};
use alloc::vec::Vec;

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
    /// Its memory; none when it has ended.
    pub space: Option<AddressSpace<P>>,
    /// Its registers, while it does not run.
    pub registers: P::Registers,
    /// Its floating-point registers, while it does not run.
    pub float: FloatState,
    /// What it has open.
    pub descriptors: Descriptors,
    /// Its working directory, held.
    pub working: Node,
    /// Its program, held.
    pub program: Option<Node>,
    /// Who it is to the file system.
    pub ids: Ids,
}

/// What a process does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It wants to run.
    Ready,
    /// It waits in a system call, which it makes again when something of that happens.
    Waiting(Waiting),
    /// A signal stopped it.
    Stopped,
    /// It has ended, with the status that `wait4` gives.
    Ended(i32),
}
