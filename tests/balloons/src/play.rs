//! The play: what each guest needs, round by round, and what one policy makes of it.

use crate::elsewhere::{self, Elsewhere};
use crate::frames::Host;
use crate::paravirtual::{self, Paravirtual};
use crate::unmodified::{self, Unmodified};
use crate::{Moves, Played, Round, Size};
use balloon::activity::{Evidence, GuestStatistics, Part, Refaults, Trust};
use balloon::control::{Member, Order, Patience, Planner, Room, StallDetector};
use balloon::policy::{Bounds, Guest, IdleTax, Pages, Shares, TaxRate, Work};
use balloon::virtio::queues;
use hypercall_abi::DomainId;

/// What both guests have at least and at most.
const fn guest(size: Size) -> (Pages, Pages) {
    (Pages(size.first_spare()), Pages(size.guest()))
}

/// What the third has; at most it would like more than both can spare.
const fn third(size: Size) -> (Pages, Pages) {
    (Pages(size.spare() / 8), Pages(size.spare() / 8 + size.spare() * 9 / 4))
}

/// The machine's memory for guests: what all have at first, the reserve of 6 %, and a few pages that rounding
/// takes.
const fn memory(size: Size) -> u64 {
    (2 * size.guest() + third(size).0.0) * 100 / 94 + 64
}

/// The tax on what is idle. At it a guest that is idle keeps its minimum, whoever needs the rest.
const TAX: u16 = 9_500;

/// Rounds in which nobody needs much, the third does, and it has given back what it took.
const STAGES: [(Stage, usize); 3] = [(Stage::Rest, 2), (Stage::Elsewhere, 4), (Stage::Back, 4)];

/// Who needs memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nobody needs more than it has.
    Rest,
    /// The third.
    Elsewhere,
    /// The two, and it is there.
    Back,
}

/// Nanoseconds of a round.
const ROUND: u64 = 10_000_000_000;

struct Machine {
    size: Size,
    host: Host,
    paravirtual: Paravirtual,
    unmodified: Unmodified,
    third: Elsewhere,
    planner: Planner,
    stalls: [StallDetector; 2],
    stalled: [bool; 2],
}

/// Plays it.
///
/// # Panics
/// When an invariant of the core does not hold, or a frame is lost.
pub fn play(size: Size) -> Played {
    // The model keeps six frames for itself.
    let mut host = Host::with_memory(0, 0, memory(size) + 6);
    let all = guest(size).1;
    for (least, most) in [(all, all), (all, all), third(size)] {
        host.create_contiguous(least.0, most.0).expect("there is room");
    }
    let paravirtual = Paravirtual::new(&host, size);
    let unmodified = Unmodified::new(&mut host, size);
    let mut machine = Machine {
        size,
        planner: Planner::new(Pages(host.free_at_start), Pages(2 * size.spare())),
        host,
        paravirtual,
        unmodified,
        third: Elsewhere::default(),
        stalls: [StallDetector::new(Patience::USUAL); 2],
        stalled: [false; 2],
    };
    machine.host.audit();
    let mut rounds = Vec::new();
    for (stage, count) in STAGES {
        for _ in 0..count {
            machine.round(stage, rounds.len() as u64);
            rounds.push(machine.now());
        }
        machine.host.audit();
    }
    machine.result(rounds)
}

impl Machine {
    fn owned(&self, domain: usize) -> u64 {
        self.host.state.domain(self.host.slots[domain]).frames
    }

    fn now(&self) -> Round {
        let owned = [0, 1, 2].map(|domain| self.owned(domain));
        let free = self.host.state.frames.unowned();
        assert_eq!(owned.iter().sum::<u64>() + free, self.host.free_at_start, "no frame is lost");
        assert_eq!(self.unmodified.device.owned(), Pages(owned[unmodified::DOMAIN]));
        Round { owned, free }
    }

    /// One round.
    fn round(&mut self, stage: Stage, round: u64) {
        let (guest, third) = (guest(self.size), third(self.size));
        let (measured, needed) = match stage {
            Stage::Back => (Part::ALL, guest.1),
            _ => (Part::per_cent(10), Pages(guest.1.0 / 10)),
        };
        if stage == Stage::Back {
            self.third.shrink(&mut self.host);
        }
        self.unmodified.tell(&mut self.host, round * ROUND, needed);
        let told = [
            Some(GuestStatistics { needed, ..GuestStatistics::default() }),
            self.unmodified.device.statistics(),
        ];
        let mut members = Vec::new();
        for (domain, told) in told.into_iter().enumerate() {
            let allocated = Pages(self.owned(domain));
            let seen_refaults = Refaults::default();
            let evidence = Evidence { allocated, measured, seen_refaults, told };
            let active = evidence.active(Trust::USUAL);
            // Virtio's statistics cannot say that a guest needs more than it has: both ask.
            let wanted = active.max(needed);
            members.push(member(guest, active, wanted, allocated, self.stalls[domain]));
        }
        let needs = stage == Stage::Elsewhere;
        let (active, wanted) = if needs { (third.1, third.1) } else { (Pages(1), third.0) };
        let allocated = Pages(self.owned(elsewhere::DOMAIN));
        members.push(member(third, active, wanted, allocated, StallDetector::new(Patience::USUAL)));
        let orders = plan(&mut self.planner, &members);
        for (domain, order) in orders.into_iter().enumerate() {
            self.carry_out(domain, order);
        }
    }

    fn carry_out(&mut self, domain: usize, order: Order) {
        let owned = self.owned(domain);
        let (pages, target) = match order {
            Order::Keep => return,
            Order::Grow(pages) => (Pages::ZERO, owned + pages.0),
            Order::Shrink(pages) | Order::Force { pages, .. } => (pages, owned - pages.0),
        };
        match domain {
            paravirtual::DOMAIN => {
                let id = DomainId(domain as u16 + 1);
                let set = self.host.state.set_target(&mut self.host.machine, id, target);
                set.expect("the domain is there");
                self.paravirtual.follow(&mut self.host);
            }
            unmodified::DOMAIN => {
                self.unmodified.set_target(Pages(target));
                self.unmodified.follow(&mut self.host);
            }
            _ => return self.third.grow(&mut self.host, target.saturating_sub(owned)),
        }
        let gave = Pages(owned).saturating_sub(Pages(self.owned(domain)));
        self.stalls[domain].observe(pages, gave);
        self.stalled[domain] |= self.stalls[domain].is_stalled();
    }

    fn result(self, rounds: Vec<Round>) -> Played {
        let ours = self.paravirtual.statistics();
        let theirs = self.unmodified.device.counters();
        Played {
            rounds,
            paravirtual: Moves {
                taken: ours.inflated,
                given: ours.deflated,
                to_take: ours.inflate_calls,
                to_give: ours.deflate_calls,
                page_tables: self.paravirtual.page_table_calls(),
                stalled: self.stalled[paravirtual::DOMAIN],
            },
            unmodified: Moves {
                taken: theirs.taken,
                given: theirs.given,
                to_take: theirs.kicks[usize::from(queues::INFLATE)],
                to_give: theirs.kicks[usize::from(queues::DEFLATE)],
                page_tables: self.unmodified.page_table_calls(),
                stalled: self.stalled[unmodified::DOMAIN],
            },
            turns: [STAGES[0].1, STAGES[0].1 + STAGES[1].1],
        }
    }
}

fn member(
    (least, most): (Pages, Pages),
    active: Pages,
    wanted: Pages,
    allocated: Pages,
    stall: StallDetector,
) -> Member {
    let bounds = Bounds::new(least, most).expect("ordered");
    let guest = Guest { bounds, shares: Shares::ONE, tax: None, active };
    Member { guest, allocated, wanted, protected: false, stalled: stall.is_stalled() }
}

fn plan(planner: &mut Planner, members: &[Member]) -> Vec<Order> {
    let mut guests: Vec<Guest> = members.iter().map(|member| member.guest).collect();
    let mut work = vec![Work::EMPTY; Work::needed(members.len())];
    let mut targets = vec![Pages::ZERO; members.len()];
    let mut orders = vec![Order::Keep; members.len()];
    let mut room =
        Room { guests: &mut guests, work: &mut work, targets: &mut targets, orders: &mut orders };
    let tax = TaxRate::new(TAX).expect("not above the whole");
    planner.plan(&IdleTax(tax), members, &mut room).expect("the minimums fit");
    orders
}
