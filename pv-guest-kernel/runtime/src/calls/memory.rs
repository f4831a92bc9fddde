//! Balloon, and the hypervisor's counts.

use super::{Partial, call, partial_call};
use crate::{argument, sync};
use hypercall_abi::{
    DomainId, Error, Mfn,
    calls::{BalloonDeflate, BalloonInflate, DomainQuery, balloon_deflate::MAX_FRAMES},
    domain_info::DomainInfo,
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
        unsafe { partial_call(&BalloonInflate { count: frames.len() as u64 }) }
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
        let result = unsafe { partial_call(&BalloonDeflate { count: frames.len() as u64 }) };
        let done = result.unwrap_or_else(|partial| partial.done);
        let came = frames.len().min(usize::try_from(done).unwrap_or(usize::MAX));
        argument::load(&mut frames[..came]);
        result
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
