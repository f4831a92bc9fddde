//! `cargo xtask bench --worst-case`: for how long the hypervisor keeps the processor at a time,
//! call by call. Two runs on each architecture show it: the measuring guest with every call at
//! its longest, and the conformance suite with all that it does wrong on purpose.

use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::reported::Reported;
use crate::{conformance, names, table};
use anyhow::{Result, bail};
use pv_wire::Stretch;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Instructions that no stretch may reach: what an interrupt waits for at most.
pub const BOUND: u64 = 20_000;

/// Instructions by what they were for.
type Longest = BTreeMap<String, u64>;

/// Measures, prints, and with `check` fails when a stretch is too long.
pub fn run(arch: Option<Arch>, as_json: bool, check: bool, may: MayInstall) -> Result<()> {
    let (mut above, mut all) = (Vec::new(), Vec::new());
    for arch in Arch::chosen(arch) {
        let longest = measure(arch, may)?;
        let too_long = longest.iter().filter(|(_, instructions)| **instructions >= BOUND);
        above.extend(too_long.map(|(what, _)| format!("{what} ({arch})")));
        if as_json {
            all.push(json!({ "arch": arch.name(), "bound": BOUND, "longest": longest }));
        } else {
            println!("{arch}, instructions between two looks at the clock\n{}", figures(&longest));
        }
    }
    if as_json {
        println!("{:#}", Value::from(all));
    }
    if check && !above.is_empty() {
        bail!("{} instructions or more at a time: {}", names::grouped(BOUND), above.join(", "));
    }
    Ok(())
}

fn measure(arch: Arch, may: MayInstall) -> Result<Longest> {
    let progress = Progress::new(&format!("bench --worst-case, {arch}"));
    let mut longest = Longest::new();
    let bench = super::pair(arch, may, "worst");
    let suite = conformance::machine(arch, false, may, &conformance::Guest::Rust, "");
    for (what, run) in [("the measuring guest", bench), ("the conformance suite", suite)] {
        progress.at(what);
        let run = Reported { stretches: true, ..run };
        match run.run(conformance::typed)? {
            Ok(report) => take(&mut longest, &report.stretches),
            Err(reason) => bail!("{what} on {arch}: {reason}"),
        }
    }
    if longest.is_empty() {
        bail!("the hypervisor on {arch} reported no stretch: does it know the option?");
    }
    progress.done(&format!("{} rows", longest.len()));
    Ok(longest)
}

fn take(longest: &mut Longest, stretches: &[Stretch]) {
    for stretch in stretches {
        let known = longest.entry(stretch.what.to_string()).or_default();
        *known = stretch.instructions.max(*known);
    }
}

fn figures(longest: &Longest) -> String {
    let mut rows: Vec<_> = longest.iter().collect();
    rows.sort_by_key(|(what, instructions)| (std::cmp::Reverse(**instructions), *what));
    let mut table = table::new(&["for", "longest", "bound", ""]);
    for (what, instructions) in rows {
        table.add_row([
            what.clone(),
            names::grouped(*instructions),
            names::grouped(BOUND),
            if *instructions >= BOUND { "above".into() } else { String::new() },
        ]);
    }
    table::align_right(&mut table, 1..3);
    table::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_all_runs_is_shown_first() {
        let stretch = |what: &str, instructions| Stretch {
            what: what.try_into().expect("short"),
            instructions,
        };
        let mut longest = Longest::new();
        take(&mut longest, &[stretch("pt_pin", 9), stretch("trap", 5)]);
        take(&mut longest, &[stretch("pt_pin", 7), stretch("trap", 20_000)]);
        let text = figures(&longest);
        let (trap, pin) = (text.find("trap").expect("a row"), text.find("pt_pin").expect("a row"));
        assert!(trap < pin, "{text}");
        assert_eq!(text.matches("above").count(), 1, "{text}");
        assert_eq!(longest["pt_pin"], 9);
    }
}
