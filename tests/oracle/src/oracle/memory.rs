//! `balloon_inflate`, `balloon_deflate`.

use super::{Answer, Oracle, WORDS, within};
use hypercall_abi::{DomainId, Error, Mfn};

impl Oracle {
    fn inflate_one(&mut self, caller: DomainId, frame: Mfn) -> Result<(), Error> {
        self.check_own(frame, caller)?;
        if !self.holders_of(frame).is_empty() || self.tables.contains_key(&frame) {
            return Err(Error::Busy);
        }
        self.owners.remove(&frame);
        self.content.remove(&frame);
        Ok(())
    }

    pub(super) fn balloon_inflate(&mut self, caller: DomainId, count: u64) -> Answer {
        within(count, 1..=512).map_err(|error| (error, 0))?;
        let arguments = self.domains[&caller].arguments;
        for done in 0..count {
            let frame = Mfn(self.word(arguments, done as usize));
            self.inflate_one(caller, frame).map_err(|error| (error, done))?;
        }
        Ok(count)
    }

    /// `given` are the first words of the argument frame afterwards: which frames are given is
    /// the hypervisor's choice.
    pub(super) fn balloon_deflate(
        &mut self,
        caller: DomainId,
        count: u64,
        given: &[u64],
    ) -> Answer {
        within(count, 1..=512).map_err(|error| (error, 0))?;
        let arguments = self.domains[&caller].arguments;
        for done in 0..count {
            let owned = self.owners.values().filter(|owner| **owner == caller).count() as u64;
            if owned >= self.domains[&caller].max_frames {
                return Err((Error::QuotaExceeded, done));
            }
            if self.unowned() == 0 {
                return Err((Error::NoMemory, done));
            }
            let frame = Mfn(given[done as usize]);
            if !self.memory.contains(&frame) || self.owners.contains_key(&frame) {
                self.complain(format!("balloon_deflate gave {frame:x?}, which is not free"));
                return Ok(done);
            }
            self.owners.insert(frame, caller);
            self.content.insert(frame, vec![0; WORDS]);
            self.set_word(arguments, done as usize, frame.0);
        }
        Ok(count)
    }
}
