//! Min-funding revocation, page by page: slow, and short enough to be believed.

use super::{AllocationPolicy, Guest, Host, Pages, PolicyError, Price, TaxRate, Terms, Work};

/// The same terms as another policy, carried out as the paper describes it: every guest begins
/// with its maximum, and while that is too much, one page is revoked from the guest that pays the
/// least shares for it.
///
/// What a guest pays is worked out here anew from the definition of the tax, an active half page
/// at 1 and an idle one at k = 1 / (1 - tax), so that it can contradict the solver.
#[derive(Clone, Copy, Debug)]
pub struct MinFunding<P>(pub P);

impl<P: AllocationPolicy> AllocationPolicy for MinFunding<P> {
    fn name(&self) -> &'static str {
        "min-funding"
    }

    fn terms(&self, guest: &Guest) -> Terms {
        self.0.terms(guest)
    }

    fn targets(
        &self,
        host: &Host<'_>,
        _: &mut [Work],
        targets: &mut [Pages],
    ) -> Result<Pages, PolicyError> {
        let guests = host.guests();
        let Some(targets) = targets.get_mut(..guests.len()) else {
            return Err(PolicyError::RoomTooSmall { needed: guests.len(), lent: targets.len() });
        };
        for (target, guest) in targets.iter_mut().zip(guests) {
            *target = guest.bounds.maximum();
        }
        let mut total: Pages = targets.iter().copied().sum();
        while total > host.budget() {
            let victim = (0..guests.len())
                .filter(|&index| targets[index] > guests[index].bounds.minimum())
                .max_by_key(|&index| {
                    charge(targets[index], &guests[index], self.terms(&guests[index]))
                });
            // The minimums are not above the budget, so that somebody has a page to give.
            let Some(victim) = victim else { break };
            targets[victim] -= Pages(1);
            total -= Pages(1);
        }
        Ok(host.budget() - total)
    }
}

/// What the guest is charged, for each of its shares, up to the middle of its last page.
fn charge(pages: Pages, guest: &Guest, terms: Terms) -> Price {
    let halves = pages.0 * 2 - 1;
    let idle = halves.saturating_sub(guest.active.0 * 2);
    let used = halves - idle;
    let left = u64::from(TaxRate::WHOLE - terms.tax.parts());
    let shares = u64::from(terms.shares.get()) * 2;
    match (left, idle) {
        // k is without bound: an idle page is dearer than any active one.
        (0, 1..) => Price { beyond: true, over: idle, under: shares },
        (0, 0) => Price { beyond: false, over: used, under: shares },
        _ => Price {
            beyond: false,
            over: used * left + idle * u64::from(TaxRate::WHOLE),
            under: shares * left,
        },
    }
}
