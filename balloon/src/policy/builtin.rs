//! The policies of the field, as terms.

use super::{AllocationPolicy, Guest, Shares, TaxRate, Terms};

/// Each guest has a part of the machine in proportion to its size, whatever it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Static;

impl AllocationPolicy for Static {
    fn name(&self) -> &'static str {
        "static"
    }

    fn terms(&self, guest: &Guest) -> Terms {
        Terms { shares: Shares::one_per_page(guest.bounds.maximum()), tax: TaxRate::NONE }
    }
}

/// Who pays less gets less: in proportion to shares. Idle memory is hoarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PureShare;

impl AllocationPolicy for PureShare {
    fn name(&self) -> &'static str {
        "pure share"
    }

    fn terms(&self, guest: &Guest) -> Terms {
        Terms { shares: guest.shares, tax: TaxRate::NONE }
    }
}

/// Memory goes to who uses it; shares divide only what is scarce, or left over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkingSet;

impl AllocationPolicy for WorkingSet {
    fn name(&self) -> &'static str {
        "working set"
    }

    fn terms(&self, guest: &Guest) -> Terms {
        Terms { shares: guest.shares, tax: TaxRate::FULL }
    }
}

/// In proportion to shares, with a tax on what is idle. The rate is a guest's own, or else this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleTax(pub TaxRate);

impl AllocationPolicy for IdleTax {
    fn name(&self) -> &'static str {
        "idle tax"
    }

    fn terms(&self, guest: &Guest) -> Terms {
        Terms { shares: guest.shares, tax: guest.tax.unwrap_or(self.0) }
    }
}

/// What is scarce is divided equally among those whose need is not met; paying more helps nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxMin;

impl AllocationPolicy for MaxMin {
    fn name(&self) -> &'static str {
        "max-min"
    }

    fn terms(&self, _: &Guest) -> Terms {
        Terms { shares: Shares::ONE, tax: TaxRate::FULL }
    }
}
