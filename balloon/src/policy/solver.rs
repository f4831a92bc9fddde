//! The solver: all targets at once, in time linear in the guests but for a logarithm of how far rounding is out.
//!
//! As a function of the price, what a guest has is a line that bends where it leaves its minimum,
//! where its idle memory begins and where it reaches its maximum. The sum of such functions is one
//! too; its bends are the guests'. Bends are halved by selection until the two are found
//! between which the sum meets the budget; there a division gives the price exactly. Rounded to
//! whole pages at that price the sum is out by a few pages, which then go one by one to, or from,
//! who is next in price.

use super::price::{Curve, WHOLE};
use super::ranked::{self, Before, Entries, Entry, cheapest, dearest};
use super::{Guest, Host, Pages, PolicyError, Price, TaxRate, Terms};

/// Bends of one guest at most: off its minimum, at its active memory, off it at full tax, at its
/// maximum.
const BENDS: usize = 4;

/// Room to work in, lent by the caller: there is no allocator below a hypervisor.
///
/// It is a bend first, a guest's next page later.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    price: Price,
    /// How the constant of the line changes, in parts of a page; later the guest's number.
    constant: i64,
    /// How its slope does.
    slope: i64,
}

impl Work {
    /// An element that says nothing.
    pub const EMPTY: Work = Work { price: Price::FREE, constant: 0, slope: 0 };

    /// Elements that so many guests need.
    pub const fn needed(guests: usize) -> usize {
        guests * BENDS
    }
}

/// A line: pages, in ten-thousandths, by price.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    constant: i128,
    slope: i128,
}

impl Line {
    fn then(self, bends: &[Work]) -> Line {
        bends.iter().fold(self, |line, bend| Line {
            constant: line.constant + i128::from(bend.constant),
            slope: line.slope + i128::from(bend.slope),
        })
    }

    /// Whether it is at least there at that price.
    fn reaches(self, pages: i128, price: Price) -> bool {
        let (over, under) = (i128::from(price.over), i128::from(price.under));
        self.constant * under + self.slope * over >= pages * under
    }
}

/// Writes the target of each guest on those terms, and returns what nobody can use.
pub fn solve(
    host: &Host<'_>,
    terms: impl Fn(&Guest) -> Terms,
    work: &mut [Work],
    targets: &mut [Pages],
) -> Result<Pages, PolicyError> {
    let guests = host.guests();
    let needed = Work::needed(guests.len());
    if work.len() < needed {
        return Err(PolicyError::RoomTooSmall { needed, lent: work.len() });
    }
    let Some(targets) = targets.get_mut(..guests.len()) else {
        return Err(PolicyError::RoomTooSmall { needed: guests.len(), lent: targets.len() });
    };
    let curve = |index: usize| Curve::new(&guests[index], terms(&guests[index]));
    let maximums: Pages = guests.iter().map(|guest| guest.bounds.maximum()).sum();
    if maximums <= host.budget() {
        for (target, guest) in targets.iter_mut().zip(guests) {
            *target = guest.bounds.maximum();
        }
        return Ok(host.budget() - maximums);
    }
    let mut bends = 0;
    let mut start = Line { constant: 0, slope: 0 };
    for index in 0..guests.len() {
        let curve = curve(index);
        start.constant += i128::from(curve.minimum) * i128::from(WHOLE);
        bends += write_bends(&curve, &mut work[bends..]);
    }
    let price = meet(start, host.budget(), &mut work[..bends]);
    let mut total = Pages::ZERO;
    for (index, target) in targets.iter_mut().enumerate() {
        *target = curve(index).pages_within(price);
        total += *target;
    }
    settle(host.budget(), total, &curve, work, targets);
    Ok(Pages::ZERO)
}

/// The bends of a curve; how many there are.
fn write_bends(curve: &Curve, work: &mut [Work]) -> usize {
    let line = |constant: u64, slope: u64| (constant as i64, slope as i64);
    let mut count = 0;
    let mut at = line(curve.minimum * WHOLE, 0);
    let mut bend = |price: Price, to: (i64, i64)| {
        work[count] = Work { price, constant: to.0 - at.0, slope: to.1 - at.1 };
        at = to;
        count += 1;
    };
    if curve.minimum == curve.maximum {
        return 0;
    }
    let left = curve.tax.left();
    if curve.minimum < curve.active {
        bend(curve.price_at(curve.minimum), line(0, curve.shares * WHOLE));
    }
    if curve.active < curve.maximum {
        let from = curve.active.max(curve.minimum);
        if curve.tax == TaxRate::FULL {
            if curve.minimum < curve.active {
                bend(curve.price_at(curve.active), line(curve.active * WHOLE, 0));
            }
            let price = Price { beyond: true, over: from - curve.active, under: curve.shares };
            bend(price, line(curve.active * WHOLE, curve.shares * WHOLE));
        } else {
            let constant = curve.active * (WHOLE - left);
            bend(curve.price_at(from), line(constant, curve.shares * left));
        }
    }
    bend(curve.price_at(curve.maximum), line(curve.maximum * WHOLE, 0));
    count
}

/// The price at which the sum of the curves is the budget. It is above the sum's start and below
/// its end, or at the start.
fn meet(start: Line, budget: Pages, bends: &mut [Work]) -> Price {
    let wanted = i128::from(budget.0) * i128::from(WHOLE);
    let mut before = start;
    let mut rest = bends;
    let mut last = Price::FREE;
    // Those left of `rest` do not reach the budget, those right of it do.
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let (left, bend, right) = rest.select_nth_unstable_by(middle, |a, b| a.price.cmp(&b.price));
        let at = before.then(left);
        if at.reaches(wanted, bend.price) {
            last = bend.price;
            rest = left;
        } else {
            before = at.then(core::slice::from_ref(bend));
            rest = right;
        }
    }
    let missing = wanted - before.constant;
    match (u64::try_from(missing), u64::try_from(before.slope)) {
        (Ok(over), Ok(under)) if under > 0 => Price { beyond: last.beyond, over, under },
        // Flat: nothing changes until the next bend, where the budget is met.
        _ => last,
    }
}

/// Moves single pages until the sum is the budget.
fn settle(
    budget: Pages,
    mut total: Pages,
    curve: &impl Fn(usize) -> Curve,
    work: &mut [Work],
    targets: &mut [Pages],
) {
    let gives = total < budget;
    let before: Before = if gives { cheapest } else { dearest };
    let next = |guest: usize, target: Pages| {
        let curve = curve(guest);
        let price = if gives {
            (target.0 < curve.maximum).then(|| curve.price_of(target.0 + 1))
        } else {
            (target.0 > curve.minimum).then(|| curve.price_of(target.0))
        };
        price.map(|price| Work { price, constant: guest as i64, slope: 0 })
    };
    if total == budget {
        return;
    }
    let mut length = 0;
    for (guest, &target) in targets.iter().enumerate() {
        if let Some(entry) = next(guest, target) {
            work[length] = entry;
            length += 1;
        }
    }
    ranked::arrange(work, length, before);
    while total != budget && length > 0 {
        let guest = work[0].constant as usize;
        if gives {
            targets[guest] += Pages(1);
            total += Pages(1);
        } else {
            targets[guest] -= Pages(1);
            total -= Pages(1);
        }
        match next(guest, targets[guest]) {
            Some(entry) => work[0] = entry,
            None => {
                length -= 1;
                work[0] = work[length];
            }
        }
        ranked::sink(work, length, 0, before);
    }
}

impl Entries for [Work] {
    fn entry(&self, index: usize) -> Entry {
        Entry { price: self[index].price, guest: self[index].constant as usize }
    }

    fn exchange(&mut self, a: usize, b: usize) {
        self.swap(a, b);
    }
}
