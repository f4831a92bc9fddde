//! What a rate takes of idle memory: the same as a fraction and by chance.

use balloon::policy::{Pages, TaxRate};
use simulator::threshold::{Holder, Mean};

const SEEDS: u64 = 100;

fn rate(per_cent: u16) -> TaxRate {
    TaxRate::new(per_cent * 100).expect("at most all")
}

#[test]
fn as_a_fraction_it_is_that_part_to_a_page() {
    for per_cent in [0, 10, 50, 75, 100] {
        for holder in (0..SEEDS).map(Holder::any) {
            let taken = holder.taken_as_fraction(rate(per_cent)).expect("solved");
            let wanted = holder.idle().0 as f64 * f64::from(per_cent) / 100.0;
            let out = (taken.0 as f64 - wanted).abs();
            assert!(out <= 1.0, "{per_cent} % of {holder:?}: {taken}, not {wanted}");
        }
    }
}

#[test]
fn by_chance_it_is_that_part_on_average_and_no_guests_exactly() {
    for per_cent in [10, 50, 75] {
        let part = |seed| {
            let holder = Holder::any(seed);
            holder.taken_by_chance(rate(per_cent), !seed).0 as f64 / holder.idle().0 as f64
        };
        let mean = Mean::of(&(0..SEEDS).map(part).collect::<Vec<f64>>());
        assert!(mean.may_be(f64::from(per_cent) / 100.0), "{per_cent} %: {mean:?}");
        assert!(!mean.may_be(f64::from(per_cent + 3) / 100.0), "{per_cent} %: {mean:?}");
        assert!(mean.deviation > 0.0);
    }
}

#[test]
fn what_is_used_is_not_taken() {
    let busy = Holder { pages: Pages(1_000), active: Pages(1_000) };
    assert_eq!(busy.taken_as_fraction(TaxRate::FULL), Ok(Pages::ZERO));
    assert_eq!(busy.taken_by_chance(TaxRate::FULL, 1), Pages::ZERO);
    let idle = Holder { active: Pages(400), ..busy };
    assert_eq!(idle.taken_by_chance(TaxRate::FULL, 1), Pages(600));
    assert_eq!(idle.taken_by_chance(TaxRate::NONE, 1), Pages::ZERO);
}

#[test]
fn a_mean_has_the_interval_of_its_samples() {
    let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(mean.mean, 2.5);
    assert!((mean.deviation - (5.0f64 / 3.0).sqrt()).abs() < 1e-12);
    assert!((mean.half_width - 2.576 * mean.deviation / 2.0).abs() < 1e-12);
}
