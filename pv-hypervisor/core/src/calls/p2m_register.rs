//! `p2m_register`. Checks, in order: the P2M has so many frames left to register
//! (`QuotaExceeded`); of each frame: it is memory (`BadFrame`), the caller's (`NotOwner`; `Moved`:
//! pages share it) and can be held writable (`CountOverflow`, `TypeConflict`);
//! the hypervisor has room to remember them (`NoMemory`). Effect: the frames
//! are held writable until the domain ends, and the hypervisor writes slots of them.

use crate::domain::Slot;
use crate::frame::{COUNT_MAX, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::P2mRegister;
use hypercall_abi::calls::p2m_register::MAX_FRAMES;
use hypercall_abi::{Error, Mfn};

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &P2mRegister,
) -> Result<u64, Error> {
    let domain = state.domain(slot);
    if call.count > domain.movable.unregistered() {
        return Err(Error::QuotaExceeded);
    }
    let arguments = state.vcpu(slot).arguments;
    let mut frames = heapless::Vec::<Mfn, { MAX_FRAMES as usize }>::new();
    for word in 0..call.count {
        let frame = Mfn(machine.read(arguments, word as usize));
        let owned = state.frames.owned_by(frame, domain.id)?;
        // The list may name a frame more than once.
        if owned.references > COUNT_MAX - MAX_FRAMES as u32 {
            return Err(Error::CountOverflow);
        }
        owned.check_writable()?;
        // The call takes no more than find room.
        let _ = frames.push(frame);
    }
    if !state.domain_mut(slot).movable.make_room(frames.len()) {
        return Err(Error::NoMemory);
    }
    for frame in frames {
        let owned = state.frames.held(frame);
        if owned.kind == Type::WasTable {
            state.tlb.flush_since(machine, owned.epoch);
        }
        owned.add_writable();
        state.domain_mut(slot).movable.register(frame);
    }
    Ok(call.count)
}
