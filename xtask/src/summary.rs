//! The end of a run: what the report comes to, as a verdict, as tables, as JSON.

use crate::machine::Ending;
use crate::{names, table};
use comfy_table::Table;
use pv_wire::{Counts, DomainReport, Item, Kind, ReportRecord, RunReport, Source, record};
use serde_json::{Value, json};

/// Domains that have a column of their own in the tables of calls and refusals.
const COLUMNS: usize = 8;

/// Takes a record of the hypervisor's report out of an item; `true`: it was the last one.
pub fn collect(report: &mut RunReport, item: &Item) -> bool {
    let Item::Message(message) = item else { return false };
    if message.kind != Kind::Report || message.source != Source::HYPERVISOR {
        return false;
    }
    let Some(record) = record::decode::<ReportRecord>(&message.bytes) else { return false };
    report.add(record);
    report.totals.is_some()
}

/// Whether the run was good: every domain ended well, and every frame came back. The
/// error is one sentence.
pub fn verdict(report: &RunReport, domains: usize, ending: Ending) -> Result<(), String> {
    let failed: Vec<String> = report
        .domains
        .iter()
        .filter(|domain| !domain.ok)
        .map(|domain| format!("domain {} ({}) {}", domain.id, domain.name, domain.end))
        .collect();
    if !failed.is_empty() {
        return Err(failed.join("; "));
    }
    if ending == Ending::Left {
        return Ok(());
    }
    let Some(totals) = report.totals else {
        let ended = match ending {
            Ending::Left => "it was left".to_owned(),
            Ending::TimedOut => "the time was up (--timeout) before the run was over".to_owned(),
            Ending::Lingered => "the machine did not switch itself off".to_owned(),
            Ending::Exited(status) => {
                format!("the machine stopped without a report (QEMU: {status})")
            }
        };
        let gone = report.domains.len();
        return Err(format!("{ended}; {gone} of {domains} domains had ended"));
    };
    if report.domains.len() != domains {
        return Err(format!(
            "{domains} domains were to run, the report has {}",
            report.domains.len()
        ));
    }
    if totals.frames_before != totals.frames_after {
        return Err(format!(
            "{} frames were free before the first domain, {} after the last: frames were lost",
            totals.frames_before, totals.frames_after
        ));
    }
    if ending == Ending::Lingered {
        return Err("the machine did not switch itself off after its report".into());
    }
    Ok(())
}

/// Ticks as instructions: one instruction takes one nanosecond of the machine's time.
fn instructions(ticks: u64, ticks_per_second: u64) -> u64 {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

/// The tables, for people.
pub fn tables(report: &RunReport) -> String {
    let mut domains: Vec<&DomainReport> = report.domains.iter().collect();
    domains.sort_by_key(|domain| domain.id);
    let per_second = report.totals.map_or(1_000_000_000, |totals| totals.ticks_per_second);
    let mut text = String::new();
    let mut table = table::new(&[
        "domain",
        "name",
        "frames",
        "peak",
        "tables",
        "calls",
        "refused",
        "traps",
        "instructions",
        "end",
    ]);
    for domain in &domains {
        let calls: u64 = domain.calls.iter().sum::<u64>() + domain.unknown_calls;
        table.add_row([
            domain.id.to_string(),
            domain.name.to_string(),
            names::grouped(domain.frames_start),
            names::grouped(domain.frames_peak),
            names::grouped(domain.table_frames_peak),
            names::grouped(calls),
            names::grouped(domain.refusals.iter().skip(1).sum()),
            names::grouped(domain.traps),
            names::grouped(instructions(domain.ticks, per_second)),
            domain.end.to_string(),
        ]);
    }
    table::align_right(&mut table, 2..9);
    text.push_str(&table::text(&table));
    let counted = |title, of: fn(&DomainReport) -> &Counts, name: fn(u64) -> String, first| {
        counts(title, &domains, of, name, first).map(|table| format!("\n{}", table::text(&table)))
    };
    text.extend(counted("hypercall", |domain| &domain.calls, names::call, 0));
    text.extend(counted("refusal", |domain| &domain.refusals, names::status, 1));
    if let Some(sharing) = &report.sharing {
        text.push_str(&format!(
            "\nsharing: at most {} pages in {} frames ({} pages of zeros), {} frames saved; {} merged, {} broken up, {} differed, {} could not move; {} pages scanned in {} passes\n",
            names::grouped(sharing.most_shared),
            names::grouped(sharing.most_frames),
            names::grouped(sharing.most_zero),
            names::grouped(sharing.most_saved),
            names::grouped(sharing.merged),
            names::grouped(sharing.broken),
            names::grouped(sharing.differed),
            names::grouped(sharing.unmovable),
            names::grouped(sharing.scanned),
            names::grouped(sharing.passes)
        ));
    }
    if let Some(away) = report.away.filter(|away| *away != pv_wire::Away::default()) {
        text.push_str(&format!("\n{}\n", self::away(&away)));
    }
    if let Some(spare) = &report.spare {
        text.push_str(&format!("\n{}\n", self::spare(spare)));
    }
    if let Some(totals) = report.totals {
        text.push_str(&format!(
            "\nframes free: {} before the first domain, {} after the last; {} bytes of frame table each\n",
            names::grouped(totals.frames_before),
            names::grouped(totals.frames_after),
            totals.frame_table_bytes
        ));
        text.push_str(&format!(
            "instructions: {} in all; {} switches between domains; the audit ran {} times\n",
            names::grouped(instructions(totals.ticks, totals.ticks_per_second)),
            names::grouped(totals.switches),
            names::grouped(totals.audits)
        ));
    }
    text
}

/// Counts by name, a row each, a column for each domain and one for all of them.
fn counts(
    title: &str,
    domains: &[&DomainReport],
    of: fn(&DomainReport) -> &Counts,
    name: fn(u64) -> String,
    first: u64,
) -> Option<Table> {
    let shown = if domains.len() <= COLUMNS { domains } else { &[] };
    let mut header = vec![title.to_owned()];
    header.extend(shown.iter().map(|domain| domain.name.to_string()));
    header.push("all".into());
    let mut table = table::new(&header);
    let longest = domains.iter().map(|domain| of(domain).len()).max()? as u64;
    let mut empty = true;
    for number in first..longest {
        let count = |domain: &DomainReport| of(domain).get(number as usize).copied().unwrap_or(0);
        let all: u64 = domains.iter().map(|domain| count(domain)).sum();
        if all == 0 {
            continue;
        }
        empty = false;
        let mut row = vec![name(number)];
        row.extend(shown.iter().map(|domain| names::grouped(count(domain))));
        row.push(names::grouped(all));
        table.add_row(row);
    }
    table::align_right(&mut table, 1..shown.len() + 2);
    (!empty).then_some(table)
}

/// The report as JSON.
pub fn json(report: &RunReport, arch: &str, verdict: &Result<(), String>) -> Value {
    let named = |counts: &Counts, name: fn(u64) -> String, first: usize| -> Value {
        let counts = counts.iter().enumerate().skip(first).filter(|(_, count)| **count != 0);
        counts.map(|(number, count)| (name(number as u64), json!(count))).collect()
    };
    let per_second = report.totals.map_or(1_000_000_000, |totals| totals.ticks_per_second);
    let domains: Vec<Value> = report
        .domains
        .iter()
        .map(|domain| {
            json!({
                "id": domain.id,
                "name": domain.name.as_str(),
                "ok": domain.ok,
                "end": domain.end.as_str(),
                "frames_start": domain.frames_start,
                "frames_peak": domain.frames_peak,
                "table_frames_peak": domain.table_frames_peak,
                "calls": named(&domain.calls, names::call, 0),
                "unknown_calls": domain.unknown_calls,
                "refusals": named(&domain.refusals, names::status, 1),
                "traps": domain.traps,
                "instructions": instructions(domain.ticks, per_second),
            })
        })
        .collect();
    let totals = report.totals.map(|totals| {
        json!({
            "frames_before": totals.frames_before,
            "frames_after": totals.frames_after,
            "frame_table_bytes": totals.frame_table_bytes,
            "instructions": instructions(totals.ticks, totals.ticks_per_second),
            "switches": totals.switches,
            "audits": totals.audits,
        })
    });
    json!({
        "arch": arch,
        "ok": verdict.is_ok(),
        "reason": verdict.as_ref().err(),
        "domains": domains,
        "sharing": report.sharing,
        "away": report.away,
        "spare": report.spare,
        "totals": totals,
    })
}

/// What came of pages in spare memory, in a line.
fn spare(spare: &pv_wire::Spare) -> String {
    format!(
        "spare memory: {} of {} pages kept, at most {} at a time; {} of {} found that were asked for; {} dropped, {} went for another page, {} as their frame was needed",
        names::grouped(spare.kept),
        names::grouped(spare.put),
        names::grouped(spare.most),
        names::grouped(spare.found),
        names::grouped(spare.asked),
        names::grouped(spare.dropped),
        names::grouped(spare.displaced),
        names::grouped(spare.evicted)
    )
}

/// What was taken by force, in a line.
pub fn away(away: &pv_wire::Away) -> String {
    format!(
        "taken by force: {} pages put away ({} zeros, {} compressed to {} KiB, {} swapped), {} came back by {} faults or a call; {} were in use, {} could not move; {} transfers of the swap device failed",
        names::grouped(away.put_away),
        names::grouped(away.zeros),
        names::grouped(away.compressed),
        names::grouped(away.compressed_bytes >> 10),
        names::grouped(away.swapped),
        names::grouped(away.returned),
        names::grouped(away.faults),
        names::grouped(away.used),
        names::grouped(away.refused),
        names::grouped(away.failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pv_wire::{OwnedMessage, RunTotals};
    use std::os::unix::process::ExitStatusExt;

    fn domain(id: u16, ok: bool) -> DomainReport {
        let mut domain =
            DomainReport { id, ok, frames_start: 8192, ticks: 3, ..Default::default() };
        domain.name.push_str("guest").expect("short");
        domain.end.push_str(if ok { "shut down" } else { "spun" }).expect("short");
        domain.calls.extend_from_slice(&[5, 0, 7]).expect("short");
        domain.refusals.extend_from_slice(&[9, 1]).expect("short");
        domain
    }

    fn good() -> RunReport {
        let totals = RunTotals {
            frames_before: 100,
            frames_after: 100,
            frame_table_bytes: 16,
            ticks: 10,
            ticks_per_second: 10_000_000,
            ..Default::default()
        };
        let domains = vec![domain(1, true), domain(2, true)];
        RunReport { domains, totals: Some(totals), ..Default::default() }
    }

    fn exited() -> Ending {
        Ending::Exited(std::process::ExitStatus::from_raw(0))
    }

    #[test]
    fn a_good_run_is_good_and_anything_else_is_a_sentence() {
        assert_eq!(verdict(&good(), 2, exited()), Ok(()));
        let sentence =
            |report: &RunReport, ending| verdict(report, 2, ending).expect_err("not good");
        let mut bad = good();
        bad.domains[1].ok = false;
        bad.domains[1].end = "spun".try_into().expect("short");
        assert_eq!(sentence(&bad, exited()), "domain 2 (guest) spun");
        let mut lost = good();
        lost.totals = lost.totals.map(|totals| RunTotals { frames_after: 99, ..totals });
        assert!(sentence(&lost, exited()).contains("frames were lost"));
        let none = RunReport { totals: None, ..good() };
        assert!(sentence(&none, Ending::TimedOut).contains("--timeout"));
        assert!(sentence(&none, exited()).contains("without a report"));
        let few = RunReport { domains: vec![domain(1, true)], ..good() };
        assert!(sentence(&few, exited()).contains("the report has 1"));
        assert!(sentence(&good(), Ending::Lingered).contains("switch itself off"));
    }

    #[test]
    fn only_the_hypervisor_reports() {
        let mut buffer = [0; 2048];
        let totals = ReportRecord::Run(RunTotals::default());
        let bytes = record::encode(&totals, &mut buffer).expect("fits").to_vec();
        let from = |source, kind| {
            Item::Message(OwnedMessage { source: Source(source), kind, bytes: bytes.clone() })
        };
        let mut report = RunReport::default();
        assert!(!collect(&mut report, &from(1, Kind::Report)));
        assert!(!collect(&mut report, &from(0, Kind::GuestReport)));
        assert!(collect(&mut report, &from(0, Kind::Report)));
    }

    #[test]
    fn tables_name_calls_and_refusals_and_count_instructions() {
        let text = tables(&good());
        for part in ["abi_query", "pt_pin", "UnknownCall", "8,192", "300", "shut down"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("pt_create") && !text.contains("Success"), "{text}");
        let value = json(&good(), "riscv64", &Ok(()));
        assert_eq!(value["domains"][1]["calls"]["pt_pin"], 7);
        assert_eq!(value["totals"]["instructions"], 1000);
        assert_eq!(value["ok"], true);
    }
}
