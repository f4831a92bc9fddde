//! Many machines.

use crate::TICKS_PER_HOUR;
use crate::machine::{Knowledge, Machine, MachineSize, Sight};
use crate::result::Score;
use balloon::control::Reclaim;
use balloon::policy::{AllocationPolicy, IdleTax, MaxMin, PureShare, Static, TaxRate, WorkingSet};

/// A policy, and how it is carried out.
pub struct Scheme {
    /// Its name in tables.
    pub name: String,
    /// The policy.
    pub policy: Box<dyn AllocationPolicy>,
    /// What it sees and when it takes memory.
    pub sight: Sight,
}

impl Scheme {
    /// A policy as it is meant: sampled and lazy.
    pub fn lazy(name: impl Into<String>, policy: impl AllocationPolicy + 'static) -> Scheme {
        let sight =
            Sight { knowledge: Knowledge::Sampled, reclaim: Reclaim::Lazy, protects: false };
        Scheme { name: name.into(), policy: Box::new(policy), sight }
    }

    /// A policy that gives everyone its part at once, needed or not: as the targets do not depend on
    /// what is used, nothing ever moves.
    fn fixed(name: &str, policy: impl AllocationPolicy + 'static) -> Scheme {
        let scheme = Scheme::lazy(name, policy);
        Scheme { sight: Sight { reclaim: Reclaim::Eager, ..scheme.sight }, ..scheme }
    }

    /// The idle tax at so many per cent.
    pub fn tax(per_cent: u16) -> Scheme {
        let rate = TaxRate::new(per_cent * 100).unwrap_or(TaxRate::FULL);
        Scheme::lazy(format!("tax {per_cent} %"), IdleTax(rate))
    }

    fn seen(mut self, name: &str, change: impl FnOnce(&mut Sight)) -> Scheme {
        change(&mut self.sight);
        Scheme { name: format!("{}, {name}", self.name), ..self }
    }

    /// All that are compared.
    pub fn all() -> Vec<Scheme> {
        let mut all = vec![
            Scheme::fixed("static", Static),
            Scheme::lazy("pure share", PureShare),
            Scheme::lazy("max-min", MaxMin),
        ];
        all.extend([25, 50, 75, 90].map(Scheme::tax));
        all.push(Scheme::tax(75).seen("eager", |sight| sight.reclaim = Reclaim::Eager));
        all.push(Scheme::tax(75).seen("protecting", |sight| sight.protects = true));
        all.push(Scheme::lazy("working set", WorkingSet));
        all.push(
            Scheme::lazy("working set", WorkingSet)
                .seen("eager", |sight| sight.reclaim = Reclaim::Eager),
        );
        all.push(
            Scheme::lazy("working set", WorkingSet)
                .seen("true need", |sight| sight.knowledge = Knowledge::True),
        );
        all
    }
}

/// Machines that differ in their seed alone.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fleet {
    /// How many.
    pub machines: u64,
    /// How large each is.
    pub size: MachineSize,
    /// Rounds.
    pub ticks: u64,
    /// The first machine's seed.
    pub seed: u64,
}

impl Fleet {
    /// So many usual machines for an hour.
    pub const fn usual(machines: u64, overcommit: u64) -> Fleet {
        Fleet { machines, size: MachineSize::usual(overcommit), ticks: TICKS_PER_HOUR, seed: 1 }
    }

    /// Runs all of them.
    pub fn run(&self, scheme: &Scheme) -> Score {
        let mut score = Score::default();
        for seed in self.seed..self.seed + self.machines {
            let mut machine = Machine::new(self.size, scheme.sight, seed);
            for _ in 0..self.ticks {
                machine.round(&*scheme.policy);
            }
            score.add(machine.score());
        }
        score
    }
}
