//! `balloon_inflate`, `balloon_deflate`, `balloon_report`.

use super::{Answer, Oracle, WORDS, within};
use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error, Mfn};

/// Frames of an extent of that order.
fn extent(order: u64) -> Result<u64, (Error, u64)> {
    match order {
        0 => Ok(1),
        9 => Ok(512),
        _ => Err((Error::BadArgument, 0)),
    }
}

impl Oracle {
    fn check_unheld(&self, frame: Mfn) -> Result<(), Error> {
        if !self.holders_of(frame).is_empty() || self.tables.contains_key(&frame) {
            return Err(Error::Busy);
        }
        Ok(())
    }

    fn give_extent(&mut self, caller: DomainId, first: Mfn, frames: u64) -> Result<(), Error> {
        let all = || (0..frames).map(|at| Mfn(first.0 + at));
        if !first.0.is_multiple_of(frames) || first.0.checked_add(frames).is_none() {
            return Err(Error::BadFrame);
        }
        all().try_for_each(|frame| self.check_memory(frame))?;
        all().try_for_each(|frame| self.check_own(frame, caller))?;
        all().try_for_each(|frame| self.check_unheld(frame))?;
        for frame in all() {
            self.owners.remove(&frame);
            self.content.remove(&frame);
        }
        Ok(())
    }

    /// The answer, with the frames that were given.
    pub(super) fn balloon_inflate(
        &mut self,
        caller: DomainId,
        count: u64,
        order: u64,
    ) -> Result<(u64, u64), (Error, u64)> {
        within(count, 1..=512).map_err(|error| (error, 0))?;
        let frames = extent(order)?;
        let arguments = self.domains[&caller].arguments;
        for done in 0..count {
            let first = Mfn(self.word(arguments, done as usize));
            self.give_extent(caller, first, frames).map_err(|error| (error, done))?;
        }
        Ok((count, count * frames))
    }

    /// `given` are the first words of the argument frame afterwards: which frames are given is
    /// the hypervisor's choice.
    pub(super) fn balloon_deflate(
        &mut self,
        caller: DomainId,
        count: u64,
        order: u64,
        given: &[u64],
    ) -> Answer {
        within(count, 1..=512).map_err(|error| (error, 0))?;
        let frames = extent(order)?;
        let arguments = self.domains[&caller].arguments;
        for done in 0..count {
            let owned = self.owners.values().filter(|owner| **owner == caller).count() as u64;
            if owned + frames > self.domains[&caller].max_frames {
                return Err((Error::QuotaExceeded, done));
            }
            if !self.has_unowned(frames) {
                return Err((Error::NoMemory, done));
            }
            let first = Mfn(given[done as usize]);
            for frame in (0..frames).map(|at| Mfn(first.0 + at)) {
                let free = self.memory.contains(&frame) && !self.owners.contains_key(&frame);
                if !free || !first.0.is_multiple_of(frames) {
                    self.complain(format!("balloon_deflate gave {frame:x?}, which is not free"));
                    return Ok(done);
                }
                self.owners.insert(frame, caller);
                self.content.insert(frame, vec![0; WORDS]);
            }
            if let Some(domain) = self.domains.get_mut(&caller) {
                domain.reported_frames = domain.reported_frames.saturating_sub(frames);
            }
            self.set_word(arguments, done as usize, first.0);
        }
        Ok(count)
    }

    /// Whether so many frames in a row, the first a multiple of as many, are nobody's.
    fn has_unowned(&self, frames: u64) -> bool {
        if frames == 1 {
            return self.unowned() > 0;
        }
        let heads = self.memory.iter().filter(|frame| frame.0.is_multiple_of(frames));
        heads.into_iter().any(|first| {
            (0..frames)
                .map(|at| Mfn(first.0 + at))
                .all(|frame| self.memory.contains(&frame) && !self.owners.contains_key(&frame))
        })
    }

    pub(super) fn balloon_report(&mut self, caller: DomainId, args: Args) -> Answer {
        match args[0] {
            0 => self.statistics(caller).map_err(|error| (error, 0)),
            1 => {
                let before = self.owned_by(caller);
                let answer = self.balloon_inflate(caller, args[1], args[2]);
                let given = before - self.owned_by(caller);
                if let Some(domain) = self.domains.get_mut(&caller) {
                    domain.reported_frames += given;
                }
                answer.map(|(done, _)| done)
            }
            _ => Err((Error::BadArgument, 0)),
        }
    }

    fn owned_by(&self, caller: DomainId) -> u64 {
        self.owners.values().filter(|owner| **owner == caller).count() as u64
    }

    fn statistics(&self, caller: DomainId) -> Result<u64, Error> {
        let domain = &self.domains[&caller];
        let word = |at| self.word(domain.arguments, at);
        let parts = (0..4).map(|part| word(12) >> (16 * part) & 0xffff);
        let good = word(0) == 1
            && (2..7).all(|at| word(at) <= domain.max_frames)
            && parts.into_iter().all(|part| part <= 10_000)
            && word(13) == 0;
        if good { Ok(0) } else { Err(Error::BadArgument) }
    }
}
