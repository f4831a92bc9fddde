//! `abi_query`. Checks: none beyond the decoding. Effect: the answer.

use crate::format::Format;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::abi_query::{AbiQuery, Query};
use hypercall_abi::{AbiVersion, Error, Number};

#[inline(always)]
pub(super) fn run<P: Platform>(state: &State<P>, call: &AbiQuery) -> Result<u64, Error> {
    Ok(match call.query {
        Query::Version => AbiVersion::CURRENT.to_value(),
        Query::Features => state.config.features.bits(),
        Query::PageTableFormat => P::Format::ID as u64,
        Query::CallCount => Number::COUNT as u64,
    })
}
