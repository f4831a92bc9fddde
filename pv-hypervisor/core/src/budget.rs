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
