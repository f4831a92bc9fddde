//! Orders on random machines: none takes what may not be taken, none gives what is not there, and
//! following them ends.

use balloon::control::{Member, MemoryState, Order, Outlook, Planner, Reclaim, Room, Thresholds};
use balloon::policy::{
    AllocationPolicy, Bounds, Guest, IdleTax, MaxMin, Pages, PureShare, Shares, Static, TaxRate,
    Work, WorkingSet,
};
use proptest::prelude::*;

const MEMORY: Pages = Pages(10_000);

fn round(
    planner: &mut Planner,
    policy: &dyn AllocationPolicy,
    members: &[Member],
) -> (Outlook, Vec<Pages>, Vec<Order>) {
    let mut guests: Vec<Guest> = members.iter().map(|member| member.guest).collect();
    let mut work = vec![Work::EMPTY; Work::needed(members.len())];
    let mut targets = vec![Pages::ZERO; members.len()];
    let mut orders = vec![Order::Keep; members.len()];
    let mut room =
        Room { guests: &mut guests, work: &mut work, targets: &mut targets, orders: &mut orders };
    let outlook = planner.plan(policy, members, &mut room).expect("a machine that admitted them");
    (outlook, targets, orders)
}

/// Carries orders out; the pages that were taken from anybody.
fn follow(members: &mut [Member], orders: &[Order]) -> u64 {
    let mut taken = 0;
    for (member, order) in members.iter_mut().zip(orders) {
        match *order {
            Order::Keep => {}
            Order::Grow(pages) => member.allocated += pages,
            Order::Shrink(pages) if member.stalled => {
                panic!("a balloon that does not move was asked for {pages}")
            }
            Order::Shrink(pages) | Order::Force { pages, .. } => {
                member.allocated -= pages;
                taken += pages.0;
            }
        }
    }
    taken
}

prop_compose! {
    fn member()(
        minimum in 0..600u64,
        above in 0..2_000u64,
        has in 0..=1_000u64,
        wants in 0..=1_200u64,
        active in 0..=1_000u64,
        weight in 1..9u32,
        protected in prop::bool::weighted(0.2),
        stalled in prop::bool::weighted(0.2),
    ) -> Member {
        let bounds = Bounds::new(Pages(minimum), Pages(minimum + above)).expect("ordered");
        Member {
            guest: Guest {
                bounds,
                shares: Shares::new(weight).expect("not none"),
                tax: None,
                active: Pages((minimum + above) * active / 1_000),
            },
            allocated: Pages(minimum + above * has / 1_000),
            wanted: Pages((minimum + above) * wants / 1_000),
            protected,
            stalled,
        }
    }
}

/// Members that have no more than there is, as frames cannot be had twice, and whose minimums were
/// admitted.
fn members() -> impl Strategy<Value = Vec<Member>> {
    prop::collection::vec(member(), 1..14).prop_map(|mut members| {
        let sum = |members: &[Member]| -> u64 { members.iter().map(|m| m.allocated.0).sum() };
        while sum(&members) > MEMORY.0 {
            let member =
                members.iter_mut().max_by_key(|member| member.allocated).expect("there are some");
            member.allocated = Pages(member.allocated.0 / 2).max(member.guest.bounds.minimum());
        }
        members
    })
}

const POLICIES: [&dyn AllocationPolicy; 4] =
    [&PureShare, &IdleTax(TaxRate::ESX), &WorkingSet, &MaxMin];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_takes_what_may_not_be_taken(
        members in members(),
        policy in 0..POLICIES.len(),
        step in 1..2_000u64,
    ) {
        let mut planner = Planner::new(MEMORY, Pages(step));
        let (outlook, targets, orders) = round(&mut planner, POLICIES[policy], &members);
        let mut grown = Pages::ZERO;
        for ((member, order), target) in members.iter().zip(&orders).zip(&targets) {
            match *order {
                Order::Keep => {}
                Order::Grow(pages) => {
                    grown += pages;
                    prop_assert!(member.allocated + pages <= *target);
                    prop_assert!(*target <= member.guest.bounds.maximum());
                }
                Order::Shrink(pages) | Order::Force { pages, .. } => {
                    prop_assert!(!member.protected || outlook.overruled, "under pressure");
                    prop_assert!(
                        member.allocated - pages >= member.guest.bounds.minimum(),
                        "below its minimum"
                    );
                    prop_assert!(pages.0 <= step, "more than one round's");
                    prop_assert!(outlook.state != MemoryState::High, "while there is enough");
                }
            }
            let forced = matches!(order, Order::Force { .. });
            let hard = outlook.state <= MemoryState::Hard;
            prop_assert!(!forced || hard || member.stalled, "by force, without need");
            let blocked = matches!(order, Order::Force { blocked: true, .. });
            prop_assert_eq!(blocked, forced && outlook.state == MemoryState::Low);
            prop_assert!(!blocked || member.allocated > *target, "not above its target");
        }
        let last = Thresholds::ESX.last_frames(MEMORY);
        prop_assert!(grown == Pages::ZERO || grown + last <= outlook.free, "frames that are not free");
    }

    #[test]
    fn nobody_shrinks_while_what_all_have_and_need_fits(members in members(), policy in 0..POLICIES.len()) {
        let mut planner = Planner::new(MEMORY, MEMORY);
        let need: Pages = members
            .iter()
            .map(|member| {
                let bounds = member.guest.bounds;
                member.allocated.max(member.wanted).clamp(bounds.minimum(), bounds.maximum())
            })
            .sum();
        let (_, targets, _) = round(&mut planner, POLICIES[policy], &members);
        let shrinks = members.iter().zip(&targets).any(|(member, target)| *target < member.allocated);
        prop_assert!(!shrinks || need > planner.budget());
    }

    #[test]
    fn following_orders_ends_and_leaves_the_reserve_free(
        members in members(),
        policy in 0..POLICIES.len(),
        step in 50..2_000u64,
    ) {
        let mut members: Vec<Member> =
            members.into_iter().map(|member| Member { protected: false, ..member }).collect();
        let mut planner = Planner::new(MEMORY, Pages(step));
        let mut rounds = 0;
        loop {
            let (outlook, _, orders) = round(&mut planner, POLICIES[policy], &members);
            if orders.iter().all(|order| *order == Order::Keep) {
                prop_assert_eq!(outlook.state, MemoryState::High);
                break;
            }
            follow(&mut members, &orders);
            let allocated: Pages = members.iter().map(|member| member.allocated).sum();
            prop_assert!(allocated <= MEMORY, "frames were given twice");
            rounds += 1;
            prop_assert!(rounds < 2_000, "orders go on for ever: {:?}", orders);
        }
    }
}

fn busy_and_idle() -> Vec<Member> {
    let bounds = Bounds::new(Pages(500), Pages(8_000)).expect("ordered");
    let of = |active, allocated, wanted| Member {
        guest: Guest { bounds, shares: Shares::ONE, tax: None, active: Pages(active) },
        allocated: Pages(allocated),
        wanted: Pages(wanted),
        protected: false,
        stalled: false,
    };
    vec![of(500, 6_000, 500), of(3_000, 3_000, 4_000)]
}

/// The rounds' states and what moved until nothing does.
fn run(planner: &mut Planner, members: &mut [Member]) -> (Vec<MemoryState>, u64) {
    let (mut states, mut taken) = (Vec::new(), 0);
    for _ in 0..100 {
        let (outlook, _, orders) = round(planner, &IdleTax(TaxRate::ESX), members);
        states.push(outlook.state);
        taken += follow(members, &orders);
    }
    (states, taken)
}

#[test]
fn lazy_takes_what_is_needed_now_and_eager_takes_all_that_is_owed() {
    let mut members = busy_and_idle();
    let (states, lazy) = run(&mut Planner::new(MEMORY, MEMORY), &mut members);
    assert_eq!(members[1].allocated, Pages(4_000), "what it wants");
    assert!(states.contains(&MemoryState::Soft) && states.ends_with(&[MemoryState::High; 90]));
    let mut members = busy_and_idle();
    let mut planner = Planner::new(MEMORY, MEMORY).with_reclaim(Reclaim::Eager);
    let (_, eager) = run(&mut planner, &mut members);
    assert!(lazy * 2 < eager, "{lazy} and {eager} pages");
}

#[test]
fn a_protected_guest_keeps_all_and_a_stalled_one_is_forced() {
    let mut members = busy_and_idle();
    members[0].protected = true;
    run(&mut Planner::new(MEMORY, MEMORY), &mut members);
    assert_eq!(members[0].allocated, Pages(6_000));
    let mut members = busy_and_idle();
    members[0].stalled = true;
    run(&mut Planner::new(MEMORY, MEMORY), &mut members);
    assert_eq!(members[1].allocated, Pages(4_000), "a dead balloon starves nobody");
}

#[test]
fn the_minimum_of_one_outranks_the_protection_of_another() {
    let mut members = busy_and_idle();
    members[0].protected = true;
    members[0].allocated = Pages(8_000);
    members[1].allocated = Pages(1_900);
    members[1].guest.bounds = Bounds::new(Pages(2_100), Pages(4_000)).expect("ordered");
    let mut planner = Planner::new(MEMORY, MEMORY);
    let (outlook, _, orders) = round(&mut planner, &PureShare, &members);
    assert!(outlook.overruled);
    assert!(matches!(orders[0], Order::Force { .. }), "{orders:?}");
}

#[test]
fn what_a_guest_wants_now_does_not_count_as_its_size() {
    let mut members = busy_and_idle();
    for (member, maximum) in members.iter_mut().zip([8_000, 4_000]) {
        member.guest.bounds = Bounds::new(Pages(500), Pages(maximum)).expect("ordered");
        member.allocated = Pages(500);
        member.wanted = Pages(maximum);
    }
    let mut planner = Planner::new(MEMORY, MEMORY);
    let (_, all, _) = round(&mut planner, &Static, &members);
    assert!(all[0].0.abs_diff(all[1].0 * 2) <= 2, "in proportion to size: {all:?}");
    members[0].wanted = Pages(6_500);
    let (_, less, _) = round(&mut planner, &Static, &members);
    assert_eq!(less, all, "it wants more than its part still");
}
