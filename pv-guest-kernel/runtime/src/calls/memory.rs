//! Balloon, and the hypervisor's counts.

use super::{Partial, call, partial_call};
use crate::{argument, sync};
use hypercall_abi::{
    DomainId, Error, Mfn,
    balloon_statistics::BalloonStatistics,
    calls::{
        BalloonDeflate, BalloonInflate, BalloonReport, Call, DomainQuery,
        balloon_deflate::MAX_FRAMES,
    },
    domain_info::DomainInfo,
    extent::Order,
};
use zerocopy::FromZeros;

/// [`BalloonInflate`]: gives up to 512 extents to the hypervisor, by their first frames.
///
/// # Errors
/// The first refusal, and how many extents went before it; `BadArgument` for none or too many.
///
/// # Safety
/// Rust code uses none of the frames, which are mapped nowhere.
pub unsafe fn balloon_inflate(firsts: &[Mfn], order: Order) -> Result<u64, Partial> {
    // SAFETY: the caller answers for the frames.
    unsafe { give(firsts, |count| BalloonInflate { count, order }) }
}

/// [`BalloonDeflate`]: asks for as many extents as fit `firsts`, at most 512; the first frames of
/// those that came stand at its front.
///
/// # Errors
/// Why it was not all of them, and how many came all the same.
pub fn balloon_deflate(firsts: &mut [Mfn], order: Order) -> Result<u64, Partial> {
    sync::masked(|| {
        let count = firsts.len() as u64;
        // SAFETY: frames come to the domain; none goes.
        let result = unsafe { partial_call(&BalloonDeflate { count, order }) };
        let done = result.unwrap_or_else(|partial| partial.done);
        let came = firsts.len().min(usize::try_from(done).unwrap_or(usize::MAX));
        argument::load(&mut firsts[..came]);
        result
    })
}

/// [`BalloonReport`] of free memory: offers up to 512 extents to the hypervisor.
///
/// # Errors
/// As [`balloon_inflate`].
///
/// # Safety
/// As [`balloon_inflate`].
pub unsafe fn balloon_report_free(firsts: &[Mfn], order: Order) -> Result<u64, Partial> {
    // SAFETY: the caller answers for the frames.
    unsafe { give(firsts, |count| BalloonReport::Free { count, order }) }
}

/// A call that gives extents, made for so many of them.
///
/// # Safety
/// As [`balloon_inflate`].
unsafe fn give<C: Call>(firsts: &[Mfn], call: impl FnOnce(u64) -> C) -> Result<u64, Partial> {
    if firsts.is_empty() || firsts.len() as u64 > MAX_FRAMES {
        return Err(Partial { done: 0, error: Error::BadArgument });
    }
    sync::masked(|| {
        argument::store(firsts);
        // SAFETY: the caller answers for the frames.
        unsafe { partial_call(&call(firsts.len() as u64)) }
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
