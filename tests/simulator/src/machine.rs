//! One machine and its guests.

use crate::result::Score;
use crate::trace::{Kind, Trace};
use balloon::activity::{
    Averages, Evidence, Part, PickedPage, Refaults, SAMPLE_PAGES, Sampler, Trust,
};
use balloon::control::{Backoff, Member, Order, Planner, Protection, Reclaim, Room, Tick};
use balloon::policy::{AllocationPolicy, Bounds, Guest, Host, Pages, PureShare, Shares, Work};
use fastrand::Rng;

/// What the controller knows of a guest's need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knowledge {
    /// What the sampler saw.
    Sampled,
    /// The truth, which nobody has: a bound.
    True,
}

/// How a machine is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// What is known.
    pub knowledge: Knowledge,
    /// When memory is taken.
    pub reclaim: Reclaim,
    /// Whether guests under pressure are left alone.
    pub protects: bool,
}

/// How large a machine and how full it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MachineSize {
    /// Its memory.
    pub memory: Pages,
    /// The least and the largest guest.
    pub guests: (Pages, Pages),
    /// The sum of all maximums is that part of the memory, in hundredths.
    pub overcommit: u64,
}

impl MachineSize {
    /// 256 GiB with guests of 4 to 32 GiB.
    pub const fn usual(overcommit: u64) -> MachineSize {
        MachineSize {
            memory: Pages::from_mib(256 << 10),
            guests: (Pages::from_mib(4 << 10), Pages::from_mib(32 << 10)),
            overcommit,
        }
    }
}

/// Rounds of a sampling period: 30 seconds.
const PERIOD: u64 = 3;

/// Of a guest's memory what is promised: a quarter.
const PROMISED: u64 = 4;

/// What a balloon gives in one round at most: a gibibyte.
const STEP: Pages = Pages::from_mib(1024);

struct Tenant {
    trace: Trace,
    guest: Guest,
    allocated: Pages,
    sampler: Sampler,
    protection: Protection,
    need: Pages,
    entitled: Pages,
    needed: u64,
    got: u64,
    /// It was short in the round before, by so many pages.
    short: Pages,
}

/// A machine at work.
pub struct Machine {
    planner: Planner,
    tenants: Vec<Tenant>,
    sight: Sight,
    tick: u64,
    score: Score,
}

impl Machine {
    /// A machine with guests of all kinds, each with its minimum as at boot. Shares are in
    /// proportion to size.
    pub fn new(size: MachineSize, sight: Sight, seed: u64) -> Machine {
        let mut random = Rng::with_seed(seed);
        let mut tenants = Vec::new();
        let mut left = size.memory.0 * size.overcommit / 100;
        while left >= size.guests.0.0 {
            let pages = Pages(random.u64(size.guests.0.0..=size.guests.1.0.min(left)));
            left -= pages.0;
            let kind = Kind::ALL[tenants.len() % Kind::ALL.len()];
            let (trace, sampler) = (random.u64(..), random.u64(..));
            tenants.push(Tenant::new(Trace::new(kind, pages, trace), pages, sampler));
        }
        let planner = Planner::new(size.memory, STEP).with_reclaim(sight.reclaim);
        let guests: Vec<Guest> = tenants.iter().map(|tenant| tenant.guest).collect();
        let mut entitled = vec![Pages::ZERO; guests.len()];
        let mut work = vec![Work::EMPTY; Work::needed(guests.len())];
        let host =
            Host::new(planner.budget(), &guests).expect("minimums are a quarter of maximums");
        PureShare.targets(&host, &mut work, &mut entitled).expect("there is room");
        for (tenant, entitled) in tenants.iter_mut().zip(entitled) {
            tenant.entitled = entitled;
        }
        Machine { planner, tenants, sight, tick: 0, score: Score::default() }
    }

    /// What each guest has, with the kind of its need.
    pub fn allocations(&self) -> impl Iterator<Item = (Kind, Pages)> {
        self.tenants.iter().map(|tenant| (tenant.trace.kind(), tenant.allocated))
    }

    /// The memory of the machine.
    pub const fn memory(&self) -> Pages {
        self.planner.memory
    }

    /// One round: needs change, orders are given, growth is there at once, what balloons give is
    /// free in the next.
    pub fn round(&mut self, policy: &dyn AllocationPolicy) {
        self.tick += 1;
        let now = Tick(self.tick);
        let ends = self.tick.is_multiple_of(PERIOD);
        let sight = self.sight;
        let members: Vec<Member> =
            self.tenants.iter_mut().map(|tenant| tenant.member(sight, now, ends)).collect();
        let count = members.len();
        let mut guests: Vec<Guest> = members.iter().map(|member| member.guest).collect();
        let mut work = vec![Work::EMPTY; Work::needed(count)];
        let mut targets = vec![Pages::ZERO; count];
        let mut orders = vec![Order::Keep; count];
        let mut room = Room {
            guests: &mut guests,
            work: &mut work,
            targets: &mut targets,
            orders: &mut orders,
        };
        self.planner.plan(policy, &members, &mut room).expect("minimums were admitted");
        for (tenant, order) in self.tenants.iter_mut().zip(orders) {
            match order {
                Order::Keep => {}
                Order::Grow(pages) => tenant.allocated += pages,
                Order::Shrink(pages) | Order::Force { pages, .. } => {
                    tenant.allocated -= pages;
                    self.score.taken += pages.0;
                }
            }
            tenant.live(&mut self.score);
        }
        let allocated: Pages = self.tenants.iter().map(|tenant| tenant.allocated).sum();
        assert!(allocated <= self.planner.memory, "frames were given twice");
        self.score.memory_rounds += self.planner.memory.0;
    }

    /// What came of it.
    pub fn score(self) -> Score {
        let mut score = self.score;
        score.served = self
            .tenants
            .iter()
            .map(|tenant| tenant.got as f64 / tenant.needed.max(1) as f64)
            .collect();
        score
    }
}

impl Tenant {
    fn new(trace: Trace, size: Pages, seed: u64) -> Tenant {
        let minimum = Pages(size.0 / PROMISED);
        let guest = Guest {
            bounds: Bounds::new(minimum, size).expect("a part"),
            shares: Shares::one_per_page(size),
            tax: None,
            active: minimum,
        };
        Tenant {
            trace,
            guest,
            allocated: minimum,
            sampler: Sampler::new(Averages::beginning_with(Part::ALL), seed),
            protection: Protection::new(Backoff::USUAL),
            need: Pages::ZERO,
            entitled: Pages::ZERO,
            needed: 0,
            got: 0,
            short: Pages::ZERO,
        }
    }

    /// The guest's next round begins: what is seen of it.
    fn member(&mut self, sight: Sight, now: Tick, ends: bool) -> Member {
        self.need = self.trace.next_need();
        let used = self.need.min(self.allocated);
        let per_round = SAMPLE_PAGES / PERIOD as u32 + 1;
        for _ in 0..per_round {
            let Some(PickedPage(page)) = self.sampler.pick(self.allocated) else { break };
            if page.0 < used.0 {
                self.sampler.touched();
            }
        }
        let measured = self.sampler.estimate();
        if ends {
            self.sampler.end_period();
        }
        // What a guest lacks it reads again, from devices that the host serves.
        let refaults = u32::try_from(self.short.0).unwrap_or(u32::MAX);
        let evidence = Evidence {
            allocated: self.allocated,
            measured,
            seen_refaults: Refaults(refaults),
            told: None,
        };
        if sight.protects && evidence.is_under_pressure(Trust::USUAL) {
            self.protection.on_pressure(now);
        }
        // A guest that has too little asks for what it lacks: that is wanted, not active. What
        // it may have of it is the policy's to say, by what was measured.
        let (active, wanted) = match sight.knowledge {
            Knowledge::True => (self.need, self.need),
            Knowledge::Sampled => {
                let active = evidence.active(Trust::USUAL);
                (active, active.max(self.need))
            }
        };
        Member {
            guest: Guest { active, ..self.guest },
            allocated: self.allocated,
            wanted,
            protected: self.protection.is_on(now),
            stalled: false,
        }
    }

    /// The guest works with what it has.
    fn live(&mut self, score: &mut Score) {
        let got = self.need.min(self.allocated);
        self.short = self.need - got;
        self.needed += self.need.0;
        self.got += got.0;
        score.needed += self.need.0;
        score.short += self.short.0;
        score.rounds += 1;
        if self.short > Pages::ZERO && self.allocated < self.entitled {
            score.violations += 1;
        }
    }
}
