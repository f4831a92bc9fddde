//! The two counts of an owned frame, and the transitions of its type.
//!
//! Each transition is one method. It either happens whole or returns the error that the
//! guest gets, having changed nothing.

use super::{Hold, Owned, Type};
use crate::tlb::Epoch;
use hypercall_abi::Error;
use hypercall_abi::addr::Level;

/// The largest value of either count. Far from the field's own end, so that no sum of a
/// bounded number of increments can wrap (XSA-249).
pub const COUNT_MAX: u32 = 1 << 30;

/// What must happen before a transition may be made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// A flush, unless every processor has flushed since the frame's epoch.
    Flush,
}

impl Owned {
    /// Whether one more reference fits.
    #[inline(always)]
    pub(crate) fn check_reference(&self) -> Result<(), Error> {
        if self.references < COUNT_MAX { Ok(()) } else { Err(Error::CountOverflow) }
    }

    /// Whether two more references fit.
    pub(crate) fn check_two_references(&self) -> Result<(), Error> {
        if self.references < COUNT_MAX - 1 { Ok(()) } else { Err(Error::CountOverflow) }
    }

    /// Adds a reference; [`check_reference`](Self::check_reference) has passed.
    #[inline(always)]
    pub(crate) fn add_reference(&mut self) {
        self.references += 1;
    }

    /// Takes a reference away at `now`.
    #[inline(always)]
    pub(crate) fn drop_reference(&mut self, now: Epoch) {
        debug_assert!(self.references > 0, "a reference that is not held");
        self.references -= 1;
        self.epoch = now;
    }

    /// Whether a writable holder can be added, and what must happen before.
    #[inline(always)]
    pub(crate) fn check_writable(&self) -> Result<Before, Error> {
        self.check_reference()?;
        match self.kind {
            Type::Writable | Type::None => Ok(Before::Nothing),
            Type::WasTable | Type::Table(_) => self.check_table_writable(),
        }
    }

    #[cold]
    #[inline(never)]
    fn check_table_writable(&self) -> Result<Before, Error> {
        match self.kind {
            Type::Table(_) => Err(Error::TypeConflict),
            // A processor that still walks it as a table must not see what is written now.
            Type::WasTable | Type::Writable | Type::None => Ok(Before::Flush),
        }
    }

    /// Adds a writable holder, with its reference; [`check_writable`](Self::check_writable)
    /// has passed.
    #[inline(always)]
    pub(crate) fn add_writable(&mut self) {
        self.kind = Type::Writable;
        self.type_count += 1;
        self.references += 1;
    }

    /// Takes a writable holder away, with its reference, at `now`.
    #[inline(always)]
    pub(crate) fn drop_writable(&mut self, now: Epoch) {
        debug_assert!(self.kind == Type::Writable && self.type_count > 0);
        self.type_count -= 1;
        if self.type_count == 0 {
            self.kind = Type::None;
        }
        self.drop_reference(now);
    }

    /// Whether the frame can begin to be a page table. It always wants the flush: a
    /// processor may hold a writable translation, or walk it at another level (XSA-401,
    /// XSA-408: the condition is on what the frame *was*).
    pub(crate) fn check_claim(&self) -> Result<Before, Error> {
        self.check_reference()?;
        match self.kind {
            Type::None | Type::WasTable => Ok(Before::Flush),
            Type::Writable | Type::Table(_) => Err(Error::TypeConflict),
        }
    }

    /// Makes the frame a page table whose validation begins. The walk holds one reference,
    /// which becomes that of whoever asked.
    pub(crate) fn claim(&mut self, level: Level) {
        debug_assert!(self.type_count == 0);
        self.kind = Type::Table(level);
        self.hold = Hold::Promoting;
        self.type_count = 1;
        self.references += 1;
    }

    /// Whether the frame is a validated table of `level` that one more can refer to.
    #[inline(always)]
    pub(crate) fn check_table(&self, level: Level) -> Result<(), Error> {
        self.check_reference()?;
        match self.kind {
            Type::Table(own) if own != level => Err(Error::BadLevel),
            Type::Table(_) if self.hold.is_valid() => Ok(()),
            Type::Table(_) => Err(Error::Busy),
            Type::None | Type::WasTable | Type::Writable => Err(Error::NotTable),
        }
    }

    /// Adds a reference to a validated table; [`check_table`](Self::check_table) has passed.
    #[inline(always)]
    pub(crate) fn add_table(&mut self) {
        self.type_count += 1;
        self.references += 1;
    }

    /// Takes a reference to a table away at `now`. When it was the last, the table begins to
    /// be taken apart: the walk that does it holds the reference from here on.
    #[inline(always)]
    #[must_use]
    pub(crate) fn drop_table(&mut self, now: Epoch) -> LastReference {
        debug_assert!(matches!(self.kind, Type::Table(_)) && self.type_count > 0);
        self.epoch = now;
        if self.type_count == 1 {
            self.hold = Hold::Demoting;
            LastReference::Yes
        } else {
            self.type_count -= 1;
            self.references -= 1;
            LastReference::No
        }
    }

    /// Ends the taking apart of a table, at `now`.
    pub(crate) fn retire(&mut self, now: Epoch) {
        debug_assert!(self.type_count == 1);
        self.kind = Type::WasTable;
        self.hold = Hold::Unheld;
        self.type_count = 0;
        self.drop_reference(now);
    }

    /// Whether nothing but its being owned refers to the frame.
    #[inline(always)]
    pub(crate) fn is_unreferenced(&self) -> bool {
        self.references == 1
    }
}

/// Whether the reference that went was the last one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum LastReference {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercall_abi::DomainId;

    fn owned() -> Owned {
        Owned::new(DomainId(1))
    }

    #[test]
    fn a_table_cannot_become_writable_nor_the_other_way_round() {
        let mut table = owned();
        assert_eq!(table.check_claim(), Ok(Before::Flush));
        table.claim(Level::L1);
        assert_eq!(table.check_writable(), Err(Error::TypeConflict));
        let mut page = owned();
        page.add_writable();
        assert_eq!(page.check_claim(), Err(Error::TypeConflict));
        page.drop_writable(Epoch::NEVER);
        assert_eq!(page, owned());
    }

    #[test]
    fn a_retired_table_wants_a_flush_before_it_is_written() {
        let mut table = owned();
        table.claim(Level::L2);
        table.retire(Epoch::NEVER);
        assert_eq!(table.kind, Type::WasTable);
        assert_eq!(table.references, 1);
        assert_eq!(table.check_writable(), Ok(Before::Flush));
    }

    /// Advisories: XSA-249 XSA-250
    #[test]
    fn counts_stop_at_their_largest_value() {
        let mut frame = Owned { references: COUNT_MAX, ..owned() };
        assert_eq!(frame.check_reference(), Err(Error::CountOverflow));
        assert_eq!(frame.check_writable(), Err(Error::CountOverflow));
        assert_eq!(frame.check_claim(), Err(Error::CountOverflow));
        frame.kind = Type::Table(Level::L1);
        frame.hold = Hold::Valid;
        assert_eq!(frame.check_table(Level::L1), Err(Error::CountOverflow));
    }

    #[test]
    fn the_last_reference_to_a_table_stays_with_the_walk() {
        let mut table = owned();
        table.claim(Level::L1);
        table.hold = Hold::Valid;
        table.add_table();
        assert_eq!(table.drop_table(Epoch::NEVER), LastReference::No);
        assert_eq!(table.drop_table(Epoch::NEVER), LastReference::Yes);
        assert_eq!((table.hold, table.type_count, table.references), (Hold::Demoting, 1, 2));
        assert_eq!(table.check_table(Level::L1), Err(Error::Busy));
    }
}
