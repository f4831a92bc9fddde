//! What a policy sees: the machine and its guests.

use super::{MAX_PAGES, Pages, Shares, TaxRate};
use core::fmt;

/// Guests that one machine has at most.
pub const MAX_GUESTS: usize = 1 << 16;

/// The least and the most that a guest may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    minimum: Pages,
    maximum: Pages,
}

impl Bounds {
    /// From a least and a most; an error if they are the wrong way round or beyond what is counted.
    pub const fn new(minimum: Pages, maximum: Pages) -> Result<Bounds, PolicyError> {
        if minimum.0 > maximum.0 {
            Err(PolicyError::MinimumAboveMaximum { minimum, maximum })
        } else if maximum.0 > MAX_PAGES.0 {
            Err(PolicyError::TooManyPages { pages: maximum })
        } else {
            Ok(Bounds { minimum, maximum })
        }
    }

    /// The least: what was promised at admission.
    pub const fn minimum(self) -> Pages {
        self.minimum
    }

    /// The most: what the guest believes to have.
    pub const fn maximum(self) -> Pages {
        self.maximum
    }
}

/// A guest as a policy sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guest {
    /// Its least and its most.
    pub bounds: Bounds,
    /// Its shares.
    pub shares: Shares,
    /// Its own rate of tax; `None`: the policy's.
    pub tax: Option<TaxRate>,
    /// What it uses, as the host estimates it ([`activity`](crate::activity)).
    pub active: Pages,
}

/// A machine's memory for guests, and the guests.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    budget: Pages,
    guests: &'a [Guest],
}

impl<'a> Host<'a> {
    /// A machine whose guests can all have their minimum, which is what admission sees to.
    pub fn new(budget: Pages, guests: &'a [Guest]) -> Result<Host<'a>, PolicyError> {
        if guests.len() > MAX_GUESTS {
            return Err(PolicyError::TooManyGuests { guests: guests.len() });
        }
        if budget > MAX_PAGES {
            return Err(PolicyError::TooManyPages { pages: budget });
        }
        let minimums = guests.iter().map(|guest| guest.bounds.minimum).sum();
        if minimums > budget {
            return Err(PolicyError::MinimumsAboveBudget { minimums, budget });
        }
        Ok(Host { budget, guests })
    }

    /// What the guests may have together.
    pub const fn budget(&self) -> Pages {
        self.budget
    }

    /// The guests.
    pub const fn guests(&self) -> &'a [Guest] {
        self.guests
    }
}

/// Why there are no targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyError {
    /// A guest's bounds are the wrong way round.
    MinimumAboveMaximum {
        /// Its least.
        minimum: Pages,
        /// Its most.
        maximum: Pages,
    },
    /// The guests cannot all have what was promised to them.
    MinimumsAboveBudget {
        /// What was promised.
        minimums: Pages,
        /// What there is.
        budget: Pages,
    },
    /// More than [`MAX_PAGES`].
    TooManyPages {
        /// That many.
        pages: Pages,
    },
    /// More than [`MAX_GUESTS`].
    TooManyGuests {
        /// That many.
        guests: usize,
    },
    /// The caller lends too little room to work in, or for the targets.
    RoomTooSmall {
        /// Elements that are needed.
        needed: usize,
        /// Elements that were lent.
        lent: usize,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyError::MinimumAboveMaximum { minimum, maximum } => write!(
                formatter,
                "a guest's minimum of {minimum} pages is above its maximum of {maximum}: lower the minimum"
            ),
            PolicyError::MinimumsAboveBudget { minimums, budget } => write!(
                formatter,
                "the guests' minimums are {minimums} pages together and the budget is {budget}: admit fewer guests or lower a minimum"
            ),
            PolicyError::TooManyPages { pages } => write!(
                formatter,
                "{pages} pages are above the most that is counted, {MAX_PAGES}: give fewer"
            ),
            PolicyError::TooManyGuests { guests } => write!(
                formatter,
                "{guests} guests are above the most of one machine, {MAX_GUESTS}: divide them"
            ),
            PolicyError::RoomTooSmall { needed, lent } => write!(
                formatter,
                "a policy was lent room for {lent} elements and needs {needed}: see Work::needed"
            ),
        }
    }
}

impl core::error::Error for PolicyError {}
