//! A vCPU page as its guest sees it.

use crate::machine::{Word, Words};
use hypercall_abi::Mfn;
use hypercall_abi::vcpu_page::{
    EVENT_WORDS, EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, MASK_OFFSET, PENDING_OFFSET,
};
use pv_guest::pending::EventPage;

/// The words of a vCPU page that events use.
#[derive(Clone)]
pub struct GuestPage(pub Words);

impl GuestPage {
    /// The frame of the page.
    pub const FRAME: Mfn = Mfn(7);

    /// A page without events, whose ports of `mask` are masked, of the first 64.
    pub fn new(mask: u64) -> GuestPage {
        let header = [EVENTS_PENDING_OFFSET, EVENTS_MASKED_OFFSET];
        let bits = [PENDING_OFFSET, MASK_OFFSET];
        let bits = bits.into_iter().flat_map(|base| (0..EVENT_WORDS).map(move |w| base + 8 * w));
        let words = header.into_iter().chain(bits);
        let value = |offset| if offset == MASK_OFFSET { mask } else { 0 };
        GuestPage(Words::new(words.map(|offset| (Self::FRAME, offset / 8, value(offset)))))
    }

    fn word(&self, offset: usize) -> &Word {
        self.0.get(Self::FRAME, offset / 8).expect("a word of the page")
    }
}

impl EventPage for GuestPage {
    type Word = Word;

    fn events_pending(&self) -> &Word {
        self.word(EVENTS_PENDING_OFFSET)
    }

    fn events_masked(&self) -> &Word {
        self.word(EVENTS_MASKED_OFFSET)
    }

    fn pending(&self, index: usize) -> &Word {
        self.word(PENDING_OFFSET + 8 * index)
    }

    fn mask(&self, index: usize) -> &Word {
        self.word(MASK_OFFSET + 8 * index)
    }
}
