//! A part of a whole, in fixed point.

use crate::policy::Pages;
use core::fmt;

/// From none to all, in 65,536ths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Part(u32);

impl Part {
    const WHOLE: u32 = 1 << 16;
    /// Nothing.
    pub const NONE: Part = Part(0);
    /// Everything.
    pub const ALL: Part = Part(Part::WHOLE);

    /// So many of so many, to the nearest; more than all is all, of none is none.
    pub const fn of(some: u64, all: u64) -> Part {
        if all == 0 {
            return Part::NONE;
        }
        if some >= all {
            return Part::ALL;
        }
        let (some, all) = (some as u128, all as u128);
        Part(((some * Part::WHOLE as u128 * 2 + all) / (2 * all)) as u32)
    }

    /// So many hundredths; more than all is all.
    pub const fn per_cent(hundredths: u64) -> Part {
        Part::of(hundredths, 100)
    }

    /// That part of so many pages, to the nearest.
    pub const fn of_pages(self, pages: Pages) -> Pages {
        let product = pages.0 as u128 * self.0 as u128;
        Pages(((product + (Part::WHOLE / 2) as u128) >> 16) as u64)
    }

    /// As a number between 0 and 65,536.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Both together, at most everything.
    pub const fn plus(self, other: Part) -> Part {
        let sum = self.0 + other.0;
        Part(if sum > Part::WHOLE { Part::WHOLE } else { sum })
    }

    /// A step from this towards another, by a 2^`shift`th of the way. It always arrives: what is
    /// left of the way is rounded up.
    pub(super) const fn towards(self, goal: Part, shift: u32) -> Part {
        let way = goal.0.abs_diff(self.0);
        let step = way.div_ceil(1 << shift);
        Part(if goal.0 >= self.0 { self.0 + step } else { self.0 - step })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (u64::from(self.0) * 1_000 + u64::from(Part::WHOLE / 2)) >> 16;
        write!(formatter, "{}.{} %", tenths / 10, tenths % 10)
    }
}
