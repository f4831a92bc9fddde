//! What a run says, one line of JSON each: where it is, and what came of a scope or of a
//! planted fault. `cargo xtask check` reads it.

use crate::planted::Planted;
use crate::scope::Scope;
use crate::search::{End, Found, Trace};
use serde::Serialize;

/// One line.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<'a> {
    /// Where a search is.
    At {
        /// The scope.
        scope: &'a str,
        /// Steps from the start within which everything was visited.
        depth: u32,
        /// States so far.
        states: usize,
        /// Steps so far.
        steps: u64,
    },
    /// A scope is done.
    Scope {
        /// Its name.
        name: &'a str,
        /// What it is about.
        about: &'a str,
        /// Frames that can change hands or type.
        frames: u64,
        /// Steps from the start within which everything was visited.
        depth: u32,
        /// Different states.
        states: usize,
        /// Steps taken from them.
        steps: u64,
        /// States by their distance from the start.
        widths: &'a [usize],
        /// Seconds.
        seconds: f64,
        /// How it ended.
        end: EndName,
        /// The way to a broken invariant.
        trace: Option<TraceLine<'a>>,
    },
    /// A planted fault was looked for.
    Planted {
        /// Its name.
        bug: String,
        /// Advisories of its like.
        advisory: &'a str,
        /// What is wrong.
        what: &'a str,
        /// Where it was looked for.
        scope: &'a str,
        /// The invariant that should be found broken.
        expected: &'a str,
        /// States visited until it was found.
        states: usize,
        /// Seconds.
        seconds: f64,
        /// The way to it; none if it was not found.
        trace: Option<TraceLine<'a>>,
    },
}

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndName {
    /// There is no other state.
    Closed,
    /// Every state within the depth was visited.
    Depth,
    /// A limit of states or time came first.
    Limit,
    /// An invariant does not hold.
    Broken,
}

/// A trace.
#[derive(Serialize)]
pub struct TraceLine<'a> {
    /// What is at the start.
    pub start: &'a str,
    /// The steps, as one reads them.
    pub steps: &'a [String],
    /// Those of them that somebody chose.
    pub choices: usize,
    /// The invariant that does not hold.
    pub invariant: &'a str,
    /// What is wrong.
    pub what: &'a str,
}

impl<'a> TraceLine<'a> {
    fn of(end: &'a End) -> Option<Self> {
        let End::Broken(Trace { start, steps, choices, broken }) = end else { return None };
        let (invariant, what) = (&broken.invariant, &broken.what);
        Some(TraceLine { start, steps, choices: *choices, invariant, what })
    }
}

impl<'a> Line<'a> {
    /// Where the search of a scope is.
    pub fn at(scope: &'a Scope, found: &Found) -> Self {
        let Found { states, steps, depth, .. } = *found;
        Line::At { scope: scope.name, depth, states, steps }
    }

    /// What came of a scope.
    pub fn scope(scope: &'a Scope, found: &'a Found, end: &'a End) -> Self {
        let name = match end {
            End::Closed => EndName::Closed,
            End::Depth => EndName::Depth,
            End::Limit => EndName::Limit,
            End::Broken(_) => EndName::Broken,
        };
        Line::Scope {
            name: scope.name,
            about: scope.about,
            frames: scope.size.frames_in_play(),
            depth: found.depth,
            states: found.states,
            steps: found.steps,
            widths: &found.widths,
            seconds: found.time.as_secs_f64(),
            end: name,
            trace: TraceLine::of(end),
        }
    }

    /// What came of a planted fault.
    pub fn planted(planted: &'a Planted, found: &Found, end: &'a End) -> Self {
        Line::Planted {
            bug: format!("{:?}", planted.bug),
            advisory: planted.advisory,
            what: planted.what,
            scope: planted.scope,
            expected: planted.breaks,
            states: found.states,
            seconds: found.time.as_secs_f64(),
            trace: TraceLine::of(end),
        }
    }

    /// Writes the line.
    pub fn print(&self) {
        match serde_json::to_string(self) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("a line cannot be written: {error}"),
        }
    }
}
