//! On random machines: targets are the budget to the page, within bounds, those of page-by-page
//! revocation, and move the right way when shares, budget, use or tax change.

use balloon::policy::{
    AllocationPolicy, Bounds, Guest, Host, IdleTax, MAX_GUESTS, MAX_PAGES, MaxMin, MinFunding,
    Pages, PolicyError, PureShare, Shares, Static, TaxRate, Terms, Work, WorkingSet,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Random machines of a plain `cargo test`, and of the long one.
const FEW: u32 = 1_000;
const MANY: u32 = 20_000;

#[derive(Clone, Debug)]
struct Machine {
    budget: Pages,
    guests: Vec<Guest>,
}

impl Machine {
    fn targets(&self, policy: &dyn AllocationPolicy) -> (Vec<Pages>, Pages) {
        let host = Host::new(self.budget, &self.guests).expect("a machine with room");
        let mut work = vec![Work::EMPTY; Work::needed(self.guests.len())];
        let mut targets = vec![Pages::ZERO; self.guests.len()];
        let spare = policy.targets(&host, &mut work, &mut targets).expect("solved");
        (targets, spare)
    }
}

fn shares(number: u32) -> Shares {
    Shares::new(number).expect("not none")
}

fn rate(parts: u16) -> TaxRate {
    TaxRate::new(parts).expect("a part")
}

fn a_rate() -> impl Strategy<Value = TaxRate> {
    prop_oneof![
        Just(TaxRate::NONE),
        Just(TaxRate::ESX),
        Just(TaxRate::FULL),
        (0..=TaxRate::WHOLE).prop_map(rate),
    ]
}

fn guest(most: u64) -> impl Strategy<Value = Guest> {
    let weight = prop_oneof![1u32..=8, 1u32..=2_000];
    (0..=most, 0..=most, 0..=most + most / 4, weight, prop::option::of(a_rate())).prop_map(
        |(one, other, active, weight, tax)| Guest {
            bounds: Bounds::new(Pages(one.min(other)), Pages(one.max(other))).expect("ordered"),
            shares: shares(weight),
            tax,
            active: Pages(active),
        },
    )
}

/// A machine whose budget is anything from all minimums to more than all maximums.
fn machine() -> impl Strategy<Value = Machine> {
    (prop::collection::vec(guest(96), 1..9), 0..=1_050u64).prop_map(|(guests, part)| {
        let sum = |of: fn(&Bounds) -> Pages| -> u64 {
            guests.iter().map(|guest| of(&guest.bounds).0).sum()
        };
        let (least, most) = (sum(|bounds| bounds.minimum()), sum(|bounds| bounds.maximum()));
        Machine { budget: Pages(least + (most - least) * part / 1_000), guests }
    })
}

fn policies(tax: TaxRate) -> [Box<dyn AllocationPolicy>; 5] {
    [
        Box::new(Static),
        Box::new(PureShare),
        Box::new(WorkingSet),
        Box::new(IdleTax(tax)),
        Box::new(MaxMin),
    ]
}

/// Budget and bounds.
fn conserved(machine: &Machine, tax: TaxRate) -> Result<(), TestCaseError> {
    for policy in policies(tax) {
        let (targets, spare) = machine.targets(&*policy);
        let total: Pages = targets.iter().copied().sum();
        prop_assert_eq!(total + spare, machine.budget, "{}: the budget", policy.name());
        for (target, guest) in targets.iter().zip(&machine.guests) {
            prop_assert!(*target >= guest.bounds.minimum(), "{}: minimum", policy.name());
            prop_assert!(*target <= guest.bounds.maximum(), "{}: maximum", policy.name());
            let lost = spare > Pages::ZERO && *target < guest.bounds.maximum();
            prop_assert!(!lost, "{}: pages are left that a guest could use", policy.name());
        }
    }
    Ok(())
}

/// The solver against the oracle: the issue allows one page, and there is none.
fn as_the_oracle(machine: &Machine, tax: TaxRate) -> Result<(), TestCaseError> {
    let pairs: [(&dyn AllocationPolicy, &dyn AllocationPolicy); 5] = [
        (&Static, &MinFunding(Static)),
        (&PureShare, &MinFunding(PureShare)),
        (&WorkingSet, &MinFunding(WorkingSet)),
        (&IdleTax(tax), &MinFunding(IdleTax(tax))),
        (&MaxMin, &MinFunding(MaxMin)),
    ];
    for (solved, revoked) in pairs {
        prop_assert_eq!(machine.targets(solved), machine.targets(revoked), "{}", solved.name());
    }
    Ok(())
}

/// Nobody loses more than the tax of the idle memory that its shares entitle it to; one page is
/// for both sums being rounded.
fn tax_is_bounded(machine: &Machine, tax: TaxRate) -> Result<(), TestCaseError> {
    let (entitled, _) = machine.targets(&PureShare);
    let (taxed, _) = machine.targets(&IdleTax(tax));
    for (index, guest) in machine.guests.iter().enumerate() {
        let idle = entitled[index].saturating_sub(guest.active).0;
        let lost = entitled[index].saturating_sub(taxed[index]).0;
        let whole = u64::from(TaxRate::WHOLE);
        let parts = u64::from(guest.tax.unwrap_or(tax).parts());
        prop_assert!(
            lost * whole <= idle * parts + whole,
            "guest {}: lost {} of {} idle pages at {}",
            index,
            lost,
            idle,
            tax
        );
    }
    Ok(())
}

/// More of something for one guest gives it no less, and nobody else more.
fn rises(
    machine: &Machine,
    policy: &dyn AllocationPolicy,
    index: usize,
    change: impl FnOnce(&mut Guest),
) -> Result<(), TestCaseError> {
    let (before, _) = machine.targets(policy);
    let mut changed = machine.clone();
    change(&mut changed.guests[index]);
    let (after, _) = changed.targets(policy);
    for other in 0..before.len() {
        let right = if other == index {
            after[other] >= before[other]
        } else {
            after[other] <= before[other]
        };
        prop_assert!(
            right,
            "{}: guest {}: {} to {}",
            policy.name(),
            other,
            before[other],
            after[other]
        );
    }
    Ok(())
}

fn monotone(machine: &Machine, tax: TaxRate, by: u32) -> Result<(), TestCaseError> {
    let index = by as usize % machine.guests.len();
    for policy in policies(tax) {
        rises(machine, &*policy, index, |guest| guest.shares = shares(guest.shares.get() + by))?;
        rises(machine, &*policy, index, |guest| guest.active += Pages(u64::from(by)))?;
        let (before, _) = machine.targets(&*policy);
        let larger = Machine { budget: machine.budget + Pages(u64::from(by)), ..machine.clone() };
        let (after, _) = larger.targets(&*policy);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(after >= before, "{}: a larger machine takes pages", policy.name());
        }
    }
    Ok(())
}

/// The formula of the reference, by bisection in floating point: the real number each target is to
/// be near. Rounding moves whole pages by price, so the sum of all roundings bounds the difference.
fn near_the_formula(machine: &Machine, tax: TaxRate) -> Result<(), TestCaseError> {
    let part = |guest: &Guest| f64::from(guest.tax.unwrap_or(tax).parts()) / 10_000.0;
    if machine.guests.iter().any(|guest| part(guest) > 0.99) {
        return Ok(());
    }
    let at = |level: f64, guest: &Guest| {
        let (shares, active) = (f64::from(guest.shares.get()), guest.active.0 as f64);
        let funded = level * shares;
        let pages = if funded <= active {
            funded
        } else {
            active + (funded - active) * (1.0 - part(guest))
        };
        pages.clamp(guest.bounds.minimum().0 as f64, guest.bounds.maximum().0 as f64)
    };
    let (targets, spare) = machine.targets(&IdleTax(tax));
    if spare > Pages::ZERO {
        return Ok(());
    }
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        let total: f64 = machine.guests.iter().map(|guest| at(middle, guest)).sum();
        if total < machine.budget.0 as f64 { low = middle } else { high = middle }
    }
    let allowed = 1.0 + machine.guests.len() as f64 / 2.0;
    for (target, guest) in targets.iter().zip(&machine.guests) {
        let wanted = at(high, guest);
        prop_assert!(
            (target.0 as f64 - wanted).abs() <= allowed,
            "{} pages where the formula has {:.3}",
            target,
            wanted
        );
    }
    Ok(())
}

fn on(machines: u32) {
    let mut runner =
        TestRunner::new(Config { cases: machines, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(machine(), a_rate(), 1..500u32), |(machine, tax, by)| {
        conserved(&machine, tax)?;
        as_the_oracle(&machine, tax)?;
        tax_is_bounded(&machine, tax)?;
        monotone(&machine, tax, by)?;
        near_the_formula(&machine, tax)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn on_a_thousand_random_machines() {
    on(FEW);
}

#[test]
#[ignore = "long: `cargo xtask test` runs it"]
fn on_twenty_thousand_random_machines() {
    on(MANY);
}

/// The paper's experiment, in pages: two guests of 256 MB with equal shares on what leaves them
/// 179 MB each, one idle, one busy.
fn idle_and_busy(minimum: u64) -> Machine {
    let bounds = Bounds::new(Pages::from_mib(minimum), Pages::from_mib(256)).expect("below 256 MB");
    let of = |active| Guest { bounds, shares: Shares::ONE, tax: None, active };
    Machine {
        budget: Pages::from_mib(358),
        guests: vec![of(Pages::ZERO), of(Pages::from_mib(256))],
    }
}

#[test]
fn the_example_of_esx() {
    let mib = |machine: &Machine, policy: &dyn AllocationPolicy| -> Vec<u64> {
        machine.targets(policy).0.iter().map(|pages| pages.to_mib()).collect()
    };
    let machine = idle_and_busy(0);
    assert_eq!(mib(&machine, &PureShare), [179, 179]);
    assert_eq!(mib(&machine, &IdleTax(TaxRate::NONE)), [179, 179]);
    assert_eq!(mib(&machine, &IdleTax(TaxRate::ESX)), [102, 256]);
    assert_eq!(mib(&idle_and_busy(128), &IdleTax(TaxRate::ESX)), [128, 230]);
}

#[test]
fn two_to_one_shares_are_two_to_one_pages() {
    let bounds = Bounds::new(Pages::ZERO, Pages(1_000)).expect("ordered");
    let of = |number| Guest { bounds, shares: shares(number), tax: None, active: Pages(1_000) };
    let machine = Machine { budget: Pages(900), guests: vec![of(2), of(1)] };
    for policy in [&PureShare as &dyn AllocationPolicy, &IdleTax(TaxRate::ESX), &WorkingSet] {
        assert_eq!(machine.targets(policy).0, [Pages(600), Pages(300)], "{}", policy.name());
    }
    assert_eq!(machine.targets(&MaxMin).0, [Pages(450), Pages(450)]);
    assert_eq!(machine.targets(&Static).0, [Pages(450), Pages(450)]);
}

#[test]
fn a_hoarder_keeps_its_idle_memory_from_who_needs_it_until_it_is_taxed() {
    let bounds = Bounds::new(Pages::ZERO, Pages(1_000)).expect("ordered");
    let of = |active, tax| Guest { bounds, shares: Shares::ONE, tax, active: Pages(active) };
    let with = |tax| Machine { budget: Pages(1_000), guests: vec![of(100, tax), of(900, None)] };
    assert_eq!(with(None).targets(&PureShare).0, [Pages(500), Pages(500)]);
    assert_eq!(with(None).targets(&WorkingSet).0, [Pages(100), Pages(900)]);
    // Its own rate goes before the policy's.
    let own = with(Some(TaxRate::NONE)).targets(&IdleTax(TaxRate::ESX)).0;
    assert_eq!(own, [Pages(500), Pages(500)]);
}

#[test]
fn the_largest_numbers_have_room() {
    let most = MAX_PAGES;
    let bounds = Bounds::new(Pages::ZERO, most).expect("counted");
    for tax in [TaxRate::NONE, rate(1), rate(9_999), TaxRate::FULL] {
        let guests: Vec<Guest> = (0..MAX_GUESTS as u64)
            .map(|index| Guest {
                bounds,
                shares: shares(u32::MAX - index as u32),
                tax: Some(tax),
                active: Pages(most.0 / 100_000 * (index % 7)),
            })
            .collect();
        let machine = Machine { budget: most, guests };
        let (targets, spare) = machine.targets(&IdleTax(TaxRate::ESX));
        assert_eq!(targets.iter().copied().sum::<Pages>() + spare, most, "{tax}");
    }
}

#[test]
fn what_cannot_be_divided_is_refused_by_name() {
    let bounds = Bounds::new(Pages(10), Pages(20)).expect("ordered");
    let guests = [Guest { bounds, shares: Shares::ONE, tax: None, active: Pages(5) }; 2];
    assert_eq!(
        Bounds::new(Pages(2), Pages(1)),
        Err(PolicyError::MinimumAboveMaximum { minimum: Pages(2), maximum: Pages(1) })
    );
    let refused = Host::new(Pages(19), &guests).expect_err("a page short");
    assert_eq!(
        refused,
        PolicyError::MinimumsAboveBudget { minimums: Pages(20), budget: Pages(19) }
    );
    let host = Host::new(Pages(25), &guests).expect("room");
    let (mut work, mut targets) = ([Work::EMPTY; 7], [Pages::ZERO; 2]);
    let refused = PureShare.targets(&host, &mut work, &mut targets).expect_err("an element short");
    assert_eq!(refused, PolicyError::RoomTooSmall { needed: 8, lent: 7 });
    assert!(Host::new(Pages(1 << 40 | 1), &[]).is_err());
    assert_eq!(TaxRate::new(10_001), None);
    let terms = IdleTax(TaxRate::ESX).terms(&guests[0]);
    assert_eq!(terms, Terms { shares: Shares::ONE, tax: TaxRate::ESX });
}
