//! Prices: what a page costs its guest, as exact fractions.

use super::{Guest, Pages, Shares, TaxRate, Terms};
use core::cmp::Ordering;

/// What a guest pays for each of its pages when it has that many: the reciprocal of the ratio of
/// min-funding revocation, rho = S / (P (f + k (1 - f))). A page is taken from who pays most.
///
/// It is a fraction; a price *beyond* is higher than any that is not: that of an idle page at
/// full tax.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    pub(crate) beyond: bool,
    pub(crate) over: u64,
    /// Never 0.
    pub(crate) under: u64,
}

impl Price {
    /// So much for each of so many shares.
    pub const fn new(charge: u64, shares: Shares) -> Price {
        Price { beyond: false, over: charge, under: shares.get() as u64 }
    }

    /// Of a page that is free.
    pub(crate) const FREE: Price = Price { beyond: false, over: 0, under: 1 };
}

impl Ord for Price {
    fn cmp(&self, other: &Price) -> Ordering {
        let across = |a: u64, b: u64| u128::from(a) * u128::from(b);
        self.beyond
            .cmp(&other.beyond)
            .then_with(|| across(self.over, other.under).cmp(&across(other.over, self.under)))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Price) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Price {
    fn eq(&self, other: &Price) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Price {}

/// How the price of a guest's pages rises: along one line while they are active, along a steeper
/// one when they are idle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    pub minimum: u64,
    pub maximum: u64,
    pub active: u64,
    pub shares: u64,
    pub tax: TaxRate,
}

/// What pages and constants of lines are multiplied by, to be whole.
pub(crate) const WHOLE: u64 = TaxRate::WHOLE as u64;

impl Curve {
    pub fn new(guest: &Guest, terms: Terms) -> Curve {
        Curve {
            minimum: guest.bounds.minimum().0,
            maximum: guest.bounds.maximum().0,
            // More than the maximum is the same as the maximum.
            active: guest.active.0.min(guest.bounds.maximum().0),
            shares: u64::from(terms.shares.get()),
            tax: terms.tax,
        }
    }

    /// The price of so many half pages.
    fn price_of_halves(&self, halves: u64, halves_in_unit: u64) -> Price {
        let active = self.active * halves_in_unit;
        let shares = self.shares * halves_in_unit;
        if halves <= active {
            Price { beyond: false, over: halves, under: shares }
        } else if self.tax == TaxRate::FULL {
            Price { beyond: true, over: halves - active, under: shares }
        } else {
            Price {
                beyond: false,
                over: active * self.tax.left() + (halves - active) * WHOLE,
                under: shares * self.tax.left(),
            }
        }
    }

    /// The price at which the curve has exactly that many pages.
    pub fn price_at(&self, pages: u64) -> Price {
        self.price_of_halves(pages, 1)
    }

    /// The price of the page with that number, from 1: the price at its middle.
    pub fn price_of(&self, page: u64) -> Price {
        self.price_of_halves(2 * page - 1, 2)
    }

    /// How many pages cost at most that much: minimum and maximum kept.
    pub fn pages_within(&self, price: Price) -> Pages {
        let (over, under) = (u128::from(price.over), u128::from(price.under));
        let (shares, active) = (u128::from(self.shares), u128::from(self.active));
        let (whole, left) = (u128::from(WHOLE), u128::from(self.tax.left()));
        // The middle of page p is (2p - 1) / 2: what the line reaches, rounded to the nearest.
        let along = |shares: u128| (2 * shares * over + under) / (2 * under);
        let pages = if price.beyond {
            if self.tax == TaxRate::FULL { active + along(shares) } else { u128::MAX }
        } else {
            let pages = along(shares).min(active);
            if pages < active || self.tax == TaxRate::FULL {
                pages
            } else {
                let constant = 2 * active * (whole - left) * under;
                let idle =
                    (constant + 2 * shares * left * over + whole * under) / (2 * whole * under);
                idle.max(active)
            }
        };
        Pages(u64::try_from(pages).unwrap_or(u64::MAX).clamp(self.minimum, self.maximum))
    }
}
