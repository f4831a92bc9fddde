//! `balloon_report`. Checks of statistics, in order: the version is known, what is reserved is 0,
//! no count of pages is above the caller's limit, no part above the whole (`BadArgument`). Effect:
//! they are kept for the operator, and change nothing else. Of free memory: as
//! `balloon_inflate`, and the frames count as reported.

use crate::balloon::Giving;
use crate::budget::Budget;
use crate::call::Answer;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::balloon_statistics::{BalloonStatistics, STATISTICS_VERSION, WHOLE};
use hypercall_abi::calls::BalloonReport;
use zerocopy::FromBytes;

/// Words of a record.
const WORDS: usize = size_of::<BalloonStatistics>() / 8;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &BalloonReport,
    budget: &mut Budget,
) -> Answer {
    match *call {
        BalloonReport::Statistics => Answer::from(statistics(state, machine, slot)),
        BalloonReport::Free { count, order } => {
            state.give(machine, slot, Giving::new(count, order, true), budget)
        }
    }
}

fn statistics<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &M,
    slot: Slot,
) -> Result<u64, Error> {
    let mut bytes = [0; WORDS * 8];
    let arguments = state.vcpu(slot).arguments;
    for (word, to) in bytes.chunks_exact_mut(8).enumerate() {
        to.copy_from_slice(&machine.read(arguments, word).to_ne_bytes());
    }
    let told = BalloonStatistics::read_from_bytes(&bytes).map_err(|_| Error::BadArgument)?;
    let domain = state.domain_mut(slot);
    let pages = [told.free, told.available, told.cache, told.needed, told.balloon];
    let parts =
        [told.some_over_10_s, told.some_over_60_s, told.full_over_10_s, told.full_over_60_s];
    if told.version != STATISTICS_VERSION
        || told.reserved != 0
        || pages.into_iter().any(|pages| pages > domain.max_frames)
        || parts.into_iter().any(|part| part > WHOLE)
    {
        return Err(Error::BadArgument);
    }
    domain.balloon.told = Some(told);
    Ok(0)
}
