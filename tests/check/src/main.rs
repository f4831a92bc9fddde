//! Searches scopes, or looks for planted faults, and says so in lines of JSON. It is run by
//! `cargo xtask check`, which makes tables of them.

use check::planted::PLANTED;
use check::report::Line;
use check::scope::{Run, SCOPES, Scope, named};
use check::search::{End, Found, Limits, search};
use clap::Parser;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often it says where it is.
const EVERY: Duration = Duration::from_millis(500);

/// Search the states of the core that small domains can reach.
#[derive(Parser)]
struct Arguments {
    /// Look for each planted fault instead.
    #[arg(long)]
    planted: bool,
    /// Search every scope without a bound of its depth.
    #[arg(long)]
    deep: bool,
    /// Only this scope, or the faults that are looked for in it.
    #[arg(long)]
    scope: Option<String>,
    /// Steps from the start, instead of each scope's own.
    #[arg(long)]
    depth: Option<u32>,
    /// States of a scope, at most.
    #[arg(long)]
    states: Option<usize>,
    /// Minutes for a scope, at most.
    #[arg(long)]
    minutes: Option<f64>,
}

impl Arguments {
    fn limits(&self, scope: &Scope) -> Limits {
        let depth = if self.deep { None } else { scope.depth };
        Limits {
            depth: self.depth.or(depth),
            states: self.states,
            time: self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        }
    }

    fn has(&self, scope: &str) -> bool {
        self.scope.as_ref().is_none_or(|only| only == scope)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(name) = &arguments.scope
        && named(name).is_none()
    {
        let names: Vec<&str> = SCOPES.iter().map(|scope| scope.name).collect();
        eprintln!("there is no scope `{name}`: there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let passed = if arguments.planted { planted(&arguments) } else { scopes(&arguments) };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn scopes(arguments: &Arguments) -> bool {
    let mut passed = true;
    for scope in &SCOPES {
        let asked = arguments.deep || arguments.scope.is_some() || scope.run == Run::Always;
        if asked && arguments.has(scope.name) {
            let (found, end) = search(scope, None, arguments.limits(scope), &mut progress(scope));
            Line::scope(scope, &found, &end).print();
            passed &= !matches!(end, End::Broken(_));
        }
    }
    passed
}

fn planted(arguments: &Arguments) -> bool {
    let mut passed = true;
    for planted in PLANTED.iter().filter(|planted| arguments.has(planted.scope)) {
        let Some(scope) = named(planted.scope) else {
            eprintln!("{:?} is looked for in `{}`, which is no scope", planted.bug, planted.scope);
            return false;
        };
        let bug = Some(planted.bug);
        let (found, end) = search(scope, bug, arguments.limits(scope), &mut progress(scope));
        Line::planted(planted, &found, &end).print();
        passed &= planted.is_found_by(&end);
    }
    passed
}

fn progress(scope: &Scope) -> impl FnMut(&Found) {
    let mut said = Instant::now();
    move |found| {
        if said.elapsed() >= EVERY {
            said = Instant::now();
            Line::at(scope, found).print();
        }
    }
}
