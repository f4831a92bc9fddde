//! A domain: what it owns, gives, has mapped and has open, and what it has done.

use crate::balloon::BalloonState;
use crate::event::PortTable;
use crate::grant::{GrantTable, HandleTable};
use crate::share::Movable;
use crate::teardown::Teardown;
use alloc::collections::VecDeque;
use hypercall_abi::calls::shutdown::ShutdownReason;
use hypercall_abi::trap::Cause;
use hypercall_abi::{DomainId, Error, Number, Pfn, VirtAddr};

/// Domains that exist at the same time, at most.
pub const MAX_DOMAINS: usize = 128;

/// Who may use what was a domain's that has ended: no domain has this identity.
pub const NOBODY: DomainId = DomainId(0);

/// Bytes of console input that wait for a domain, at most; more are dropped.
pub const CONSOLE_INPUT_BYTES: usize = 256;

/// Place of a domain, and of its vCPU, in the tables of [`crate::State`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub(crate) u16);

impl Slot {
    /// The slot that a domain of that identity has, if any domain could.
    pub const fn of(domain: DomainId) -> Option<Slot> {
        if domain.is_guest() {
            Some(Slot((domain.0 - DomainId::FIRST.0) % MAX_DOMAINS as u16))
        } else {
            None
        }
    }

    /// The slot as an index, 0 to [`MAX_DOMAINS`] − 1.
    #[inline(always)]
    pub const fn index(self) -> usize {
        // The mask changes nothing: it tells the compiler that no index is out of bounds.
        self.0 as usize % MAX_DOMAINS
    }

    /// The identity of the next domain in this slot, after `previous`.
    pub(crate) const fn next_identity(self, previous: Option<DomainId>) -> DomainId {
        let first = DomainId(DomainId::FIRST.0 + self.0);
        match previous {
            None => first,
            Some(DomainId(number)) => {
                let next = DomainId(number + MAX_DOMAINS as u16);
                if next.is_guest() { next } else { first }
            }
        }
    }
}

/// Why a domain ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// It said so.
    Shutdown(ShutdownReason),
    /// A trap came and its kernel has registered no entry.
    NoTrapEntry(Trap),
    /// A trap came while the vCPU page already held as many frames as it can.
    TrapsTooDeep(Trap),
    /// It made a call whose return address is not in its range.
    BadReturnAddress(VirtAddr),
    /// It used the processor for the time its manifest allows without making a call.
    Watchdog,
    /// It waits for an event, and nobody is left who could send one.
    Stuck,
    /// It could not be built.
    NotBuilt,
    /// The operator said so.
    Destroyed,
    /// A page that was taken from it by force could not be read back.
    LostPage(Pfn),
}

impl EndReason {
    /// Whether the domain ended as it was meant to.
    pub const fn is_success(self) -> bool {
        matches!(self, EndReason::Shutdown(ShutdownReason::PowerOff))
    }
}

impl core::fmt::Display for EndReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            EndReason::Shutdown(ShutdownReason::PowerOff) => write!(f, "powered off"),
            EndReason::Shutdown(ShutdownReason::Crash) => write!(f, "its kernel reported a crash"),
            EndReason::NoTrapEntry(trap) => {
                write!(f, "{trap}, and its kernel has registered no trap entry")
            }
            EndReason::TrapsTooDeep(trap) => {
                write!(f, "{trap}, with all trap frames in use (traps nest too deep)")
            }
            EndReason::BadReturnAddress(address) => {
                write!(f, "a call would return to {:#x}, outside its range", address.0)
            }
            EndReason::Watchdog => {
                write!(f, "it ran for the watchdog's time without a call (it spins)")
            }
            EndReason::LostPage(page) => {
                write!(f, "its page {:#x} could not be read back from the swap device", page.0)
            }
            EndReason::Stuck => {
                write!(f, "it waits for an event, and nobody is left who could send one")
            }
            EndReason::NotBuilt => write!(f, "it could not be built"),
            EndReason::Destroyed => write!(f, "destroyed by the operator"),
        }
    }
}

/// A trap of the processor, in the interface's terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Trap {
    /// Why.
    pub cause: Cause,
    /// As [`TrapHeader::code`](hypercall_abi::trap::TrapHeader::code).
    pub code: u64,
    /// As [`TrapHeader::address`](hypercall_abi::trap::TrapHeader::address).
    pub address: u64,
}

impl core::fmt::Display for Trap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.cause.description())?;
        match self.cause {
            Cause::PageFault | Cause::AccessFault | Cause::Misaligned => {
                write!(f, " at {:#x} (code {:#x})", self.address, self.code)
            }
            Cause::Protection => write!(f, " (code {:#x})", self.code),
            _ => Ok(()),
        }
    }
}

/// Whether a domain runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant, reason = "a box could not be had when memory is short")]
pub enum Life {
    /// It runs.
    Running,
    /// It has ended; its resources are being taken back.
    Ending {
        /// Why.
        reason: EndReason,
        /// How far that is.
        teardown: Teardown,
    },
}

/// What a domain has done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Counters {
    /// Calls made, by number; those of a vCPU that exists lie with it.
    pub calls: [u64; Number::COUNT],
    /// Calls refused, by error: index 0 is [`Error::UnknownCall`].
    pub refusals: [u64; Error::ALL.len()],
    /// Traps delivered.
    pub traps: u64,
    /// Ticks of the counter for which it ran, the hypervisor's work for it included.
    pub ticks: u64,
    /// The most frames it owned at a time.
    pub peak_frames: u64,
    /// The most page-table frames it had at a time.
    pub peak_tables: u64,
}

impl Counters {
    pub(crate) const NONE: Counters = Counters {
        calls: [0; Number::COUNT],
        refusals: [0; Error::ALL.len()],
        traps: 0,
        ticks: 0,
        peak_frames: 0,
        peak_tables: 0,
    };

    /// Calls that were refused for any reason.
    pub fn total_refusals(&self) -> u64 {
        self.refusals.iter().sum()
    }
}

/// Name of a domain.
pub type Name = heapless::String<{ hypercall_abi::start_info::NAME_BYTES }>;

/// One domain.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Domain {
    /// Who it is.
    pub id: DomainId,
    /// What the operator calls it.
    pub name: Name,
    /// Whether it runs.
    pub life: Life,
    /// Frames that it owns.
    pub frames: u64,
    /// Frames that it may own.
    pub max_frames: u64,
    /// Frames that it owns and that are page tables, in validation or validated.
    pub tables: u64,
    /// Page tables that are pinned.
    pub pinned: u64,
    /// Grants that it gives.
    pub grants: GrantTable,
    /// Grants of others that it has mapped.
    pub handles: HandleTable,
    /// Its ends of event channels.
    pub ports: PortTable,
    /// What its balloon and the operator have told each other.
    pub balloon: BalloonState,
    /// Console input that it has not read.
    pub console_input: VecDeque<u8>,
    /// Ticks for which it may run without a call; 0 for no limit.
    pub watchdog_ticks: u64,
    /// Which of its pages may share frames with others, and where its P2M lies.
    pub movable: Movable,
    /// What it has done.
    pub counters: Counters,
}

impl Domain {
    /// Whether it runs: no new reference is made to or from a domain that does not.
    pub fn is_running(&self) -> bool {
        matches!(self.life, Life::Running)
    }

    /// Pages that it has: each is a frame that it owns, or shares one.
    #[inline(always)]
    pub fn backed_pages(&self) -> u64 {
        self.frames + self.movable.shared_pages()
    }

    pub(crate) fn gained_frame(&mut self) {
        self.gained_frames(1);
    }

    pub(crate) fn gained_frames(&mut self, frames: u64) {
        self.frames += frames;
        self.counters.peak_frames = self.counters.peak_frames.max(self.frames);
    }

    pub(crate) fn gained_table(&mut self) {
        self.tables += 1;
        self.counters.peak_tables = self.counters.peak_tables.max(self.tables);
    }
}

/// What is left of a domain that is wholly gone: for the report.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DomainSummary {
    /// Who it was.
    pub id: DomainId,
    /// What the operator called it.
    pub name: Name,
    /// Why it ended.
    pub reason: EndReason,
    /// Frames that it owned when it was built.
    pub initial_frames: u64,
    /// What it did.
    pub counters: Counters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_uses_every_identity_of_its_own_before_one_comes_again() {
        let slot = Slot(5);
        let mut seen = alloc::collections::BTreeSet::new();
        let mut id = slot.next_identity(None);
        while seen.insert(id) {
            assert_eq!(Slot::of(id), Some(slot));
            id = slot.next_identity(Some(id));
        }
        assert_eq!(id, DomainId(6));
        assert!(seen.len() > 250);
    }

    #[test]
    fn no_slot_for_what_is_no_domain() {
        assert_eq!(Slot::of(DomainId(0)), None);
        assert_eq!(Slot::of(DomainId::SELF), None);
        assert_eq!(Slot::of(DomainId(0xffff)), None);
    }
}
