//! The run report: one record for each domain that is gone, the census of page tables when it is
//! asked for, the totals at the end.

use crate::arch::Platform;
use crate::console;
use crate::machine::Hardware;
use hypercall_abi::Error;
use pv_core::{DomainSummary, State};
use pv_wire::{
    Away, Census, Counts, DomainReport, EndText, Kind, MAX_PAYLOAD, MemorySample, Name, Owners,
    ReportRecord, RunTotals, Sharing, SharingSample, Source, Spare, Stretch, record,
};

/// Reports a domain that is gone.
pub fn domain(summary: &DomainSummary) {
    let counters = &summary.counters;
    let mut end = EndText::new();
    // A reason that is longer is cut.
    let _ = core::fmt::write(&mut end, format_args!("{}", summary.reason));
    let mut refusals = Counts::new();
    let _ = refusals.push(0);
    let _ = refusals.extend_from_slice(&counters.refusals);
    send(&ReportRecord::Domain(DomainReport {
        id: summary.id.0,
        name: Name::try_from(summary.name.as_str()).unwrap_or_default(),
        ok: summary.reason.is_success(),
        end,
        frames_start: summary.initial_frames,
        frames_peak: counters.peak_frames,
        table_frames_peak: counters.peak_tables,
        calls: Counts::from_slice(&counters.calls).unwrap_or_default(),
        unknown_calls: counters.refusals[Error::UnknownCall as usize - 1],
        refusals,
        traps: counters.traps,
        ticks: counters.ticks,
    }));
}

/// Reports for how long the hypervisor kept the processor.
pub fn stretch(stretch: Stretch) {
    send(&ReportRecord::Stretch(stretch));
}

/// Reports the page tables of each domain that runs.
pub fn census(state: &State<Platform>, machine: &Hardware) {
    for census in state.census(machine) {
        let name = state.domain_of(census.domain).map_or("", |domain| &domain.name);
        send(&ReportRecord::Census(Census {
            id: census.domain.0,
            name: Name::try_from(name).unwrap_or_default(),
            kernel_roots: census.kernel_roots,
            process_roots: census.process_roots,
            empty_roots: census.empty_roots,
            tables: census.tables.into_iter().collect(),
        }));
    }
}

/// Reports a domain's memory.
pub fn memory(sample: MemorySample) {
    send(&ReportRecord::Memory(sample));
}

/// Reports who owns frames.
pub fn owners(owners: &Owners) {
    send(&ReportRecord::Owners(owners.clone()));
}

/// Reports what sharing has come to.
pub fn sharing(state: &State<Platform>) {
    let (done, scan) = (state.sharing.counters, state.scan_counters());
    send(&ReportRecord::Sharing(Sharing {
        most_shared: state.sharing_peak().pages,
        most_frames: state.sharing_peak().frames,
        most_zero: state.sharing_peak().zero_pages,
        most_saved: state.sharing_peak().saved(),
        merged: done.merged,
        broken: done.broken,
        differed: done.differed,
        unmovable: done.unmovable,
        no_room: done.no_room,
        waits: done.waits,
        scanned: scan.scanned,
        zero: scan.zero,
        volatile: scan.volatile,
        stale: scan.stale,
        named: scan.named,
        passes: scan.passes,
    }));
}

/// Reports what was taken by force.
pub fn away(state: &State<Platform>) {
    let done = state.reclaim.counters;
    send(&ReportRecord::Away(Away {
        put_away: done.put_away,
        zeros: done.zeros,
        compressed: done.compressed,
        compressed_bytes: done.compressed_bytes,
        swapped: done.swapped,
        used: done.used,
        refused: done.refused,
        failed: done.failed,
        faults: done.faults,
        returned: done.returned,
    }));
}

/// Reports what came of pages in spare memory.
pub fn spare(state: &State<Platform>) {
    let done = state.spare_counters();
    send(&ReportRecord::Spare(Spare {
        put: done.put,
        kept: done.kept,
        asked: done.asked,
        found: done.found,
        dropped: done.dropped,
        displaced: done.displaced,
        evicted: done.evicted,
        most: done.most,
    }));
}

/// Reports what is shared now, so many milliseconds after the start.
pub fn shared(state: &State<Platform>, at_ms: u64) {
    let now = state.sharing_totals();
    let owned: u64 = state.domains().map(|(_, domain)| domain.frames).sum();
    send(&ReportRecord::Shared(SharingSample {
        at_ms,
        all: owned + now.pages,
        pages: now.pages,
        frames: now.frames,
        zero: now.zero_pages,
        free: state.frames.unowned(),
    }));
}

/// Reports the end of the run.
pub fn totals(totals: &RunTotals) {
    send(&ReportRecord::Run(*totals));
}

fn send(record: &ReportRecord) {
    let mut buffer = [0; MAX_PAYLOAD];
    if let Some(bytes) = record::encode(record, &mut buffer) {
        console::send(Source::HYPERVISOR, Kind::Report, bytes);
    }
}
