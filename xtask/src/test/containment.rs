//! Guests that go wrong in every way that our kernel knows, in one machine with two that do
//! not: each ends with the reason that is its own, its registers are shown, every frame comes
//! back, and the two never notice.

use super::boots::{self, Ran};
use super::count::{Count, section};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};
use hypercall_abi::PAGE_SIZE;
use serde_json::Value;

/// A way to go wrong: the word after `crash=`, and a part of the reason that it ends with.
struct Misbehaviour {
    word: &'static str,
    reason: &'static str,
}

const MISBEHAVIOURS: &[Misbehaviour] = &[
    // Advisories: XSA-8
    Misbehaviour { word: "null", reason: "page fault at 0x0 " },
    Misbehaviour { word: "spin", reason: "without a call (it spins)" },
    Misbehaviour { word: "garbage", reason: "illegal instruction" },
    // Advisories: XSA-7
    Misbehaviour { word: "badpc", reason: "page fault at 0xffff800000000000 " },
    Misbehaviour { word: "panic", reason: "its kernel reported a crash" },
    // Advisories: XSA-156
    Misbehaviour { word: "stack", reason: "traps nest too deep" },
    // Advisories: XSA-156 XSA-348
    Misbehaviour { word: "depth", reason: "traps nest too deep" },
    Misbehaviour { word: "block", reason: "nobody is left who could send" },
];

/// The names of the two that go right; they are each other's partners.
const GOOD: [&str; 2] = ["good-a", "good-b"];

/// Boots the machine and checks what came of each domain: a test for each.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section(&format!("guests that go wrong, {arch}"), |section| {
        let (ran, report) = boot(arch, may, section.progress)?;
        for (what, result) in checks(arch, &ran, &report) {
            section.test(&what, result);
        }
        if section.has_failed() {
            section.progress.line(&ran.last_lines());
        }
        Ok(())
    })
}

/// The machine: the bad domains, and the good ones behind them. A watchdog below a time slice
/// ends a domain that spins after its first slice; the others are to end by themselves.
fn manifest() -> String {
    let mut text = String::new();
    for Misbehaviour { word, .. } in MISBEHAVIOURS {
        text += &format!(
            "[[domain]]\nname = \"{word}\"\nmemory = \"8M\"\ncommand_line = \"crash={word}\"\n"
        );
        if *word == "spin" {
            text += "watchdog_ms = 5\n";
        }
    }
    let first = MISBEHAVIOURS.len() + 1;
    for (name, peer) in GOOD.into_iter().zip([first + 1, first]) {
        text += &format!(
            "[[domain]]\nname = \"{name}\"\nmemory = \"8M\"\ncommand_line = \"peer={peer}\"\n"
        );
    }
    text
}

fn boot(arch: Arch, may: MayInstall, progress: &Progress) -> Result<(Ran, Value)> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let file = boots::write(folder.path(), "bad.toml", manifest())?;
    let mut command = boots::command(arch, may)?;
    command.arg("--manifest").arg(file);
    let ran = boots::run(command, progress)?;
    let report = ran.report().with_context(|| ran.last_lines())?;
    Ok((ran, report))
}

fn checks(arch: Arch, ran: &Ran, report: &Value) -> Vec<(String, Result<()>)> {
    let mut results = Vec::new();
    for Misbehaviour { word, reason } in MISBEHAVIOURS {
        let check = ended(report, word, false, reason).and_then(|()| registers(arch, ran, word));
        results.push((format!("crash={word}"), check));
    }
    results.push(("the guard below the stack".to_owned(), guarded(ran, report)));
    for name in GOOD {
        results.push((name.to_owned(), ended(report, name, true, "powered off")));
    }
    results.push(("the whole run".to_owned(), whole(ran, report)));
    results
}

fn find<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let domains = report["domains"].as_array().context("the report has no domains")?;
    let domain = domains.iter().find(|domain| domain["name"] == name);
    domain.context("the report has no such domain: it never ended")
}

/// The domain ended well or not, with that in its reason.
/// Clauses: SHUTDOWN.7 TRAP.7
fn ended(report: &Value, name: &str, well: bool, reason: &str) -> Result<()> {
    let domain = find(report, name)?;
    let end = domain["end"].as_str().unwrap_or_default();
    ensure!(end.contains(reason), "it ended with `{end}`, not with `{reason}`");
    ensure!(domain["ok"] == well, "the report says that ending well is {}", domain["ok"]);
    Ok(())
}

/// The domain's registers follow the line that says why it ended.
/// Clauses: END.2
fn registers(arch: Arch, ran: &Ran, name: &str) -> Result<()> {
    let (counter, stack) = match arch {
        Arch::X86_64 => (" rip ", " rsp "),
        Arch::Riscv64 => (" pc ", " sp "),
    };
    let told = format!("'{name}' ended: ");
    let mut lines = ran.errors.lines().skip_while(|line| !line.contains(&told));
    lines.next().context("its end is not told on the console")?;
    let first = lines.next().unwrap_or_default();
    ensure!(
        first.contains(counter) && first.contains(stack),
        "its registers are not shown after its end, but `{first}`"
    );
    Ok(())
}

/// The kernel that uses up its stack ends at the page below it, and has written over nothing else.
fn guarded(ran: &Ran, report: &Value) -> Result<()> {
    let at = |text: &str, before: &str| -> Option<u64> {
        let digits = text.split_once(before)?.1.split(char::is_whitespace).next()?;
        u64::from_str_radix(digits.trim_end_matches(','), 16).ok()
    };
    let guard = at(&ran.errors, "to the guard at 0x").context("the kernel did not say where")?;
    let end = find(report, "stack")?["end"].as_str().unwrap_or_default();
    let address = at(end, "page fault at 0x").with_context(|| format!("it ended with `{end}`"))?;
    ensure!(
        (guard..guard + PAGE_SIZE).contains(&address),
        "it ended at {address:#x}, and the page below its stack is at {guard:#x}"
    );
    Ok(())
}

/// The run as one failed, and every frame came back.
fn whole(ran: &Ran, report: &Value) -> Result<()> {
    ensure!(!ran.well, "the exit status is 0 although domains ended badly");
    ensure!(report["ok"] == false, "the report says that all is well");
    let said = ran.errors.lines().last().unwrap_or_default();
    ensure!(said.contains("(null) page fault"), "the last line does not say why: `{said}`");
    let before = boots::frames(report, "frames_before")?;
    let after = boots::frames(report, "frames_after")?;
    ensure!(before == after, "{before} frames were free before the domains, {after} after them");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(after: u64) -> Value {
        let mut domains: Vec<Value> = MISBEHAVIOURS
            .iter()
            .map(|bad| json!({ "name": bad.word, "ok": false, "end": format!("({})", bad.reason) }))
            .collect();
        domains[5]["end"] = "page fault at 0x7ff8 (traps nest too deep)".into();
        domains.extend(GOOD.map(|name| json!({ "name": name, "ok": true, "end": "powered off" })));
        let totals = json!({ "frames_before": 9, "frames_after": after });
        json!({ "ok": false, "domains": domains, "totals": totals })
    }

    fn ran() -> Ran {
        let end = |bad: &Misbehaviour| {
            let Misbehaviour { word, reason } = bad;
            format!("domain 1 '{word}' ended: {reason}. Its registers:\n  rip 0  rsp 0\n")
        };
        let mut errors: String = MISBEHAVIOURS.iter().map(end).collect();
        errors += "about to use up the stack, to the guard at 0x7000\n";
        errors += "error: domain 1 (null) page fault\n";
        Ran { well: false, output: String::new(), errors }
    }

    fn failed(ran: &Ran, report: &Value) -> Vec<String> {
        let results = checks(Arch::X86_64, ran, report);
        results.into_iter().filter(|(_, result)| result.is_err()).map(|(what, _)| what).collect()
    }

    #[test]
    fn each_thing_that_can_be_wrong_is_found() {
        assert!(failed(&ran(), &report(9)).is_empty());
        assert_eq!(failed(&ran(), &report(8)), ["the whole run"]);
        assert_eq!(failed(&Ran { well: true, ..ran() }, &report(9)), ["the whole run"]);
        let mut other = report(9);
        other["domains"][1]["end"] = "powered off".into();
        assert_eq!(failed(&ran(), &other), ["crash=spin"]);
        let mut noticed = report(9);
        noticed["domains"][MISBEHAVIOURS.len()]["ok"] = false.into();
        assert_eq!(failed(&ran(), &noticed), ["good-a"]);
        let errors = ran().errors.replacen("rip", "", 1);
        assert_eq!(failed(&Ran { errors, ..ran() }, &report(9)), ["crash=null"]);
        let mut elsewhere = report(9);
        elsewhere["domains"][5]["end"] = "page fault at 0x6ff8 (traps nest too deep)".into();
        assert_eq!(failed(&ran(), &elsewhere), ["the guard below the stack"]);
        let few = json!({ "ok": false, "domains": [], "totals": null });
        assert_eq!(failed(&ran(), &few).len(), MISBEHAVIOURS.len() + GOOD.len() + 2);
    }
}
