//! `console_read`. Checks: none beyond the decoding. Effect: waiting bytes move into the
//! argument frame; what is behind the last of them in its word is zero.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::ConsoleRead;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &ConsoleRead,
) -> Result<u64, Error> {
    let arguments = state.vcpu(slot).arguments;
    let input = &mut state.domain_mut(slot).console_input;
    let count = call.capacity.min(input.len() as u64);
    let mut left = count as usize;
    let mut word = 0;
    while left > 0 {
        let mut bytes = [0; 8];
        for byte in bytes.iter_mut().take(left) {
            *byte = input.pop_front().unwrap_or(0);
        }
        machine.write(arguments, word, u64::from_le_bytes(bytes));
        left = left.saturating_sub(8);
        word += 1;
    }
    Ok(count)
}
