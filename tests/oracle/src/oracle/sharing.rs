//! `grant_share`, `grant_revoke`, `grant_map`, `grant_unmap`.

use super::{Args, Grant, Handle, Oracle, fits, within};
use hypercall_abi::{DomainId, Error, Mfn};

/// Grants that a domain gives, and handles that it holds, at most.
const LIMIT: usize = 256;

impl Oracle {
    pub(super) fn grant_share(&mut self, caller: DomainId, args: &Args) -> Result<u64, Error> {
        let [domain, frame, access, ..] = *args;
        let frame = Mfn(frame);
        fits(domain, 16)?;
        within(access, 0..=1)?;
        let write = access == 1;
        if domain == u64::from(caller.0) || domain == u64::from(DomainId::SELF.0) {
            return Err(Error::BadArgument);
        }
        let to = self.named(caller, domain)?;
        self.check_own(frame, caller)?;
        if write && self.tables.contains_key(&frame) {
            return Err(Error::TypeConflict);
        }
        if self.domains[&caller].grants.len() >= LIMIT {
            return Err(Error::QuotaExceeded);
        }
        let number = self.told;
        let grant = Grant { to, frame, write };
        if self.domain(caller).grants.insert(number as u32, grant).is_some() {
            self.complain(format!("grant {number} is live already"));
        }
        Ok(number)
    }

    pub(super) fn grant_revoke(&mut self, caller: DomainId, grant: u64) -> Result<u64, Error> {
        fits(grant, 32)?;
        let grant = grant as u32;
        if !self.domains[&caller].grants.contains_key(&grant) {
            return Err(Error::NoGrant);
        }
        let mut handles = self.domains.values().flat_map(|domain| domain.handles.values());
        if handles.any(|handle| handle.from == caller && handle.grant == grant) {
            return Err(Error::Busy);
        }
        self.domain(caller).grants.remove(&grant);
        Ok(0)
    }

    pub(super) fn grant_map(&mut self, caller: DomainId, args: &Args) -> Result<u64, Error> {
        let [domain, number, access, ..] = *args;
        fits(domain, 16)?;
        fits(number, 32)?;
        within(access, 0..=1)?;
        let write = access == 1;
        let from = self.named(caller, domain)?;
        let grant = self.domains[&from].grants.get(&(number as u32)).ok_or(Error::NoGrant)?;
        if grant.to != caller {
            return Err(Error::NoGrant);
        }
        if write && !grant.write {
            return Err(Error::ReadOnlyGrant);
        }
        let frame = grant.frame;
        let mine = &self.domains[&caller];
        if mine.handles.values().any(|handle| handle.frame == frame) {
            return Err(Error::AlreadyMapped);
        }
        if mine.handles.len() >= LIMIT {
            return Err(Error::QuotaExceeded);
        }
        let name = (self.told >> 40) as u32;
        if mine.handles.contains_key(&name) || mine.old_handles.contains(&name) {
            self.complain(format!("handle {name:#x} is or was another"));
        }
        let handle = Handle { from, grant: number as u32, frame, write };
        self.domain(caller).handles.insert(name, handle);
        Ok(u64::from(name) << 40 | frame.0)
    }

    pub(super) fn grant_unmap(&mut self, caller: DomainId, handle: u64) -> Result<u64, Error> {
        fits(handle, 24)?;
        let name = handle as u32;
        let frame = self.domains[&caller].handles.get(&name).ok_or(Error::NoHandle)?.frame;
        let mut holders = self.holders_of(frame).into_iter();
        if holders.any(|holder| holder.entry && holder.domain == caller) {
            return Err(Error::Busy);
        }
        let domain = self.domain(caller);
        domain.handles.remove(&name);
        domain.old_handles.insert(name);
        self.free_what_nobody_uses();
        Ok(0)
    }
}
