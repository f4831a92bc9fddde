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
    let mut buffer = [0; MAX_BYTES as usize];
    let bytes = &mut buffer[..call.length as usize];
    for (word, chunk) in bytes.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&machine.read(arguments, word).to_le_bytes()[..chunk.len()]);
    }
    machine.console_write(state.domain(slot).id, call.stream, bytes);
    Ok(0)
}
