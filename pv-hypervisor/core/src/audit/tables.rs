//! I9 to I14: page tables, their entries, and the roots that are in use.

use super::truth::{Found, held_table, walks_of};
use super::{Audit, Truth, domain_violation, frame_violation, vcpus};
use crate::domain::{MAX_DOMAINS, Slot};
use crate::format::{Entry, Format};
use crate::frame::{Frame, Hold, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::Mode;
use hypercall_abi::addr::Level;

/// I9: an entry of a validated table that the processor would use has acceptable bits only, and
/// a leaf names a frame that some domain owns or pages share. (Whose frame it may be is I21's and
/// I25's.)
pub(super) fn i9_validated_means_valid<P: Platform>(state: &State<P>, found: &Found) -> Audit {
    if !P::Format::is_present(found.value) {
        return Ok(());
    }
    match P::Format::decode(found.value, found.level) {
        Err(_) => Err(frame_violation(9, "an entry that no check lets in", found.table)),
        Ok(Entry::Leaf(leaf))
            if state.frames.owned(leaf.frame).is_err()
                && state.frames.shared(leaf.frame).is_none() =>
        {
            Err(frame_violation(9, "an entry maps a frame nobody owns", leaf.frame))
        }
        Ok(_) => Ok(()),
    }
}

/// I12: an entry above level 1 names a page table of the level below, of the same domain: so
/// no table is reached from itself, and no walk is deeper than there are levels.
pub(super) fn i12_acyclic_levels<P: Platform>(state: &State<P>, found: &Found) -> Audit {
    let Ok(Entry::Table(child)) = P::Format::decode(found.value, found.level) else {
        return Ok(());
    };
    let below = found.level.below().map(Type::Table);
    let owned = state.frames.owned_by(child, found.owner);
    if owned.is_ok_and(|owned| Some(owned.kind) == below) {
        Ok(())
    } else {
        Err(frame_violation(12, "an entry names what is no table of the level below", child))
    }
}

/// I14: an entry that the processor would not use names no frame, not even in bits that it
/// should ignore (L1TF, XSA-273). The mark of a page that is away may stand in it, at level 1.
pub(super) fn i14_absent_entries<P: Platform>(found: &Found) -> Audit {
    let absent = !P::Format::is_present(found.value);
    let marked = found.level == Level::L1 && P::Format::is_away(found.value);
    let value = if marked { found.value & !P::Format::AWAY } else { found.value };
    if absent && P::Format::decode(value, found.level) != Ok(Entry::Absent) {
        return Err(frame_violation(14, "an absent entry names a frame", found.table));
    }
    Ok(())
}

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
    i11_walks(state)?;
    i11_pins(state)
}

/// Every walk goes down one level at a time, through tables that are in its own state; what a
/// list of updates holds meanwhile is a table.
fn i11_walks<P: Platform>(state: &State<P>) -> Audit {
    for (slot, domain) in state.domains() {
        for walk in walks_of(state, slot) {
            let mut above: Option<Level> = None;
            for (table, level, promoting, cursor) in walk.tables() {
                let hold = if promoting { Hold::Promoting } else { Hold::Demoting };
                let owned = state.frames.owned_by(table, domain.id);
                let agrees = owned.is_ok_and(|owned| {
                    owned.kind == Type::Table(level)
                        && owned.hold == hold
                        && cursor <= P::Format::ENTRIES
                        && above.is_none_or(|above| above.below() == Some(level))
                });
                if !agrees {
                    return Err(frame_violation(11, "a walk and its table disagree", table));
                }
                above = Some(level);
            }
        }
    }
    for (_, vcpu, domain) in vcpus(state) {
        let Some(table) = held_table(vcpu.work.as_ref()) else { continue };
        let owned = state.frames.owned_by(table, domain.id);
        if !owned.is_ok_and(|owned| owned.hold.is_valid()) {
            return Err(frame_violation(11, "an update holds what is no table", table));
        }
    }
    Ok(())
}

/// A domain counts the pins that it has.
fn i11_pins<P: Platform>(state: &State<P>) -> Audit {
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
        owned.is_ok_and(|owned| owned.kind == Type::Table(P::Format::ROOT) && owned.hold.is_valid())
    };
    for (_, vcpu, domain) in vcpus(state) {
        for root in [vcpu.kernel_root, vcpu.user_root].into_iter().flatten() {
            if !is_root(root, domain.id) {
                return Err(frame_violation(13, "a root of a vCPU is no root table", root));
            }
        }
        if vcpu.mode == Mode::User && vcpu.user_root.is_none() {
            return Err(domain_violation(13, "a process runs without a root", domain.id));
        }
    }
    if let Some(root) = state.tlb.root() {
        let current = state.scheduler.current();
        let current = state.vcpus().find(|(slot, _)| Some(*slot) == current);
        if current.and_then(|(_, vcpu)| vcpu.root()) != Some(root) {
            let what = "the processor is on a root that is not current";
            return Err(frame_violation(13, what, root));
        }
    }
    Ok(())
}
