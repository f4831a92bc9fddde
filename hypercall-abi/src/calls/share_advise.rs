//! `share_advise`: says which pages the hypervisor may back by frames that others share.

use super::{Args, Call};
use crate::{Error, Number, Pfn};

/// Pages that one call is about at most.
pub const MAX_PAGES: u64 = 32768;

/// Pages that one call is about at most when it says what is in them.
pub const MAX_IDENTIFIED: u64 = 64;

/// What the caller advises.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Advice {
    /// The pages keep frames of their own; argument 2 is 0. Those that share a frame now go on
    /// until they are written or `share_break` names them.
    Keep,
    /// Another page with the same content may be backed by the same frame; argument 2 is 1.
    Share,
}

/// Pages of a fresh domain are to be kept. Nothing else that the guest says decides what is
/// shared: pages are compared in full.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShareAdvise {
    /// The first page.
    pub first: Pfn,
    /// How many pages, 1 to [`MAX_PAGES`]; with identifiers, to [`MAX_IDENTIFIED`].
    pub count: u64,
    /// What may be done with them.
    pub advice: Advice,
    /// Not 0: an identifier of the first page's content, one more for each page behind it. Pages
    /// of one group with equal identifiers are compared at once instead of when they are found.
    pub content: u64,
}

impl Call for ShareAdvise {
    const NUMBER: Number = Number::ShareAdvise;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let [first, count, advice, content, ..] = *args;
        let most = if content == 0 { MAX_PAGES } else { MAX_IDENTIFIED };
        let count = super::bounded(count, most)?;
        let advice = match advice {
            0 => Advice::Keep,
            1 => Advice::Share,
            _ => return Err(Error::BadArgument),
        };
        Ok(ShareAdvise { first: Pfn(first), count, advice, content })
    }

    fn encode(&self) -> Args {
        let advice = match self.advice {
            Advice::Keep => 0,
            Advice::Share => 1,
        };
        [self.first.0, self.count, advice, self.content, 0, 0]
    }
}
