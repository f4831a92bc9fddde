//! Allocation policies: who gets how much of a machine that has too little.
//!
//! A policy says on which *terms* each guest holds memory: by how many shares, and at which tax on
//! what it does not use. Everything else is the same for all of them. The pages of every guest have
//! a [`Price`], which rises from page to page; the machine keeps, above the guests' minimums, the
//! cheapest pages that its budget has room for. [`solve`] finds them at once, [`MinFunding`] by
//! revoking page after page, and they agree exactly.
//!
//! ```text
//!   price of guest i's pages       active: 1 / shares each
//!                                  idle:   k / shares each,  k = 1 / (1 - tax)
//! ```
//!
//! All of it is arithmetic of whole numbers: the hypervisor has no floating point, and a budget
//! that is out by one page stops a balancer.

mod builtin;
mod guest;
mod price;
mod ranked;
mod revocation;
mod solver;
mod units;

pub use builtin::{IdleTax, MaxMin, PureShare, Static, WorkingSet};
pub use guest::{Bounds, Guest, Host, MAX_GUESTS, PolicyError};
pub use price::Price;
pub use revocation::MinFunding;
pub use solver::{Work, solve};
pub use units::{MAX_PAGES, Pages, Shares, TaxRate};

/// The terms on which a guest holds memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What its claim to memory weighs.
    pub shares: Shares,
    /// What of its idle memory can be taken from it.
    pub tax: TaxRate,
}

/// A way to divide a machine's memory.
///
/// A policy is chosen when the machine is set up and can be exchanged while it runs: it has no state.
pub trait AllocationPolicy {
    /// Its name, as it stands in tables.
    fn name(&self) -> &'static str;

    /// The terms of one guest.
    fn terms(&self, guest: &Guest) -> Terms;

    /// Writes each guest's target, in the order of the guests, and returns the pages that nobody
    /// can use: the budget is the sum of both. `work` is as long as [`Work::needed`] says.
    fn targets(
        &self,
        host: &Host<'_>,
        work: &mut [Work],
        targets: &mut [Pages],
    ) -> Result<Pages, PolicyError> {
        solve(host, |guest| self.terms(guest), work, targets)
    }
}
