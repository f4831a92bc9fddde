//! I13, I16, I17 and I18: what only the model of a machine can show: what the processor has
//! cached, and what lies in frames.

use super::{Audit, frame_violation};
use crate::domain::Slot;
use crate::format::Format;
use crate::frame::{Frame, Type};
use crate::model::ModelMachine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{DomainId, Mfn};

/// Recomputes what only the model can show, besides what [`audit`](super::audit) recomputes.
///
/// # Errors
/// The first [`Violation`](super::Violation) found.
pub fn audit_translations<P: Platform, F: Format>(
    state: &State<P>,
    machine: &ModelMachine<F>,
) -> Audit {
    i13_hardware_root(state, machine)?;
    i16_no_harmful_stale_translation(state, machine)?;
    i17_flushed_and_scrubbed(state, machine)?;
    i18_table_memory(state, machine)
}

/// I13: the processor translates through the root that the core believes it does.
pub(super) fn i13_hardware_root<P: Platform, F: Format>(
    state: &State<P>,
    machine: &ModelMachine<F>,
) -> Audit {
    if machine.root() == state.tlb.root() {
        return Ok(());
    }
    let root = machine.root().or(state.tlb.root()).unwrap_or(Mfn::NONE);
    Err(frame_violation(13, "the processor is on another root", root))
}

/// I16: whatever is cached is harmless, whoever's address space it is. A translation that is
/// merely out of date is; one that lets a domain reach a frame that is not its own any more, or
/// write what is a page table, is not.
pub(super) fn i16_no_harmful_stale_translation<P: Platform, F: Format>(
    state: &State<P>,
    machine: &ModelMachine<F>,
) -> Audit {
    for (root, frame, writable) in machine.cached_pages() {
        let owned = match state.frames.get(frame) {
            Ok(Frame::Owned(owned)) => owned,
            // Unmapped and not flushed yet: it is handed out only after the flush. Once it is
            // free, it is I17's.
            Ok(Frame::Dirty { .. } | Frame::Free { .. }) => continue,
            // Who has it cached for reading has been told what is in it.
            Ok(Frame::Shared(_)) if !writable => continue,
            Ok(Frame::Shared(_)) => {
                return Err(frame_violation(
                    16,
                    "it is cached writable, and pages share it",
                    frame,
                ));
            }
            _ => return Err(frame_violation(16, "it is cached, and no domain's", frame)),
        };
        if writable && matches!(owned.kind, Type::Table(_)) {
            return Err(frame_violation(16, "it is cached writable, and a page table", frame));
        }
        let Some(domain) = owner(state, root).and_then(|id| state.domain_of(id)) else { continue };
        let by_handle = domain.handles.iter().any(|(_, handle)| handle.frame == frame);
        if owned.owner != domain.id && !by_handle {
            return Err(frame_violation(16, "it is cached, and another domain's", frame));
        }
    }
    Ok(())
}

/// I17: a frame becomes free after the flush and the scrub: no processor has it cached, and it
/// holds nothing but zeros.
pub(super) fn i17_flushed_and_scrubbed<P: Platform, F: Format>(
    state: &State<P>,
    machine: &ModelMachine<F>,
) -> Audit {
    for (_, frame, _) in machine.cached_pages() {
        if matches!(state.frames.get(frame), Ok(Frame::Free { .. })) {
            return Err(frame_violation(17, "it is free before it was flushed", frame));
        }
    }
    for (frame, entry) in state.frames.iter() {
        if matches!(entry, Frame::Free { .. }) && !machine.is_zero(frame) {
            return Err(frame_violation(17, "it is free before it was scrubbed", frame));
        }
    }
    Ok(())
}

/// I18: what a processor may walk as a table without reading the entry above it is a table, or
/// was one and has not been written since.
pub(super) fn i18_table_memory<P: Platform, F: Format>(
    state: &State<P>,
    machine: &ModelMachine<F>,
) -> Audit {
    for table in machine.cached_tables() {
        let harmless = match state.frames.get(table) {
            Ok(Frame::Owned(owned)) => matches!(owned.kind, Type::Table(_) | Type::WasTable),
            Ok(Frame::Dirty { .. }) => true,
            _ => false,
        };
        if !harmless {
            return Err(frame_violation(18, "it is walked as a table, and is none", table));
        }
    }
    Ok(())
}

/// Whose address space a root is.
fn owner<P: Platform>(state: &State<P>, root: Mfn) -> Option<DomainId> {
    let owner = state.frames.owned(root).ok()?.owner;
    Slot::of(owner).map(|_| owner)
}
