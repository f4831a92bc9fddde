//! `tlb_flush`. Checks: none beyond the decoding. Effect: the translations are forgotten.

use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::TlbFlush;
use hypercall_abi::calls::tlb_flush::FlushScope;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    call: &TlbFlush,
) -> Result<u64, Error> {
    match call.scope {
        FlushScope::All => state.tlb.flush(machine),
        FlushScope::Page(address) => state.tlb.flush_page(machine, address),
    }
    Ok(0)
}
