//! `trap_register`. Checks, in order: the entry lies in the guest's range
//! (`HypervisorRange`), the stack is a multiple of 16 (`BadArgument`) and lies in the range
//! (`HypervisorRange`). Effect: traps are taken there. They are used as given for ever
//! after: nothing that a guest does later changes the range (XSA-183's kin).

use crate::domain::Slot;
use crate::format::Format;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::TrapEntry;
use hypercall_abi::Error;
use hypercall_abi::calls::TrapRegister;

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &TrapRegister,
) -> Result<u64, Error> {
    let end = P::Format::GUEST_END;
    if call.entry.0 >= end {
        return Err(Error::HypervisorRange);
    }
    if !call.stack.0.is_multiple_of(16) {
        return Err(Error::BadArgument);
    }
    if call.stack.0 > end {
        return Err(Error::HypervisorRange);
    }
    state.vcpu_mut(slot).traps = Some(TrapEntry { entry: call.entry, stack: call.stack });
    Ok(0)
}
