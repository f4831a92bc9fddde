//! `console_read`. Checks: none beyond the decoding. Effect: waiting bytes move into the
//! argument frame.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::ConsoleRead;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &ConsoleRead,
) -> Result<u64, Error> {
    let arguments = state.vcpu(slot).arguments;
    let input = &mut state.domain_mut(slot).console_input;
    let count = input.len().min(call.capacity as usize);
    for (offset, byte) in input.drain(..count).enumerate() {
        machine.copy_in(arguments, offset, &[byte]);
    }
    Ok(count as u64)
}
