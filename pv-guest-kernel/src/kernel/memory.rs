//! Step 4, first half: the balloon.

use super::surprise::{Surprise, surprise};
use balloon::{Balloon, Stop};
use pv_guest::{
    abi::{DomainId, domain_info::DomainInfo},
    calls,
    memory::Memory,
    println,
};

/// Pages that the balloon takes.
const PAGES: u64 = 300;

fn counts() -> Result<DomainInfo, Surprise> {
    calls::domain_query(DomainId::SELF).map_err(|error| surprise!("domain_query: {error}"))
}

/// Gives pages to the hypervisor and takes as many back.
pub fn inflate_and_deflate(memory: &mut Memory) -> Result<(), Surprise> {
    println!("[4] memory that moves");
    let pages = PAGES.min(memory.free_pages() / 2);
    let mut balloon = Balloon::new();
    let before = counts()?;
    let free = memory.free_pages();
    // What the domain may have beyond what it starts with are holes from the start.
    let holes = memory.p2m().holes();
    let report = balloon.inflate(memory, pages as usize);
    let inflated = counts()?;
    if (report.moved, report.stop) != (pages, Stop::Complete)
        || inflated.frames + pages != before.frames
        || memory.p2m().holes() != holes + pages
    {
        return Err(surprise!(
            "inflate of {pages}: {report:?}, {} frames before and {} after",
            before.frames,
            inflated.frames
        ));
    }
    println!(
        "    balloon inflated by {pages} pages: {} frames owned, were {}; {} holes in the map",
        inflated.frames,
        before.frames,
        memory.p2m().holes(),
    );
    let report = balloon.deflate(memory, pages as usize);
    let deflated = counts()?;
    if (report.moved, report.stop) != (pages, Stop::Complete)
        || deflated.frames != before.frames
        || memory.p2m().holes() != holes
        || memory.free_pages() != free
    {
        return Err(surprise!("deflate of {pages}: {report:?}, {} frames after", deflated.frames));
    }
    check_zeroed(memory)?;
    println!(
        "    balloon deflated: {} frames owned, of at most {}, other machine frames than before, all zero",
        deflated.frames, deflated.max_frames,
    );
    let statistics = balloon.statistics();
    defmt::info!(
        "balloon: {=u64} out and {=u64} back in {=u64} calls",
        statistics.inflated,
        statistics.deflated,
        statistics.inflate_calls + statistics.deflate_calls,
    );
    Ok(())
}

/// The balloon took the lowest free pages, which are the ones that come next.
fn check_zeroed(memory: &mut Memory) -> Result<(), Surprise> {
    let page = memory.allocate().ok_or_else(|| surprise!("no free page after deflating"))?;
    let zero = page.bytes().iter().all(|byte| *byte == 0);
    memory.free(page);
    if zero { Ok(()) } else { Err(surprise!("a frame came back with something in it")) }
}
