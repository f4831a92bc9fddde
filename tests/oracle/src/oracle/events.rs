//! `event_alloc`, `event_bind`, `event_send`, `event_mask`, `event_close`, and how events occur:
//! `spec/src/abi/events.md`.

use super::{Oracle, Port, fits, within};
use hypercall_abi::{DomainId, Error};

/// Ports that a domain has open at most, the well-known ones included.
const LIMIT: usize = 255;

/// Words of the vCPU page.
pub const EVENTS_PENDING: usize = 0;
/// Events are masked.
pub const EVENTS_MASKED: usize = 1;
const PENDING: usize = 8;
const MASK: usize = 24;
const BIT_WORDS: usize = 16;

impl Oracle {
    fn bit(&self, domain: DomainId, words: usize, port: u32) -> bool {
        let page = self.domains[&domain].page;
        self.word(page, words + port as usize / 64) >> (port % 64) & 1 == 1
    }

    fn set_bit(&mut self, domain: DomainId, words: usize, port: u32, to: bool) {
        let page = self.domains[&domain].page;
        let word = words + port as usize / 64;
        let others = self.word(page, word) & !(1 << (port % 64));
        self.set_word(page, word, others | u64::from(to) << (port % 64));
    }

    /// EVENT.2: an event occurs.
    pub fn raise(&mut self, domain: DomainId, port: u32) {
        self.set_bit(domain, PENDING, port, true);
        if !self.bit(domain, MASK, port) {
            self.wake(domain);
        }
    }

    fn wake(&mut self, domain: DomainId) {
        let page = self.domains[&domain].page;
        let told = self.word(page, EVENTS_PENDING) | 1;
        self.set_word(page, EVENTS_PENDING, told);
        self.domain(domain).blocked = false;
    }

    /// EVENT_CLOSE.4.
    pub(super) fn forget_bits(&mut self, domain: DomainId, port: u32) {
        self.set_bit(domain, PENDING, port, false);
        self.set_bit(domain, MASK, port, false);
    }

    /// Whether a port is pending and not masked.
    pub(super) fn is_some_pending(&self, domain: DomainId) -> bool {
        let page = self.domains[&domain].page;
        (0..BIT_WORDS).any(|at| self.word(page, PENDING + at) & !self.word(page, MASK + at) != 0)
    }

    fn port(&self, domain: DomainId, port: u64) -> Result<Port, Error> {
        self.domains[&domain].ports.get(&(port as u32)).cloned().ok_or(Error::NoPort)
    }

    /// The port that the core has opened, if it may.
    fn open(&mut self, caller: DomainId, state: Port) -> Result<u32, Error> {
        if self.domains[&caller].ports.len() >= LIMIT {
            return Err(Error::QuotaExceeded);
        }
        let port = self.told as u32;
        if !(4..1024).contains(&self.told) || self.port(caller, self.told).is_ok() {
            self.complain(format!("port {port} was not free to be opened"));
        }
        self.domain(caller).ports.insert(port, state);
        Ok(port)
    }

    pub(super) fn event_alloc(&mut self, caller: DomainId, domain: u64) -> Result<u64, Error> {
        fits(domain, 16)?;
        let binder = self.named(caller, domain)?;
        self.open(caller, Port::Unbound(binder)).map(u64::from)
    }

    pub(super) fn event_bind(
        &mut self,
        caller: DomainId,
        domain: u64,
        port: u64,
    ) -> Result<u64, Error> {
        fits(domain, 16)?;
        fits(port, 32)?;
        let other = self.named(caller, domain)?;
        if self.port(other, port)? != Port::Unbound(caller) {
            return Err(Error::PortState);
        }
        let own = self.open(caller, Port::Bound(other, port as u32))?;
        self.domain(other).ports.insert(port as u32, Port::Bound(caller, own));
        self.raise(caller, own);
        Ok(own.into())
    }

    pub(super) fn event_send(&mut self, caller: DomainId, port: u64) -> Result<u64, Error> {
        fits(port, 32)?;
        let Port::Bound(other, end) = self.port(caller, port)? else {
            return Err(Error::PortState);
        };
        self.raise(other, end);
        Ok(0)
    }

    pub(super) fn event_mask(
        &mut self,
        caller: DomainId,
        port: u64,
        masked: u64,
    ) -> Result<u64, Error> {
        fits(port, 32)?;
        within(masked, 0..=1)?;
        self.port(caller, port)?;
        let port = port as u32;
        self.set_bit(caller, MASK, port, masked == 1);
        if masked == 0 && self.bit(caller, PENDING, port) {
            self.wake(caller);
        }
        Ok(0)
    }

    pub(super) fn event_close(&mut self, caller: DomainId, port: u64) -> Result<u64, Error> {
        fits(port, 32)?;
        let state = self.port(caller, port)?;
        if state == Port::WellKnown {
            return Err(Error::PortState);
        }
        let port = port as u32;
        self.domain(caller).ports.remove(&port);
        self.forget_bits(caller, port);
        // A channel from a domain to itself has both ends here.
        if let Port::Bound(other, end) = state {
            self.domain(other).ports.insert(end, Port::Unbound(caller));
        }
        Ok(0)
    }

    /// Time passes: deadlines that have come make port 1 pending, once.
    pub fn wait(&mut self, ticks: u64) {
        self.now += ticks;
        let due = |deadline: Option<u64>| deadline.is_some_and(|deadline| deadline <= self.now);
        let ids: Vec<DomainId> = self.domains.keys().copied().collect();
        for id in ids.into_iter().filter(|id| due(self.domains[id].deadline)).collect::<Vec<_>>() {
            self.domain(id).deadline = None;
            self.raise(id, 1);
        }
    }

    /// The operator types a byte. It is lost when 256 wait.
    pub fn type_in(&mut self, domain: DomainId, byte: u8) {
        if self.domains[&domain].input.len() < 256 {
            self.domain(domain).input.push_back(byte);
            self.raise(domain, 2);
        }
    }
}
