//! The numbers of policies: pages, shares, rates.

use core::fmt;
use core::num::NonZeroU32;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// Pages that a budget or a guest may have: 4 PiB. Products with shares and rates then have room
/// in the integers that are used, with nothing checked on the way.
pub const MAX_PAGES: Pages = Pages(1 << 40);

/// A number of 4 KiB pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Pages(pub u64);

impl Pages {
    /// None.
    pub const ZERO: Pages = Pages(0);

    /// That many mebibytes.
    pub const fn from_mib(mib: u64) -> Pages {
        Pages(mib * 256)
    }

    /// Whole mebibytes, to the nearest.
    pub const fn to_mib(self) -> u64 {
        self.0 / 256 + (self.0 % 256 >= 128) as u64
    }

    /// What is left without the others; none if they are more.
    pub const fn saturating_sub(self, others: Pages) -> Pages {
        Pages(self.0.saturating_sub(others.0))
    }
}

impl Add for Pages {
    type Output = Pages;

    fn add(self, other: Pages) -> Pages {
        Pages(self.0 + other.0)
    }
}

impl AddAssign for Pages {
    fn add_assign(&mut self, other: Pages) {
        self.0 += other.0;
    }
}

impl Sub for Pages {
    type Output = Pages;

    fn sub(self, other: Pages) -> Pages {
        Pages(self.0 - other.0)
    }
}

impl SubAssign for Pages {
    fn sub_assign(&mut self, other: Pages) {
        self.0 -= other.0;
    }
}

impl core::iter::Sum for Pages {
    fn sum<I: Iterator<Item = Pages>>(pages: I) -> Pages {
        Pages(pages.map(|pages| pages.0).sum())
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a guest's claim to memory weighs against others'. Never none: a guest without any would
/// have no price for its pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shares(NonZeroU32);

impl Shares {
    /// One.
    pub const ONE: Shares = Shares(NonZeroU32::MIN);

    /// That many; `None` for 0.
    pub const fn new(shares: u32) -> Option<Shares> {
        match NonZeroU32::new(shares) {
            Some(shares) => Some(Shares(shares)),
            None => None,
        }
    }

    /// One for each page, as far as the number goes.
    pub fn one_per_page(pages: Pages) -> Shares {
        let shares = u32::try_from(pages.0).unwrap_or(u32::MAX);
        Shares(NonZeroU32::new(shares).unwrap_or(NonZeroU32::MIN))
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// The part of a guest's idle memory that can be taken from it, in ten-thousandths: the tax of
/// Waldspurger's idle memory tax.
///
/// [`NONE`](Self::NONE) is pure share: what a guest does with its memory does not matter.
/// [`FULL`](Self::FULL) is the limit in which idle memory protects nobody: only when all that is
/// active has a page is the rest divided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaxRate(u16);

impl TaxRate {
    /// What a rate is a part of.
    pub const WHOLE: u16 = 10_000;
    /// Idle memory costs what active memory does.
    pub const NONE: TaxRate = TaxRate(0);
    /// Of ESX: idle pages cost four times as much as active ones.
    pub const ESX: TaxRate = TaxRate(7_500);
    /// Idle memory is anyone's who is active.
    pub const FULL: TaxRate = TaxRate(TaxRate::WHOLE);

    /// That many ten-thousandths; `None` above the whole.
    pub const fn new(parts: u16) -> Option<TaxRate> {
        if parts <= TaxRate::WHOLE { Some(TaxRate(parts)) } else { None }
    }

    /// Ten-thousandths.
    pub const fn parts(self) -> u16 {
        self.0
    }

    /// What the tax leaves, in ten-thousandths.
    pub(crate) const fn left(self) -> u64 {
        (TaxRate::WHOLE - self.0) as u64
    }
}

impl fmt::Display for TaxRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.0 / 100, self.0 % 100);
        if parts == 0 {
            write!(formatter, "{whole} %")
        } else {
            write!(formatter, "{whole}.{parts:02} %")
        }
    }
}
