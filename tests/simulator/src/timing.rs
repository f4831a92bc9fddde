//! What the solver's time is compared with, compiled as the solver is.

use balloon::policy::{AllocationPolicy, Guest, Host, IdleTax, Pages, PolicyError, Price, Work};

/// Halvings of a bisection: as many as a double has digits.
const HALVINGS: u32 = 53;

/// Targets by the solver.
pub fn solve_taxed(
    policy: IdleTax,
    host: &Host<'_>,
    work: &mut [Work],
    targets: &mut [Pages],
) -> Result<Pages, PolicyError> {
    policy.targets(host, work, targets)
}

/// Sorts prices, as a solver would have to that does not select.
pub fn sort_prices(prices: &mut [Price]) {
    prices.sort_unstable();
}

/// The price alone, by bisection in floating point: the way of the reference.
pub fn bisect_price(budget: Pages, guests: &[Guest], tax: f64) -> f64 {
    let at = |price: f64| -> f64 {
        let pages = guests.iter().map(|guest| {
            let (funded, active) = (price * f64::from(guest.shares.get()), guest.active.0 as f64);
            let pages =
                if funded <= active { funded } else { active + (funded - active) * (1.0 - tax) };
            pages.clamp(guest.bounds.minimum().0 as f64, guest.bounds.maximum().0 as f64)
        });
        pages.sum()
    };
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if at(middle) < budget.0 as f64 { low = middle } else { high = middle }
    }
    high
}
