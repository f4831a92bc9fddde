//! The two moving averages, and the greatest of three.

use super::Part;

/// How much of the difference an average takes over at each period: a power of a half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gain(u32);

impl Gain {
    /// A half: what was, is forgotten in a few periods.
    pub const FAST: Gain = Gain(1);
    /// An eighth: a guest that was busy is believed to be for some minutes.
    pub const SLOW: Gain = Gain(3);

    /// A half to the power of so much; `None` for more than 16, which moves nothing.
    pub const fn halves(power: u32) -> Option<Gain> {
        if power <= 16 { Some(Gain(power)) } else { None }
    }
}

/// A slow and a fast average of what periods showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Averages {
    slow: Part,
    fast: Part,
    slow_gain: Gain,
    fast_gain: Gain,
}

impl Averages {
    /// Averages that begin with that much. A guest that boots touches what it has: begin with
    /// all, or it is taxed for what nobody has looked at.
    pub const fn beginning_with(part: Part) -> Averages {
        Averages { slow: part, fast: part, slow_gain: Gain::SLOW, fast_gain: Gain::FAST }
    }

    /// The same with other gains.
    pub const fn with_gains(self, slow: Gain, fast: Gain) -> Averages {
        Averages { slow_gain: slow, fast_gain: fast, ..self }
    }

    /// Takes a whole period in.
    pub fn add(&mut self, period: Part) {
        self.slow = self.slow.towards(period, self.slow_gain.0);
        self.fast = self.fast.towards(period, self.fast_gain.0);
    }

    /// The greatest of both and of what a period that is not over has shown.
    pub fn estimate(&self, instant: Part) -> Part {
        self.slow.max(self.fast).max(instant)
    }

    /// The slow one.
    pub const fn slow(&self) -> Part {
        self.slow
    }

    /// The fast one.
    pub const fn fast(&self) -> Part {
        self.fast
    }
}
