//! How much work one entry into the hypervisor may do before it looks at the clock again.

/// Units of work left. A unit is some ten instructions: `cargo xtask bench --worst-case` shows
/// whether the costs that are charged are still those that are paid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Budget(u32);

/// Units for one entry: some 14,000 instructions, so that even with a last piece of work that
/// costs more than what is left no interrupt waits for 20,000.
pub(crate) const UNITS: u32 = 1400;

impl Budget {
    /// A fresh budget of at least one unit. Whatever asks first gets something, so that every
    /// entry makes progress.
    #[inline(always)]
    pub(crate) fn new(units: u32) -> Budget {
        Budget(units)
    }

    /// Work that runs to its end: the loader's, before any guest is kept waiting.
    pub(crate) fn unlimited() -> Budget {
        Budget(u32::MAX)
    }

    /// Whether nothing is left.
    #[inline(always)]
    pub(crate) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    /// Spends all that an entry of `units` has, for one piece of work that takes about as much. False,
    /// and nothing is spent, when something was spent before: the piece waits for the next
    /// entry. Work that runs to its end has always room for it.
    #[inline(always)]
    pub(crate) fn spend_whole(&mut self, units: u32) -> bool {
        if self.0 == u32::MAX {
            return true;
        }
        let whole = self.0 == units;
        if whole {
            self.0 = 0;
        }
        whole
    }

    /// How many pieces of work of so many units each can begin, one after the other.
    #[inline(always)]
    pub(crate) fn pieces(&self, units: u32) -> u64 {
        if self.0 == u32::MAX { u64::MAX } else { u64::from(self.0.div_ceil(units)) }
    }

    /// Spends what that many pieces of work cost, of which the last may have cost more than was left.
    #[inline(always)]
    pub(crate) fn spend_pieces(&mut self, units: u32, pieces: u64) {
        if self.0 != u32::MAX {
            let spent = u64::from(units).saturating_mul(pieces);
            self.0 = u64::from(self.0).saturating_sub(spent) as u32;
        }
    }

    /// Spends units, if any are left.
    #[inline(always)]
    pub(crate) fn spend(&mut self, units: u32) -> bool {
        if self.0 == 0 {
            return false;
        }
        if self.0 != u32::MAX {
            self.0 = self.0.saturating_sub(units);
        }
        true
    }
}
