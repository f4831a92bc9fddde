//! I10, I11 and I13: page tables as a whole.

use super::{Audit, Truth, domain_violation, frame_violation};
use crate::domain::{MAX_DOMAINS, Slot};
use crate::format::Format;
use crate::frame::{Frame, Hold, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::Mode;

/// I10: the hypervisor's slots of every validated root hold its own entries.
pub(super) fn i10_hypervisor_region<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &M,
) -> Audit {
    for (frame, entry) in state.frames.iter() {
        let Frame::Owned(owned) = entry else { continue };
        if owned.kind != Type::Table(P::Format::ROOT) || !owned.hold.is_valid() {
            continue;
        }
        for slot in P::Format::FIRST_RESERVED_SLOT..P::Format::ENTRIES {
            if !same_entry(machine.read(frame, slot), machine.root_entry(slot)) {
                return Err(frame_violation(10, "a root has lost a hypervisor entry", frame));
            }
        }
    }
    Ok(())
}

/// Whether two entries are the same but for the accessed and dirty bits (5 and 6 on x86-64, 6
/// and 7 on riscv64), which the processor sets.
fn same_entry(left: u64, right: u64) -> bool {
    (left ^ right) & !0xe0 == 0
}

/// I11: a table is under way exactly when one walk has it; what is no table is not held.
pub(super) fn i11_canonical_states<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        let Frame::Owned(owned) = entry else { continue };
        let walks = truth.get(frame).walks;
        let canonical = match (owned.kind, owned.hold) {
            (Type::Table(level), Hold::Valid | Hold::Pinned) => {
                walks == 0 && level <= P::Format::ROOT && owned.type_count > 0
            }
            (Type::Table(_), Hold::Promoting | Hold::Demoting) => {
                walks == 1 && owned.type_count == 1
            }
            (Type::Table(_), Hold::Unheld) => false,
            (_, hold) => walks == 0 && hold == Hold::Unheld,
        };
        if !canonical {
            return Err(frame_violation(11, "no state that a frame can be in", frame));
        }
    }
    let mut pinned = [0u64; MAX_DOMAINS];
    for (_, entry) in state.frames.iter() {
        if let Frame::Owned(owned) = entry
            && owned.hold == Hold::Pinned
            && let Some(slot) = Slot::of(owned.owner)
        {
            pinned[slot.index()] += 1;
        }
    }
    for (slot, domain) in state.domains() {
        if pinned[slot.index()] != domain.pinned {
            return Err(domain_violation(11, "it has not the pins that it counts", domain.id));
        }
    }
    Ok(())
}

/// I13: the roots of a vCPU are validated roots of its own domain, the processor translates
/// through one that exists, and a process runs only with a root of its own.
pub(super) fn i13_live_roots<P: Platform>(state: &State<P>) -> Audit {
    let is_root = |root, domain| {
        let owned = state.frames.owned_by(root, domain);
        owned.is_ok_and(|owned| owned.check_table(P::Format::ROOT).is_ok())
    };
    for (slot, vcpu) in state.vcpus() {
        let domain = state.domain(slot).id;
        for root in [vcpu.kernel_root, vcpu.user_root].into_iter().flatten() {
            if !is_root(root, domain) {
                return Err(frame_violation(13, "a root of a vCPU is no root table", root));
            }
        }
        if vcpu.mode == Mode::User && vcpu.user_root.is_none() {
            return Err(domain_violation(13, "a process runs without a root", domain));
        }
    }
    if let Some(root) = state.tlb.root() {
        let current = state.scheduler.current().map(|slot| state.vcpu(slot).root());
        if current != Some(Some(root)) {
            return Err(frame_violation(
                13,
                "the processor is on a root that is not current",
                root,
            ));
        }
    }
    Ok(())
}
