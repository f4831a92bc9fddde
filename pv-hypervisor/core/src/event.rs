//! Event channels: the ports of a domain, and the pending bits of a vCPU page.

use crate::domain::NOBODY;
use crate::machine::Machine;
use alloc::vec::Vec;
use hypercall_abi::vcpu_page::{EVENT_WORDS, EVENTS_PENDING_OFFSET, MASK_OFFSET, PENDING_OFFSET};
use hypercall_abi::{DomainId, Error, Mfn, Port};

/// Ports that a domain has open at the same time at most, the well-known ones included.
pub const MAX_PORTS: usize = 256;

const _: () = assert!(MAX_PORTS <= Port::COUNT as usize);

/// State of a port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PortState {
    /// Not in use.
    Closed,
    /// The hypervisor's end is at the other side: a well-known port.
    WellKnown,
    /// Waits for that domain to bind it; for [`NOBODY`] once that has ended.
    Unbound(DomainId),
    /// Joined to that port of that domain.
    Bound(DomainId, Port),
}

/// The ports of a domain.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PortTable {
    ports: Vec<PortState>,
    open: usize,
}

impl PortTable {
    pub(crate) fn new() -> Option<PortTable> {
        let mut ports = Vec::new();
        ports.try_reserve_exact(MAX_PORTS).ok()?;
        ports.push(PortState::Closed);
        ports.resize(Port::FIRST_DYNAMIC.0 as usize, PortState::WellKnown);
        let open = ports.len() - 1;
        Some(PortTable { ports, open })
    }

    /// Open ports.
    pub fn len(&self) -> usize {
        self.open
    }

    /// Whether no port is open; the well-known ones always are.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Every port that is open.
    pub fn iter(&self) -> impl Iterator<Item = (Port, PortState)> {
        let ports = self.ports.iter().enumerate();
        ports
            .filter(|(_, state)| **state != PortState::Closed)
            .map(|(index, state)| (Port(index as u32), *state))
    }

    /// The state of an open port.
    #[inline(always)]
    pub(crate) fn get(&self, port: Port) -> Result<PortState, Error> {
        match self.ports.get(port.0 as usize) {
            None | Some(PortState::Closed) => Err(Error::NoPort),
            Some(state) => Ok(*state),
        }
    }

    /// The number that the next port gets.
    pub(crate) fn check_open(&self) -> Result<Port, Error> {
        let closed = |state: &PortState| *state == PortState::Closed;
        let vacant = self.ports.iter().skip(1).position(closed).map(|index| index + 1);
        let index = vacant.unwrap_or(self.ports.len());
        if index < MAX_PORTS { Ok(Port(index as u32)) } else { Err(Error::QuotaExceeded) }
    }

    /// Sets the state of a port: one that is open, or the one that
    /// [`check_open`](Self::check_open) gave.
    pub(crate) fn set(&mut self, port: Port, state: PortState) {
        let index = port.0 as usize;
        let was_open = if index == self.ports.len() {
            self.ports.push(state);
            false
        } else {
            let was_open = self.ports[index] != PortState::Closed;
            self.ports[index] = state;
            was_open
        };
        self.open += usize::from(state != PortState::Closed);
        self.open -= usize::from(was_open);
    }

    /// Makes ports that only a domain that ends could bind ports that nobody can.
    pub(crate) fn forget_binder(&mut self, binder: DomainId) {
        for state in &mut self.ports {
            if *state == PortState::Unbound(binder) {
                *state = PortState::Unbound(NOBODY);
            }
        }
    }

    /// The number of open ports, for the tests of the audit to corrupt.
    #[cfg(test)]
    pub(crate) fn corrupt_length(&mut self) -> &mut usize {
        &mut self.open
    }

    pub(crate) fn first_dynamic(&self) -> Option<Port> {
        self.iter().map(|(port, _)| port).find(|port| *port >= Port::FIRST_DYNAMIC)
    }
}

const PENDING_WORD: usize = PENDING_OFFSET / 8;
const MASK_WORD: usize = MASK_OFFSET / 8;
/// Word of the vCPU page that says that events are pending.
pub(crate) const EVENTS_PENDING_WORD: usize = EVENTS_PENDING_OFFSET / 8;

/// Makes a port pending in a vCPU page. True when the port is not masked: the vCPU is to be
/// told.
///
/// The port's bit comes first, so that a guest that clears the summary and then looks at the
/// bits misses nothing. The summary is set by an atomic step too, which publishes the bit with
/// it, and those of other processors that set it before: `tests/concurrency` shows that a plain
/// write would lose events on a processor that orders as little as it may.
#[inline(always)]
pub fn make_pending<M: Machine>(machine: &mut M, page: Mfn, port: Port) -> bool {
    let (word, bit) = (port.0 as usize / 64, 1u64 << (port.0 % 64));
    machine.fetch_or(page, PENDING_WORD + word, bit);
    let unmasked = machine.read(page, MASK_WORD + word) & bit == 0;
    if unmasked {
        machine.fetch_or(page, EVENTS_PENDING_WORD, 1);
    }
    unmasked
}

/// Sets or clears a port's mask bit. True when the port is pending and no longer masked.
///
/// It and [`make_pending`] each change one word and then look at the other: both are called
/// under the lock of the state, or each could miss what the other does.
pub fn set_mask<M: Machine>(machine: &mut M, page: Mfn, port: Port, masked: bool) -> bool {
    let (word, bit) = (port.0 as usize / 64, 1u64 << (port.0 % 64));
    if masked {
        machine.fetch_or(page, MASK_WORD + word, bit);
    } else {
        machine.fetch_and(page, MASK_WORD + word, !bit);
    }
    let due = !masked && machine.read(page, PENDING_WORD + word) & bit != 0;
    if due {
        machine.fetch_or(page, EVENTS_PENDING_WORD, 1);
    }
    due
}

/// Clears a port's bits, when it closes.
pub(crate) fn forget<M: Machine>(machine: &mut M, page: Mfn, port: Port) {
    let (word, bit) = (port.0 as usize / 64, 1u64 << (port.0 % 64));
    for base in [PENDING_WORD, MASK_WORD] {
        machine.fetch_and(page, base + word, !bit);
    }
}

/// Whether some port is pending and not masked.
pub fn any_pending<M: Machine>(machine: &M, page: Mfn) -> bool {
    (0..EVENT_WORDS).any(|word| {
        machine.read(page, PENDING_WORD + word) & !machine.read(page, MASK_WORD + word) != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_count_and_numbers_come_back() {
        let mut table = PortTable::new().unwrap();
        assert_eq!(table.len(), 3);
        assert_eq!(table.get(Port(0)), Err(Error::NoPort));
        assert_eq!(table.get(Port::TIMER), Ok(PortState::WellKnown));
        for number in 4..MAX_PORTS as u32 {
            assert_eq!(table.check_open(), Ok(Port(number)));
            table.set(Port(number), PortState::Unbound(DomainId(1)));
        }
        assert_eq!(table.check_open(), Err(Error::QuotaExceeded));
        table.set(Port(9), PortState::Closed);
        assert_eq!(table.check_open(), Ok(Port(9)));
        assert_eq!(table.len(), MAX_PORTS - 2);
        assert_eq!(table.first_dynamic(), Some(Port::FIRST_DYNAMIC));
    }
}
