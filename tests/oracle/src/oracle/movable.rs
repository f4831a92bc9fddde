//! `p2m_register`, `share_advise`, `share_break`, and updates whose value names a page. Nothing is
//! shared where the oracle looks on: what remains is who may say what.

use super::{Entry, Oracle, WORDS, within};
use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error, Mfn};

impl Oracle {
    pub(super) fn p2m_register(&mut self, caller: DomainId, count: u64) -> Result<u64, Error> {
        within(count, 1..=64)?;
        let domain = &self.domains[&caller];
        let wanted = domain.max_frames.div_ceil(WORDS as u64);
        if domain.p2m.len() as u64 + count > wanted {
            return Err(Error::QuotaExceeded);
        }
        let arguments = domain.arguments;
        let frames: Vec<Mfn> =
            (0..count as usize).map(|word| Mfn(self.word(arguments, word))).collect();
        for frame in &frames {
            self.check_own(*frame, caller)?;
            if self.tables.contains_key(frame) {
                return Err(Error::TypeConflict);
            }
        }
        self.domain(caller).p2m.extend(frames);
        Ok(count)
    }

    /// Whether the slots of those pages are registered.
    fn check_pages(&self, caller: DomainId, first: u64, count: u64) -> Result<(), Error> {
        let domain = &self.domains[&caller];
        if domain.p2m.is_empty() {
            return Err(Error::NotRegistered);
        }
        let pages = domain.p2m.len() as u64 * WORDS as u64;
        match first.checked_add(count) {
            Some(end) if end <= pages => Ok(()),
            _ => Err(Error::BadArgument),
        }
    }

    pub(super) fn share_advise(&self, caller: DomainId, args: &Args) -> Result<u64, Error> {
        let [first, count, advice, content, ..] = *args;
        within(count, if content == 0 { 1..=32768 } else { 1..=64 })?;
        within(advice, 0..=1)?;
        self.check_pages(caller, first, count).map(|()| count)
    }

    pub(super) fn share_break(
        &self,
        caller: DomainId,
        first: u64,
        count: u64,
    ) -> Result<u64, Error> {
        within(count, 1..=512)?;
        self.check_pages(caller, first, count).map(|()| count)
    }

    /// PTE_UPDATE.17: the target of an update whose value names a page, without the mark.
    pub(super) fn by_page(target: u64) -> Option<u64> {
        match target & 3 {
            3 => Some(target & !3),
            1 | 2 if target & 8 != 0 => Some(target & !8),
            _ => None,
        }
    }

    /// The value that names the frame, of one that names a page.
    pub(super) fn with_frame(&self, caller: DomainId, value: u64) -> Result<u64, Error> {
        let Some(Entry::Leaf { frame: Mfn(page), .. }) = self.layout.read(1, value) else {
            return Err(Error::BadEntry);
        };
        if self.domains[&caller].p2m.is_empty() {
            return Err(Error::NotRegistered);
        }
        let slot = usize::try_from(page).map_err(|_| Error::BadArgument)?;
        let map = self.domains[&caller].p2m.get(slot / WORDS).ok_or(Error::BadArgument)?;
        let frame = Mfn(self.word(*map, slot % WORDS));
        self.check_own(frame, caller)?;
        Ok(self.layout.replace(value, frame))
    }
}
