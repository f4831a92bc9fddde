//! I1 to I7, and I27: frames, their lists and their counts.

use super::{Audit, Truth, domain_violation, frame_violation};
use crate::call::Work;
use crate::domain::Slot;
use crate::frame::{COUNT_MAX, Frame, FrameTable, Type};
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::Vcpu;
use hypercall_abi::extent::EXTENT_FRAMES;

/// I1: every frame nobody owns is on its list exactly once, and nothing else is.
pub(super) fn i1_conservation<P: Platform>(state: &State<P>) -> Audit {
    let table = &state.frames;
    let (free, dirty) = table.list_lengths();
    for (is_free, length) in [(true, free), (false, dirty)] {
        let mut met = 0u32;
        for frame in table.walk_list(is_free) {
            let belongs = match table.get(frame) {
                Ok(Frame::Free { .. }) => is_free,
                Ok(Frame::Dirty { .. }) => !is_free,
                _ => false,
            };
            if !belongs {
                return Err(frame_violation(1, "a list holds a frame of another state", frame));
            }
            met += 1;
        }
        let marked = table.iter().filter(|(_, frame)| match frame {
            Frame::Free { .. } => is_free,
            Frame::Dirty { .. } => !is_free,
            _ => false,
        });
        // Each met frame has the state, so equal numbers mean each is met once.
        if met != length || marked.count() != length as usize {
            let base = table.base();
            return Err(frame_violation(1, "a list and its frames do not agree", base));
        }
        let mut before = None;
        for frame in table.walk_list(is_free) {
            let (Ok(Frame::Free { previous, .. }) | Ok(Frame::Dirty { previous, .. })) =
                table.get(frame)
            else {
                continue;
            };
            if previous.map(|link| table.base().0 + u64::from(link.get()) - 1) != before {
                return Err(frame_violation(1, "a list is not the same backwards", frame));
            }
            before = Some(frame.0);
        }
    }
    blocks(table)
}

/// Whether nobody owns it.
fn is_unowned(frame: &Frame) -> bool {
    matches!(frame, Frame::Free { .. } | Frame::Dirty { .. } | Frame::Spare { .. })
}

/// Blocks count their unowned frames, and those that are whole are on their list once.
fn blocks(table: &FrameTable) -> Audit {
    let mut unowned = table.iter().peekable();
    let mut whole = 0;
    for (first, counted) in table.block_counts() {
        let mut found = 0;
        while let Some((_, frame)) = unowned.next_if(|(frame, _)| frame.0 < first.0 + EXTENT_FRAMES)
        {
            found += u16::from(is_unowned(frame));
        }
        if found != counted {
            return Err(frame_violation(1, "a block miscounts what nobody owns of it", first));
        }
        let is_whole = u64::from(counted) == EXTENT_FRAMES;
        whole += usize::from(is_whole);
        let listed = table.whole_blocks().filter(|listed| *listed == first).count();
        if listed != usize::from(is_whole) {
            return Err(frame_violation(1, "the list of whole blocks is wrong", first));
        }
    }
    if table.whole_blocks().count() != whole {
        return Err(frame_violation(1, "the list of whole blocks is wrong", table.base()));
    }
    Ok(())
}

/// I2: nothing refers to a frame that nobody owns. That it has no owner, type or count either
/// is so by the type of its state.
pub(super) fn i2_free_is_free<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        if is_unowned(entry) && truth.get(frame).all != 0 {
            return Err(frame_violation(2, "a frame nobody owns is referred to", frame));
        }
    }
    Ok(())
}

/// I3: the reference count is the number of references.
pub(super) fn i3_exact_references<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        let counted = match entry {
            Frame::Owned(owned) => owned.references,
            Frame::Shared(shared) => shared.entries,
            _ => continue,
        };
        if counted != truth.get(frame).all {
            return Err(frame_violation(3, "the reference count is wrong", frame));
        }
    }
    Ok(())
}

/// I4: the type count is the number of references that hold the type.
pub(super) fn i4_exact_type_references<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        let Frame::Owned(owned) = entry else { continue };
        let references = truth.get(frame);
        let expected = match owned.kind {
            Type::None | Type::WasTable => 0,
            Type::Writable => references.writable,
            Type::Table(_) => references.table,
        };
        if owned.type_count != expected || owned.type_count > owned.references {
            return Err(frame_violation(4, "the type count is wrong", frame));
        }
    }
    Ok(())
}

/// I5: a domain owns as many frames and tables as it counts, and with the pages that share a
/// frame it has not more than it may.
pub(super) fn i5_domain_totals<P: Platform>(state: &State<P>) -> Audit {
    let mut owned = [(0u64, 0u64); crate::domain::MAX_DOMAINS];
    for (frame, entry) in state.frames.iter() {
        let Frame::Owned(entry) = entry else { continue };
        let exists = state.domain_of(entry.owner).is_some();
        let Some(slot) = Slot::of(entry.owner).filter(|_| exists) else {
            return Err(frame_violation(5, "its owner does not exist", frame));
        };
        let (frames, tables) = &mut owned[slot.index()];
        *frames += 1;
        *tables += u64::from(matches!(entry.kind, Type::Table(_)));
    }
    for (slot, domain) in state.domains() {
        if owned[slot.index()] != (domain.frames, domain.tables) {
            return Err(domain_violation(5, "it does not own what it counts", domain.id));
        }
        if domain.backed_pages() > domain.max_frames {
            return Err(domain_violation(5, "it owns more than it may", domain.id));
        }
        // The frames of an extent that is being taken are the domain's one piece after the other;
        // what it had reported is counted back when it has the whole.
        let begun = match state.vcpus().find(|(found, _)| *found == slot) {
            Some((_, Vcpu { work: Some(Work::Take(taking)), .. })) => taking.begun(),
            _ => 0,
        };
        let whole = domain.frames.saturating_sub(begun);
        if whole + domain.balloon.reported_frames > domain.max_frames {
            let what = "it owns and has reported more than it may own";
            return Err(domain_violation(5, what, domain.id));
        }
    }
    Ok(())
}

/// I6: no count is beyond its largest value.
pub(super) fn i6_no_counter_wrap<P: Platform>(state: &State<P>) -> Audit {
    for (frame, entry) in state.frames.iter() {
        if let Frame::Owned(owned) = entry
            && (owned.references > COUNT_MAX || owned.type_count > COUNT_MAX)
        {
            return Err(frame_violation(6, "a count is beyond its largest value", frame));
        }
    }
    for (_, domain) in state.domains() {
        for (_, handle) in domain.handles.iter() {
            if handle.entries > COUNT_MAX {
                let what = "a handle's count is beyond its largest value";
                return Err(frame_violation(6, what, handle.frame));
            }
        }
    }
    Ok(())
}

/// I7: what is mapped writable is no page table, and the other way round.
pub(super) fn i7_writable_xor_table<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        let Frame::Owned(owned) = entry else { continue };
        let references = truth.get(frame);
        let agrees = match owned.kind {
            Type::None | Type::WasTable => references.writable == 0 && references.table == 0,
            Type::Writable => references.table == 0,
            Type::Table(_) => references.writable == 0,
        };
        if !agrees {
            return Err(frame_violation(7, "its type and its references contradict", frame));
        }
    }
    Ok(())
}

/// I27: nothing of a domain's refers to a frame that is not memory for domains.
pub(super) fn i27_special_frames<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (frame, entry) in state.frames.iter() {
        if matches!(entry, Frame::Reserved | Frame::Hypervisor) && truth.get(frame).all != 0 {
            return Err(frame_violation(27, "a frame that is no domain's is referred to", frame));
        }
    }
    Ok(())
}
