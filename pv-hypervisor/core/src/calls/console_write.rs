//! `console_write`. Checks: none beyond the decoding. Effect: the bytes go out, copied once.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::ConsoleWrite;
use hypercall_abi::calls::console_write::MAX_BYTES;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &ConsoleWrite,
) -> Result<u64, Error> {
    let arguments = state.vcpu(slot).arguments;
    let mut bytes = heapless::Vec::<u8, { MAX_BYTES as usize }>::new();
    for word in 0..call.length.div_ceil(8) as usize {
        // There is room for as many words as hold the most bytes that a call has.
        let _ = bytes.extend_from_slice(&machine.read(arguments, word).to_le_bytes());
    }
    bytes.truncate(call.length as usize);
    machine.console_write(state.domain(slot).id, call.stream, &bytes);
    Ok(0)
}
