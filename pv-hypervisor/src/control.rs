//! The memory controller: each round it builds a view of the machine, has the planner decide, and
//! sets targets. It decides nothing itself.
//!
//! What a guest uses is measured: of each, [`SAMPLE_PAGES`] frames are watched by their accessed
//! bits, over [`WATCH_ROUNDS`] rounds. What it says of itself is a hint, weighed by
//! [`Evidence`].

use crate::arch::Platform;
use crate::machine::Hardware;
use crate::options::Policy;
use crate::report;
use alloc::vec::Vec;
use balloon::activity::{
    Averages, Evidence, GuestStatistics, Part, Pressure, Refaults, SAMPLE_PAGES, Sampler, Stall,
    Trust,
};
use balloon::control::{
    Backoff, Member, Order, Patience, Planner, Protection, Room, StallDetector, Tick,
};
use balloon::policy::{Bounds, Guest, Pages, Shares, Work};
use hypercall_abi::balloon_statistics::{BalloonStatistics, WHOLE};
use hypercall_abi::{DomainId, Mfn};
use pv_core::frame::Frame;
use pv_core::sweep::{Phase, Sweep, Watched};
use pv_core::{Machine as _, State};
use pv_wire::{MemorySample, Owners};

/// Rounds between the two looks at accessed bits.
const WATCH_ROUNDS: u64 = 4;

/// Rounds from one look at who owns what to the next, and frames that are looked at.
const OWNER_ROUNDS: u64 = 8;
const OWNER_SAMPLES: u64 = 2048;

/// What was promised to a domain when it was admitted.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Who it is.
    pub domain: DomainId,
    /// Pages that no policy takes from it.
    pub minimum: u64,
    /// Its shares.
    pub shares: u32,
    /// Frames that are left to it in any case: what it has beyond is taken by force.
    pub limit: Option<u64>,
}

/// What is known of one domain.
struct Known {
    claim: Claim,
    sampler: Sampler,
    protection: Protection,
    stall: StallDetector,
    /// Pages that it was asked for in the last round, and had then, in a frame of its own or not.
    asked: (u64, u64),
    shortages: u64,
}

/// The controller.
pub struct Controller {
    policy: Policy,
    planner: Planner,
    known: Vec<Known>,
    sweep: Option<Sweep>,
    /// Rounds so far, and when the next is due.
    rounds: u64,
    next: u64,
    period: u64,
    watched_since: u64,
    looks: u32,
    ticks_per_millisecond: u64,
    /// Whether memory may be taken by force.
    forces: bool,
}

impl Controller {
    /// A controller of a machine of so many frames; `forces`: it may take memory by force.
    pub fn new(
        policy: Policy,
        frames: u64,
        claims: &[Claim],
        round_ms: u64,
        ticks_per_second: u64,
        seed: u64,
        forces: bool,
    ) -> Controller {
        let ticks_per_millisecond = ticks_per_second / 1000;
        let known = claims.iter().map(|claim| Known {
            claim: *claim,
            sampler: Sampler::new(
                Averages::beginning_with(Part::ALL),
                seed ^ u64::from(claim.domain.0) << 32,
            ),
            protection: Protection::new(Backoff { first: 10, longest: 60 }),
            stall: StallDetector::new(Patience { ticks: 5, ..Patience::USUAL }),
            asked: (0, 0),
            shortages: 0,
        });
        Controller {
            policy,
            planner: Planner::new(Pages(frames), Pages(frames / 16)),
            known: known.collect(),
            sweep: None,
            rounds: 0,
            next: 0,
            period: round_ms * ticks_per_millisecond,
            watched_since: 0,
            looks: 0,
            ticks_per_millisecond,
            forces,
        }
    }

    /// Does a bounded piece of the sample; whether there is more to do now.
    pub fn step(&mut self, state: &mut State<Platform>, machine: &mut Hardware) -> bool {
        self.sweep.as_mut().is_some_and(|sweep| state.sweep(machine, sweep))
    }

    /// A round, if one is due.
    pub fn round(&mut self, state: &mut State<Platform>, machine: &mut Hardware) {
        let now = machine.now();
        if now < self.next {
            return;
        }
        self.next = now.saturating_add(self.period);
        self.rounds += 1;
        self.sample(state);
        self.plan(state, machine, now);
        if self.rounds % OWNER_ROUNDS == 1 {
            self.look_at_owners(state);
        }
    }

    /// Begins a sample, ends one, or lets it go on.
    fn sample(&mut self, state: &State<Platform>) {
        match self.sweep.as_mut().map(|sweep| (sweep.phase(), sweep)) {
            Some((Phase::Watching, sweep)) => {
                if self.watched_since == 0 {
                    self.watched_since = self.rounds;
                }
                if self.rounds - self.watched_since >= WATCH_ROUNDS {
                    sweep.look();
                }
            }
            Some((Phase::Over, _)) => self.take_sample(),
            Some(_) => {}
            None => {
                self.watched_since = 0;
                let mut watched = Vec::new();
                for known in &mut self.known {
                    let Some(domain) = state.domain_of(known.claim.domain) else { continue };
                    while let Some(picked) = known.sampler.pick(Pages(domain.frames)) {
                        watched.push(Watched::new(domain.id, picked.0.0));
                    }
                }
                self.sweep = Sweep::new(watched);
            }
        }
    }

    fn take_sample(&mut self) {
        let Some(sweep) = self.sweep.take() else { return };
        for known in &mut self.known {
            let of = sweep.watched().iter().filter(|one| one.domain == known.claim.domain);
            of.filter(|one| one.touched).for_each(|_| known.sampler.touched());
            known.sampler.end_period();
        }
        debug_assert!(sweep.watched().len() <= SAMPLE_PAGES as usize * self.known.len());
    }

    fn plan(&mut self, state: &mut State<Platform>, machine: &mut Hardware, now: u64) {
        let tick = Tick(self.rounds);
        let mut ids = Vec::new();
        let mut members = Vec::new();
        for known in &mut self.known {
            let Some(domain) = state.domain_of(known.claim.domain) else { continue };
            if domain.is_running()
                && let Some(member) = known.member(domain, tick)
            {
                ids.push(domain.id);
                members.push(member);
            }
        }
        let owned: u64 = members.iter().map(|member| member.allocated.0).sum();
        // What domains that end still have is nobody's to plan with.
        self.planner.memory = Pages(owned + state.frames.unowned());
        let count = members.len();
        let mut guests: Vec<Guest> = members.iter().map(|member| member.guest).collect();
        let mut work = alloc::vec![Work::EMPTY; Work::needed(count)];
        let mut targets = alloc::vec![Pages::ZERO; count];
        let mut orders = alloc::vec![Order::Keep; count];
        let mut room = Room {
            guests: &mut guests,
            work: &mut work,
            targets: &mut targets,
            orders: &mut orders,
        };
        let planner = &mut self.planner;
        let planned = self.policy.with(|policy| planner.plan(policy, &members, &mut room));
        if planned.is_err() {
            // The minimums do not fit what is left: nothing is asked of anybody.
            orders.fill(Order::Keep);
        }
        for ((id, member), order) in ids.iter().zip(&members).zip(&orders) {
            let has = member.allocated.0;
            // What it has reported as free is its own to take back.
            let (reported, backed) = state
                .domain_of(*id)
                .map_or((0, 0), |domain| (domain.balloon.reported_frames, domain.backed_pages()));
            let entitled = has + reported;
            let known = self.known.iter_mut().find(|known| known.claim.domain == *id);
            let Some(known) = known else { continue };
            let target = match *order {
                Order::Keep if member.protected => Some(entitled),
                Order::Keep => None,
                Order::Grow(pages) => Some(entitled + pages.0),
                Order::Shrink(pages) | Order::Force { pages, .. } => {
                    Some(entitled.saturating_sub(pages.0))
                }
            };
            // What one that has stalled was asked for is taken; that it has been told stays so.
            let forced = matches!(order, Order::Force { .. }).then_some(target).flatten();
            if self.forces {
                let _ = state.set_forced_limit(*id, forced.or(known.claim.limit));
            }
            known.asked = (target.map_or(0, |target| entitled.saturating_sub(target)), backed);
            if let Some(target) = target {
                // It ran a moment ago.
                let _ = state.set_target(machine, *id, target);
            }
        }
        for (id, member) in ids.iter().zip(&members) {
            let Some(domain) = state.domain_of(*id) else { continue };
            report::memory(MemorySample {
                id: id.0,
                at_ms: now / self.ticks_per_millisecond,
                owned: domain.frames,
                target: domain.balloon.target_frames,
                active: member.guest.active.0,
                reported: domain.balloon.reported_frames,
                needed: domain.balloon.told.map_or(0, |told| told.needed),
                shortages: domain.balloon.told.map_or(0, |told| told.shortages),
                told: domain.balloon.told.map_or(0, |told| told.generation),
                free: state.frames.unowned(),
            });
        }
    }

    /// Reports who owns a sample of frames.
    fn look_at_owners(&mut self, state: &State<Platform>) {
        let (base, frames) = (state.frames.base(), state.frames.len() as u64);
        let mut owners =
            Owners { look: self.looks, samples: OWNER_SAMPLES as u32, ..Owners::default() };
        for sample in 0..OWNER_SAMPLES {
            let frame = Mfn(base.0 + sample * frames / OWNER_SAMPLES);
            let owner = match state.frames.get(frame) {
                Ok(Frame::Owned(owned)) => (owned.owner.0 as u8).clamp(1, 254),
                Ok(Frame::Free { .. } | Frame::Dirty { .. } | Frame::Spare { .. }) => 0,
                _ => u8::MAX,
            };
            if owners.owners.push(owner).is_err() {
                report::owners(&owners);
                owners.first = sample as u32;
                owners.owners.clear();
                let _ = owners.owners.push(owner);
            }
        }
        report::owners(&owners);
        self.looks += 1;
    }
}

impl Known {
    fn member(&mut self, domain: &pv_core::domain::Domain, tick: Tick) -> Option<Member> {
        let minimum = self.claim.minimum.min(domain.max_frames);
        let bounds = Bounds::new(Pages(minimum), Pages(domain.max_frames)).ok()?;
        let told = domain.balloon.told;
        let evidence = Evidence {
            allocated: Pages(domain.frames),
            measured: self.sampler.estimate(),
            // The guests have no device that the hypervisor serves.
            seen_refaults: Refaults(0),
            told: told.map(statistics),
        };
        let active = evidence.active(Trust::USUAL);
        let shortages = told.map_or(0, |told| told.shortages);
        if evidence.is_under_pressure(Trust::USUAL) || shortages > self.shortages {
            self.protection.on_pressure(tick);
        }
        self.shortages = shortages;
        // What was taken by force, or is shared, it has not given.
        let (asked, had) = self.asked;
        self.stall.observe(Pages(asked), Pages(had.saturating_sub(domain.backed_pages())));
        // A kernel that says nothing wants what it has.
        let wanted = told.map_or(domain.frames, |told| {
            let room = told.needed / 4 + 2048;
            told.needed.saturating_add(room).min(domain.max_frames)
        });
        Some(Member {
            guest: Guest { bounds, shares: Shares::new(self.claim.shares)?, tax: None, active },
            allocated: Pages(domain.frames),
            wanted: Pages(wanted).max(active),
            protected: self.protection.is_on(tick),
            stalled: self.stall.is_stalled(),
        })
    }
}

/// A guest's record as the policies see it.
fn statistics(told: BalloonStatistics) -> GuestStatistics {
    let part = |part: u16| Part::of(part.into(), WHOLE.into());
    GuestStatistics {
        free: Pages(told.free),
        available: Pages(told.available),
        cache: Pages(told.cache),
        needed: Pages(told.needed),
        refaults: Refaults(u32::try_from(told.refaults).unwrap_or(u32::MAX)),
        pressure: Pressure {
            some: Stall {
                over_10_s: part(told.some_over_10_s),
                over_60_s: part(told.some_over_60_s),
            },
            full: Stall {
                over_10_s: part(told.full_over_10_s),
                over_60_s: part(told.full_over_60_s),
            },
        },
    }
}
