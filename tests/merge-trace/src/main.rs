//! The core's scanner at work on a model of a machine: a hint is recorded, two pages become one, a
//! third joins, one is written, and a hint turns out not to hold. What is done to the machine, and
//! what the scanner remembers before and after, goes out in lines of JSON. It is run by `cargo xtask
//! experiment merge-trace`, which makes tables of them.

mod scenario;
mod tracer;

use std::io::{Write, stdout};

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    for line in scenario::play() {
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}
