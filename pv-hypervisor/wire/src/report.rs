//! What the hypervisor reports of a run: one record for each domain when it is gone, its page
//! tables when the operator asks, and the totals at the end. The last record is the run's good end: without it a run failed.

use serde::{Deserialize, Serialize};

/// A short name.
pub type Name = heapless::String<32>;

/// Why a domain ended, in a sentence, cut at 160 bytes.
pub type EndText = heapless::String<160>;

/// Counts by number: of calls, of status codes. Numbers without a place are not counted.
pub type Counts = heapless::Vec<u64, 64>;

/// One record of the report.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "records are built one at a time, and sent at once")]
pub enum ReportRecord {
    /// A domain has gone, with every frame of it.
    Domain(DomainReport),
    /// For how long the hypervisor kept the processor at a time; sent when that was asked for.
    Stretch(Stretch),
    /// The page tables of one domain that runs; of each of them, when the operator asked.
    Census(Census),
    /// The run is over and the machine is about to be switched off.
    Run(RunTotals),
    /// How much memory a domain has, at one moment; sent by the memory controller.
    Memory(MemorySample),
    /// Who owns frames of the machine, at one moment.
    Owners(Owners),
    /// What sharing has come to; sent before the totals when pages may share frames.
    Sharing(Sharing),
    /// What is shared at one moment; sent now and then when pages may share frames.
    Shared(SharingSample),
    /// What was taken by force; sent at the end, where it may be.
    Away(Away),
    /// What came of pages in spare memory; sent at the end, where they may be kept.
    Spare(Spare),
}

/// A domain's memory, at one moment. Pages, where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct MemorySample {
    /// Its identity.
    pub id: u16,
    /// Milliseconds since the hypervisor started.
    pub at_ms: u64,
    /// Frames that it owns.
    pub owned: u64,
    /// Frames that it should own.
    pub target: u64,
    /// Frames that the hypervisor believes it uses.
    pub active: u64,
    /// Frames that it has reported as free.
    pub reported: u64,
    /// What its kernel says that it needs; 0 when it has said nothing.
    pub needed: u64,
    /// Times that its kernel has said it was short of memory.
    pub shortages: u64,
    /// Reports of statistics that its kernel says it has made.
    pub told: u64,
    /// Frames of the machine that nobody owns.
    pub free: u64,
}

/// Who owns frames: a sample of the machine, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Owners {
    /// Which look this is, from 0.
    pub look: u32,
    /// Which sample is the first here.
    pub first: u32,
    /// How many there are in all.
    pub samples: u32,
    /// For each: the low byte of the owner's identity; 0: nobody; 255: the hypervisor, or no memory.
    pub owners: heapless::Vec<u8, 512>,
}

/// The validated page tables of one domain, at one moment.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Census {
    /// Its identity.
    pub id: u16,
    /// Its name.
    pub name: Name,
    /// Roots that its kernel runs on.
    pub kernel_roots: u64,
    /// Other roots through which something is mapped: those of its processes.
    pub process_roots: u64,
    /// Other roots, through which nothing is mapped.
    pub empty_roots: u64,
    /// Tables by level, those of level 1 first, roots included.
    pub tables: heapless::Vec<u64, 8>,
}

/// The longest stretch that the hypervisor ran for one thing without a look at the clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Stretch {
    /// What for: the name of a call, `unknown call`, `trap`, `interrupt` or `schedule`.
    pub what: Name,
    /// Instructions.
    pub instructions: u64,
}

/// What one domain has done.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct DomainReport {
    /// Its identity.
    pub id: u16,
    /// Its name.
    pub name: Name,
    /// Whether it ended as it should: by itself, with nothing wrong.
    pub ok: bool,
    /// How it ended.
    pub end: EndText,
    /// Frames that it owned when it started.
    pub frames_start: u64,
    /// Frames that it owned at most.
    pub frames_peak: u64,
    /// Validated page-table frames that it had at most.
    pub table_frames_peak: u64,
    /// Calls by number, elements of batches included.
    pub calls: Counts,
    /// Calls with a number that no call has.
    pub unknown_calls: u64,
    /// Answers by status number; place 0, success, may be left 0.
    pub refusals: Counts,
    /// Traps delivered to its kernel.
    pub traps: u64,
    /// Ticks of the counter that it ran, hypercalls included.
    pub ticks: u64,
}

/// What the whole run comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct RunTotals {
    /// Frames that were free before the first domain was made.
    pub frames_before: u64,
    /// Frames that were free after the last was gone.
    pub frames_after: u64,
    /// Bytes of the frame table for each frame.
    pub frame_table_bytes: u32,
    /// Ticks of the counter from the hypervisor's first line to this record.
    pub ticks: u64,
    /// Ticks of the counter in a second.
    pub ticks_per_second: u64,
    /// Times that the audit ran.
    pub audits: u64,
    /// Context switches between domains.
    pub switches: u64,
}

/// What sharing of frames has come to. Pages and frames are those at the time at which most were
/// saved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Sharing {
    /// Pages that shared a frame.
    pub most_shared: u64,
    /// Frames that they shared.
    pub most_frames: u64,
    /// Of the pages, those of zeros.
    pub most_zero: u64,
    /// Frames that were not needed because of it.
    pub most_saved: u64,
    /// Pages that were merged.
    pub merged: u64,
    /// Pages that got a frame of their own again.
    pub broken: u64,
    /// Pairs that were compared and differed.
    pub differed: u64,
    /// Pairs that could not be merged as something else named a frame, or had changed.
    pub unmovable: u64,
    /// Pairs for which there was no room or no reserve.
    pub no_room: u64,
    /// Times that a guest waited for a frame.
    pub waits: u64,
    /// Pages that the scanner looked at.
    pub scanned: u64,
    /// Of these, zeros.
    pub zero: u64,
    /// Of these, pages that had changed since the last pass.
    pub volatile: u64,
    /// Hints that were out of date.
    pub stale: u64,
    /// Pairs that guests named by an identifier.
    pub named: u64,
    /// Passes over all pages.
    pub passes: u64,
}

/// What is shared, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct SharingSample {
    /// Milliseconds since the run started.
    pub at_ms: u64,
    /// Pages that guests have: those that share a frame, and those with one of their own.
    pub all: u64,
    /// Pages that share a frame.
    pub pages: u64,
    /// Frames that they share.
    pub frames: u64,
    /// Of the pages, those of zeros.
    pub zero: u64,
    /// Frames of the machine that nobody owns.
    pub free: u64,
}

/// What was taken from guests by force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Away {
    /// Pages that were put away.
    pub put_away: u64,
    /// Of these, zeros.
    pub zeros: u64,
    /// Of these, such as were compressed, and bytes that these took.
    pub compressed: u64,
    /// Bytes.
    pub compressed_bytes: u64,
    /// Pages that were written to the swap device.
    pub swapped: u64,
    /// Pages that were chosen and had been used again.
    pub used: u64,
    /// Pages that could not be put away.
    pub refused: u64,
    /// Transfers of the swap device that failed.
    pub failed: u64,
    /// Faults of guests on pages that were away.
    pub faults: u64,
    /// Pages that came back.
    pub returned: u64,
}

/// What came of pages that guests have put into spare memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Spare {
    /// Pages that were put.
    pub put: u64,
    /// Of these, such as were kept.
    pub kept: u64,
    /// Pages that were asked for.
    pub asked: u64,
    /// Of these, such as were there.
    pub found: u64,
    /// Pages that went because the guest said so.
    pub dropped: u64,
    /// Pages that went for another page.
    pub displaced: u64,
    /// Pages that went because their frame was needed.
    pub evicted: u64,
    /// The most that were kept at a time.
    pub most: u64,
}

/// A run's report, put together on the host.
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RunReport {
    /// Domains, in the order in which they ended.
    pub domains: alloc::vec::Vec<DomainReport>,
    /// Longest stretches, when they were asked for.
    pub stretches: alloc::vec::Vec<Stretch>,
    /// Page tables, each time that somebody asked.
    pub census: alloc::vec::Vec<Census>,
    /// Memory over time, when there is a controller.
    pub memory: alloc::vec::Vec<MemorySample>,
    /// Who owns what, whenever the controller looked.
    pub owners: alloc::vec::Vec<Owners>,
    /// What was shared over time, if pages may share frames.
    pub shared: alloc::vec::Vec<SharingSample>,
    /// What sharing has come to, if pages may share frames.
    pub sharing: Option<Sharing>,
    /// What was taken by force, if it may be.
    pub away: Option<Away>,
    /// What came of pages in spare memory, if they may be kept.
    pub spare: Option<Spare>,
    /// The totals, when the run came to its end.
    pub totals: Option<RunTotals>,
}

#[cfg(feature = "alloc")]
impl RunReport {
    /// Adds one record.
    pub fn add(&mut self, record: ReportRecord) {
        match record {
            ReportRecord::Domain(domain) => self.domains.push(domain),
            ReportRecord::Stretch(stretch) => self.stretches.push(stretch),
            ReportRecord::Census(census) => self.census.push(census),
            ReportRecord::Sharing(sharing) => self.sharing = Some(sharing),
            ReportRecord::Shared(sample) => self.shared.push(sample),
            ReportRecord::Away(away) => self.away = Some(away),
            ReportRecord::Spare(spare) => self.spare = Some(spare),
            ReportRecord::Run(totals) => self.totals = Some(totals),
            ReportRecord::Memory(sample) => self.memory.push(sample),
            ReportRecord::Owners(owners) => self.owners.push(owners),
        }
    }
}
