//! `replay TARGET FILE...`: gives a fuzz target the bytes of files, with every call told before it
//! is made. `cargo xtask fuzz TARGET --replay FILE` runs it.

use fuzz_harness::{Target, Telling, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(target) = words.next().as_deref().and_then(Target::of) else {
        let names: Vec<&str> = Target::all().map(Target::name).collect();
        eprintln!("replay TARGET FILE...; the targets are: {}", names.join(" "));
        return ExitCode::FAILURE;
    };
    for file in words {
        let found = match std::fs::read(&file) {
            Ok(bytes) => run(target, &bytes, Telling::Calls),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        if let Err(found) = found {
            eprintln!("{file}: {found}");
            return ExitCode::FAILURE;
        }
        eprintln!("{file}: nothing is wrong");
    }
    ExitCode::SUCCESS
}
