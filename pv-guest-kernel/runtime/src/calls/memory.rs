//! Balloon, and the hypervisor's counts.

use super::{Partial, call, partial_call};
use crate::{argument, sync};
use hypercall_abi::{
    DomainId, Error, Mfn,
    balloon_statistics::BalloonStatistics,
    calls::{
        BalloonDeflate, BalloonInflate, BalloonReport, DomainQuery, balloon_deflate::MAX_FRAMES,
    },
    domain_info::DomainInfo,
    extent::Order,
};
use zerocopy::FromZeros;

/// [`BalloonInflate`]: gives up to 512 frames to the hypervisor.
///
/// # Errors
/// The first refusal, and how many frames went before it; `BadArgument` for none or too many.
///
/// # Safety
/// Rust code uses none of the frames, which are mapped nowhere.
pub unsafe fn balloon_inflate(frames: &[Mfn]) -> Result<u64, Partial> {
    if frames.is_empty() || frames.len() as u64 > MAX_FRAMES {
        return Err(Partial { done: 0, error: Error::BadArgument });
    }
    sync::masked(|| {
        argument::store(frames);
        // SAFETY: the caller answers for the frames.
        unsafe { partial_call(&BalloonInflate::frames(frames.len() as u64)) }
    })
}

/// [`BalloonDeflate`]: asks for as many frames as fit `frames`, at most 512; they stand at its
/// front.
///
/// # Errors
/// Why it was not all of them, and how many came all the same.
pub fn balloon_deflate(frames: &mut [Mfn]) -> Result<u64, Partial> {
    sync::masked(|| {
        // SAFETY: frames come to the domain; none goes.
        let result = unsafe { partial_call(&BalloonDeflate::frames(frames.len() as u64)) };
        let done = result.unwrap_or_else(|partial| partial.done);
        let came = frames.len().min(usize::try_from(done).unwrap_or(usize::MAX));
        argument::load(&mut frames[..came]);
        result
    })
}

/// [`BalloonReport`] of free memory: offers up to 512 frames to the hypervisor.
///
/// # Errors
/// As [`balloon_inflate`].
///
/// # Safety
/// As [`balloon_inflate`].
pub unsafe fn balloon_report_free(frames: &[Mfn]) -> Result<u64, Partial> {
    if frames.is_empty() || frames.len() as u64 > MAX_FRAMES {
        return Err(Partial { done: 0, error: Error::BadArgument });
    }
    sync::masked(|| {
        argument::store(frames);
        let count = frames.len() as u64;
        // SAFETY: the caller answers for the frames.
        unsafe { partial_call(&BalloonReport::Free { count, order: Order::Frame }) }
    })
}

/// [`BalloonReport`] of statistics.
///
/// # Errors
/// `BadArgument`: they contradict what the hypervisor knows.
pub fn balloon_report_statistics(statistics: &BalloonStatistics) -> Result<(), Error> {
    sync::masked(|| {
        argument::store(core::slice::from_ref(statistics));
        // SAFETY: it changes nothing that the guest has.
        unsafe { call(&BalloonReport::Statistics) }.map(drop)
    })
}

/// [`DomainQuery`]: what the hypervisor counts of a domain.
///
/// # Errors
/// `NotPermitted` for another domain.
pub fn domain_query(domain: DomainId) -> Result<DomainInfo, Error> {
    sync::masked(|| {
        // SAFETY: it writes to the argument frame alone.
        unsafe { call(&DomainQuery { domain }) }?;
        let mut info = [DomainInfo::new_zeroed()];
        argument::load(&mut info);
        let [info] = info;
        Ok(info)
    })
}
