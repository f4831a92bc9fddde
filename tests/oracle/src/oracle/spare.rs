//! `spare_put`, `spare_get`, `spare_drop`. What is kept, and for how long, is the hypervisor's choice; that what is found is
//! what was put last is not.

use super::{Oracle, WORDS};
use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error, Mfn};

impl Oracle {
    pub(super) fn spare_put(&mut self, caller: DomainId, args: &Args) -> Result<u64, Error> {
        let [frame, object, index, ..] = *args;
        self.check_own(Mfn(frame), caller)?;
        self.spare.remove(&(caller, object, index));
        // SPARE_PUT.6: it may be kept or not.
        if self.told == 1 {
            let words = self.content[&Mfn(frame)].clone();
            self.spare.insert((caller, object, index), words);
        }
        Ok(self.told & 1)
    }

    pub(super) fn spare_get(&mut self, caller: DomainId, args: &Args) -> Result<u64, Error> {
        let [frame, object, index, ..] = *args;
        let frame = Mfn(frame);
        self.check_own(frame, caller)?;
        if !self.is_held_writable(frame) {
            return Err(Error::TypeConflict);
        }
        let name = (caller, object, index);
        // SPARE_PUT.5: it may have gone.
        if self.told == 0 {
            self.spare.remove(&name);
            return Ok(0);
        }
        match self.spare.get(&name).cloned() {
            Some(words) => {
                (0..WORDS).for_each(|word| self.set_word(frame, word, words[word]));
                Ok(1)
            }
            None => Ok(0),
        }
    }

    pub(super) fn spare_drop(&mut self, caller: DomainId, object: u64, index: u64) -> u64 {
        let was_kept = self.spare.remove(&(caller, object, index)).is_some();
        u64::from(was_kept && self.told == 1)
    }
}
