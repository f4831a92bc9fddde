//! `tlb_flush`. Checks: the address of a page lies in the guest's range (`HypervisorRange`;
//! XSA-168, XSA-279). Effect: the translations are forgotten.

use crate::format::Format;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::TlbFlush;
use hypercall_abi::calls::tlb_flush::FlushScope;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    call: &TlbFlush,
) -> Result<u64, Error> {
    match call.scope {
        FlushScope::All => state.tlb.flush(machine),
        FlushScope::Page(address) if address.0 >= P::Format::GUEST_END => {
            return Err(Error::HypervisorRange);
        }
        FlushScope::Page(address) => state.tlb.flush_page(machine, address),
    }
    Ok(0)
}
