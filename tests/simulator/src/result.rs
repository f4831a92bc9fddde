//! What came of a run.

use crate::TICKS_PER_HOUR;

/// Sums over guests and rounds; those of several machines add up.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Pages that were needed, and those of them that were not there.
    pub(crate) needed: u64,
    pub(crate) short: u64,
    /// Rounds of guests, and those in which a guest was short although it had less than its
    /// shares entitle it to.
    pub(crate) rounds: u64,
    pub(crate) violations: u64,
    /// Pages taken from guests; pages of the machines, times rounds.
    pub(crate) taken: u64,
    pub(crate) memory_rounds: u64,
    /// For each guest, the part of its need that it got.
    pub(crate) served: Vec<f64>,
}

impl Score {
    /// Adds another machine's.
    pub fn add(&mut self, other: Score) {
        self.needed += other.needed;
        self.short += other.short;
        self.rounds += other.rounds;
        self.violations += other.violations;
        self.taken += other.taken;
        self.memory_rounds += other.memory_rounds;
        self.served.extend(other.served);
    }

    /// Need that was not met, in per cent of all need.
    pub fn shortage(&self) -> f64 {
        100.0 * self.short as f64 / self.needed.max(1) as f64
    }

    /// Rounds of guests, in per cent, in which entitlement was violated.
    pub fn violations(&self) -> f64 {
        100.0 * self.violations as f64 / self.rounds.max(1) as f64
    }

    /// Memory taken in an hour, in machines' memories.
    pub fn moved(&self) -> f64 {
        (self.taken * TICKS_PER_HOUR) as f64 / self.memory_rounds.max(1) as f64
    }

    /// How equal guests are in what part of their need they got.
    pub fn fairness(&self) -> f64 {
        jain(&self.served)
    }

    /// How many guests there were.
    pub fn guests(&self) -> usize {
        self.served.len()
    }
}

/// Jain's index: 1 when all are equal, 1/n when one has everything.
pub fn jain(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (values.len() as f64 * squares) }
}
