//! `console_write`. Checks: none beyond the decoding. Effect: the bytes go out, copied once.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::ConsoleWrite;
use hypercall_abi::calls::console_write::MAX_BYTES;
use zerocopy::IntoBytes;

/// Words of a short text.
const SHORT_WORDS: usize = 16;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &ConsoleWrite,
) -> Result<u64, Error> {
    // Most texts are short: a large buffer would cost more to clear than they cost to send.
    if call.length <= SHORT_WORDS as u64 * 8 {
        send::<P, M, SHORT_WORDS>(state, machine, slot, call);
    } else {
        send::<P, M, { MAX_BYTES as usize / 8 }>(state, machine, slot, call);
    }
    Ok(0)
}

fn send<P: Platform, M: Machine, const WORDS: usize>(
    state: &State<P>,
    machine: &mut M,
    slot: Slot,
    call: &ConsoleWrite,
) {
    let mut buffer = [0u64; WORDS];
    let words = &mut buffer[..call.length.div_ceil(8) as usize];
    machine.read_block(state.vcpu(slot).arguments, 0, words);
    let bytes = &buffer.as_bytes()[..call.length as usize];
    machine.console_write(state.domain(slot).id, call.stream, bytes);
}
