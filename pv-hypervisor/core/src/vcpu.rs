//! A vCPU: the modes and roots it runs with, the frames it shares, and the call that it is in.

use crate::call::{BatchCursor, Work};
use hypercall_abi::{Mfn, Number, VirtAddr};

/// Which half of a guest runs. The processor knows no difference: both run unprivileged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// The guest kernel: it may make calls.
    Kernel,
    /// One of its processes: its system calls are traps to the kernel.
    User,
}

/// Where traps are taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrapEntry {
    /// The program counter.
    pub entry: VirtAddr,
    /// The stack pointer for traps from [`Mode::User`].
    pub stack: VirtAddr,
}

/// Whether a vCPU wants to run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunState {
    /// It does.
    Runnable,
    /// It waits for an event.
    Blocked,
    /// Its domain ends.
    Stopped,
}

/// One vCPU. Its registers are kept by the image, where the entry code can reach them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Vcpu {
    /// Whether it wants to run.
    pub state: RunState,
    /// Which half of the guest it is in.
    pub mode: Mode,
    /// Root of the kernel's page tables; `None` only before the domain is built and after it
    /// has ended.
    pub kernel_root: Option<Mfn>,
    /// Root of the process's page tables.
    pub user_root: Option<Mfn>,
    /// The page it shares with the hypervisor.
    pub page: Mfn,
    /// Its argument frame.
    pub arguments: Mfn,
    /// Where traps are taken, once registered.
    pub traps: Option<TrapEntry>,
    /// Counter value at which its timer fires.
    pub deadline: Option<u64>,
    /// Whether it wants to write a page that shares a frame, and there is none for it.
    pub(crate) waits_for_frame: bool,
    /// What is left of the call that it is in the middle of, and the batch that this stands in.
    pub(crate) work: Option<Work>,
    pub(crate) batch: Option<BatchCursor>,
    /// Calls made, by number.
    pub(crate) calls: [u64; Number::COUNT],
    /// Calls that it had made when its last slice ended, and the ticks for which it has made
    /// none.
    pub(crate) calls_before: u64,
    pub(crate) quiet_ticks: u64,
}

impl Vcpu {
    /// A vCPU that has not run, without roots, with its two frames.
    pub(crate) const fn new(page: Mfn, arguments: Mfn) -> Vcpu {
        Vcpu {
            state: RunState::Stopped,
            mode: Mode::Kernel,
            kernel_root: None,
            user_root: None,
            page,
            arguments,
            traps: None,
            deadline: None,
            waits_for_frame: false,
            work: None,
            batch: None,
            calls: [0; Number::COUNT],
            calls_before: 0,
            quiet_ticks: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn count_call(&mut self, number: Number) {
        let count = &mut self.calls[number as usize];
        *count = count.wrapping_add(1);
    }

    /// Counts a call whose number may be none; a refusal counts that.
    pub(crate) fn count_call_of(&mut self, number: u64) {
        if let Some(number) = Number::new(number) {
            self.count_call(number);
        }
    }

    /// Whether it is in the middle of a call.
    pub fn is_in_call(&self) -> bool {
        self.work.is_some()
    }

    /// The root that it translates through in its mode.
    #[inline(always)]
    pub fn root(&self) -> Option<Mfn> {
        match self.mode {
            Mode::Kernel => self.kernel_root,
            Mode::User => self.user_root,
        }
    }
}
