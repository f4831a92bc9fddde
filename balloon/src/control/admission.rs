//! Who may start: nothing is promised that could not be kept.

use crate::policy::{Bounds, Pages};
use core::fmt;

/// What a machine has promised and can still promise.
#[derive(Debug)]
pub struct Admission {
    memory: Pages,
    swap: Option<Pages>,
    reserved: Pages,
    swap_reserved: Pages,
}

/// What was promised to one guest. It goes back through [`Admission::release`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is dropped stays promised"]
pub struct Reservation {
    memory: Pages,
    swap: Pages,
}

/// Why a guest may not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its minimum and overhead are more than the memory not yet promised.
    Memory {
        /// Minimum and overhead.
        needed: Pages,
        /// What is not promised.
        left: Pages,
    },
    /// What it may have above its minimum is more than the swap space not yet promised.
    Swap {
        /// Maximum without minimum.
        needed: Pages,
        /// What is not promised.
        left: Pages,
    },
}

impl Admission {
    /// A machine with so much memory for guests, the reserve not counted. With swap space, what a
    /// guest has above its minimum must fit there, as it may have to be taken by force; without,
    /// it is taken by balloon or not at all.
    pub const fn new(memory: Pages, swap: Option<Pages>) -> Admission {
        Admission { memory, swap, reserved: Pages::ZERO, swap_reserved: Pages::ZERO }
    }

    /// Memory not yet promised.
    pub const fn left(&self) -> Pages {
        self.memory.saturating_sub(self.reserved)
    }

    /// Promises a guest its minimum. It boots with that and grows: memory that it may have beyond is
    /// nobody's promise, so that a guest without a balloon driver does no harm.
    pub fn admit(&mut self, bounds: Bounds, overhead: Pages) -> Result<Reservation, Refusal> {
        let memory = Pages(bounds.minimum().0.saturating_add(overhead.0));
        if memory > self.left() {
            return Err(Refusal::Memory { needed: memory, left: self.left() });
        }
        let mut swap = Pages::ZERO;
        if let Some(all) = self.swap {
            swap = bounds.maximum() - bounds.minimum();
            let left = all.saturating_sub(self.swap_reserved);
            if swap > left {
                return Err(Refusal::Swap { needed: swap, left });
            }
        }
        self.reserved += memory;
        self.swap_reserved += swap;
        Ok(Reservation { memory, swap })
    }

    /// The guest is gone, and the promise with it.
    pub fn release(&mut self, reservation: Reservation) {
        self.reserved = self.reserved.saturating_sub(reservation.memory);
        self.swap_reserved = self.swap_reserved.saturating_sub(reservation.swap);
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Memory { needed, left } => write!(
                formatter,
                "minimum and overhead are {needed} pages and {left} are not promised to others: lower the minimum or end a guest"
            ),
            Refusal::Swap { needed, left } => write!(
                formatter,
                "{needed} pages above the minimum need swap space and {left} are left: add swap space or raise the minimum"
            ),
        }
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(minimum: u64, maximum: u64) -> Bounds {
        Bounds::new(Pages(minimum), Pages(maximum)).expect("ordered")
    }

    #[test]
    fn minimum_and_overhead_are_promised_once_and_come_back() {
        let mut machine = Admission::new(Pages(100), None);
        let first = machine.admit(bounds(50, 1_000), Pages(10)).expect("room");
        assert_eq!(
            machine.admit(bounds(35, 35), Pages(6)),
            Err(Refusal::Memory { needed: Pages(41), left: Pages(40) })
        );
        let second = machine.admit(bounds(35, 35), Pages(5)).expect("exactly room");
        assert_eq!(machine.left(), Pages(0));
        machine.release(first);
        assert_eq!(machine.left(), Pages(60));
        machine.release(second);
        assert_eq!(machine.left(), Pages(100));
    }

    #[test]
    fn what_may_be_taken_by_force_needs_swap_space() {
        let mut machine = Admission::new(Pages(100), Some(Pages(30)));
        let kept = machine.admit(bounds(10, 40), Pages(1)).expect("room");
        let refused = machine.admit(bounds(10, 11), Pages(1));
        assert_eq!(refused, Err(Refusal::Swap { needed: Pages(1), left: Pages(0) }));
        assert_eq!(machine.left(), Pages(89), "a refusal promises nothing");
        let flat = machine.admit(bounds(10, 10), Pages(1)).expect("needs none");
        machine.release(flat);
        machine.release(kept);
        assert_eq!(machine.left(), Pages(100));
    }

    #[test]
    fn an_overhead_beyond_all_numbers_is_refused() {
        let mut machine = Admission::new(Pages(100), None);
        assert!(machine.admit(bounds(1, 1), Pages(u64::MAX)).is_err());
    }
}
