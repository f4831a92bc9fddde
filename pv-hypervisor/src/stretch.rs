//! For how long the hypervisor keeps the processor at a time: the longest stretch between two
//! looks at the clock, by what it was for, in instructions. `cargo xtask bench --worst-case`
//! asks for it.
//!
//! A stretch begins where the hypervisor is entered or looks for the vCPU that runs next, and
//! ends where it looks again, sleeps, or goes to a guest. The entry code's own instructions
//! before and after are not in it: some 60 for a call, and 110 for a trap.

use crate::arch;
use alloc::vec::Vec;
use hypercall_abi::Number;
use pv_core::Slot;
use pv_core::domain::MAX_DOMAINS;
use pv_wire::Stretch;

/// What a stretch is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A call, or a step of one, of that number.
    Call(u64),
    /// A trap of the processor, or a process's system call.
    Trap,
    /// An interrupt.
    Interrupt,
    /// Choosing a vCPU, and background work.
    Schedule,
    /// Looking for pages that are alike, and merging them.
    Sharing,
}

/// Rows: calls by number, then the rest.
const ROWS: usize = Number::COUNT + 5;

impl What {
    fn row(self) -> usize {
        match self {
            What::Call(number) => (number as usize).min(Number::COUNT),
            What::Trap => Number::COUNT + 1,
            What::Interrupt => Number::COUNT + 2,
            What::Schedule => Number::COUNT + 3,
            What::Sharing => Number::COUNT + 4,
        }
    }
}

fn name(row: usize) -> &'static str {
    match Number::new(row as u64) {
        Some(number) => number.name(),
        None => ["unknown call", "trap", "interrupt", "schedule", "sharing"][row - Number::COUNT],
    }
}

/// The longest stretches so far.
pub struct Stretches {
    /// Instructions by row; empty when nobody wants to know.
    longest: Vec<u64>,
    /// The call that each vCPU is in.
    calls: Vec<Option<u64>>,
    what: What,
    since: Option<u64>,
}

impl Stretches {
    /// Measures from now on, if that is wanted.
    pub fn new(wanted: bool) -> Stretches {
        let (mut longest, mut calls) = (Vec::new(), Vec::new());
        if wanted {
            longest.resize(ROWS, 0);
            calls.resize(MAX_DOMAINS, None);
        }
        Stretches { longest, calls, what: What::Schedule, since: None }
    }

    /// Whether it is wanted.
    pub fn are_wanted(&self) -> bool {
        !self.longest.is_empty()
    }

    /// A stretch begins, and ends the one before.
    pub fn begin(&mut self, what: What) {
        self.end();
        if self.are_wanted() {
            self.what = what;
            self.since = Some(arch::instructions());
        }
    }

    /// The stretch is, after all, a step of the call that this vCPU is in, if it is in one.
    pub fn resumes(&mut self, slot: Slot) {
        if let Some(Some(number)) = self.calls.get(slot.index()) {
            self.what = What::Call(*number);
        }
    }

    /// The vCPU's call goes on later.
    pub fn goes_on(&mut self, slot: Slot) {
        if let (Some(call), What::Call(number)) = (self.calls.get_mut(slot.index()), self.what) {
            *call = Some(number);
        }
    }

    /// The vCPU's call, if it was in one, has been answered.
    pub fn answered(&mut self, slot: Slot) {
        if let Some(call) = self.calls.get_mut(slot.index()) {
            *call = None;
        }
        self.end();
    }

    /// The stretch ends.
    pub fn end(&mut self) {
        if let Some(since) = self.since.take() {
            let ran = arch::instructions().saturating_sub(since);
            let longest = &mut self.longest[self.what.row()];
            *longest = (*longest).max(ran);
        }
    }

    /// What was measured: a row for everything that happened.
    pub fn rows(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.longest.iter().enumerate().filter(|(_, longest)| **longest != 0).map(
            |(row, longest)| Stretch {
                what: name(row).try_into().unwrap_or_default(),
                instructions: *longest,
            },
        )
    }
}
