//! I23, I33, I34, I36, I38 and I41: vCPUs, the frames they share, and the calls they are in.

use super::{Audit, domain_violation, frame_violation, vcpus};
use crate::balloon::{Giving, Taking};
use crate::call::Work;
use crate::event::any_pending;
use crate::format::Format;
use crate::frame::Type;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::{Mode, RunState, Vcpu};
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::{balloon_deflate, balloon_inflate, batch, pte_update, share_break};
use hypercall_abi::extent::EXTENT_FRAMES;

/// I23: the frames that the hypervisor writes for a vCPU are held writable: they can become
/// neither page tables nor another's.
pub(super) fn i23_interface_frames<P: Platform>(state: &State<P>) -> Audit {
    for (_, vcpu) in state.vcpus() {
        for frame in [vcpu.page, vcpu.arguments] {
            let owned = state.frames.owned(frame);
            if owned.is_ok_and(|owned| owned.kind != Type::Writable) {
                return Err(frame_violation(23, "an interface frame is not held", frame));
            }
        }
    }
    Ok(())
}

/// I33: those frames are the vCPU's own domain's, and no two of them are the same.
pub(super) fn i33_registered_areas<P: Platform>(state: &State<P>) -> Audit {
    for (_, vcpu, domain) in vcpus(state) {
        let id = domain.id;
        for frame in [vcpu.page, vcpu.arguments] {
            if state.frames.owned_by(frame, id).is_err() {
                return Err(frame_violation(33, "an interface frame is another's", frame));
            }
        }
        if vcpu.page == vcpu.arguments {
            return Err(frame_violation(33, "one frame is two areas", vcpu.page));
        }
    }
    Ok(())
}

/// I34: a vCPU waits for the processor exactly when it is runnable and has it not, once; one
/// that sleeps has no event pending; no timer is forgotten.
pub(super) fn i34_no_lost_event<P: Platform, M: Machine>(state: &State<P>, machine: &M) -> Audit {
    for (slot, vcpu, domain) in vcpus(state) {
        let waiting = state.scheduler.waiting().filter(|waiting| *waiting == slot).count();
        let has_it = usize::from(state.scheduler.current() == Some(slot));
        let agrees = match vcpu.state {
            RunState::Runnable => waiting + has_it == 1,
            // It may hold the processor until the next look of the scheduler.
            RunState::Blocked | RunState::Stopped => waiting == 0,
        };
        if !agrees {
            let what = "its vCPU is runnable and never runs, or not and does";
            return Err(domain_violation(34, what, domain.id));
        }
        // A domain whose page another may write is told what that other likes.
        let shared = domain
            .grants
            .iter()
            .any(|(_, grant)| grant.frame == vcpu.page && grant.access == Access::ReadWrite);
        // One that waits for a frame takes its events when there is one.
        let sleeps = vcpu.state == RunState::Blocked && !vcpu.waits_for_frame;
        if sleeps && !shared && any_pending(machine, vcpu.page) {
            return Err(domain_violation(34, "its vCPU sleeps with an event pending", domain.id));
        }
        if vcpu.deadline.is_some_and(|deadline| deadline < state.earliest_deadline) {
            return Err(domain_violation(34, "its timer is forgotten", domain.id));
        }
    }
    Ok(())
}

/// I36: where traps are taken lies in the guest's range, and the stack is one that the
/// processor can push on.
pub(super) fn i36_registered_addresses<P: Platform>(state: &State<P>) -> Audit {
    for (_, vcpu, domain) in vcpus(state) {
        let Some(traps) = vcpu.traps else { continue };
        let end = P::Format::GUEST_END;
        if traps.entry.0 >= end || traps.stack.0 > end || !traps.stack.0.is_multiple_of(16) {
            return Err(domain_violation(36, "its traps are taken out of its range", domain.id));
        }
    }
    Ok(())
}

/// I38: a vCPU that is in the middle of a call is in its kernel, and awake.
pub(super) fn i38_caller_mode<P: Platform>(state: &State<P>) -> Audit {
    for (_, vcpu, domain) in vcpus(state) {
        let in_call = vcpu.work.is_some() || vcpu.batch.is_some();
        if in_call && (vcpu.mode != Mode::Kernel || vcpu.state == RunState::Blocked) {
            return Err(domain_violation(38, "it is in a call that it cannot make", domain.id));
        }
    }
    Ok(())
}

/// I41: what is left of a call counts within the argument frame, and a batch is under way
/// only as a batch.
pub(super) fn i41_bounded_cursors<P: Platform>(state: &State<P>) -> Audit {
    for (_, vcpu, domain) in vcpus(state) {
        if !cursors_are_bounded(vcpu) {
            return Err(domain_violation(41, "what is left of its call has no bounds", domain.id));
        }
    }
    Ok(())
}

fn cursors_are_bounded(vcpu: &Vcpu) -> bool {
    let in_batch = match vcpu.batch {
        Some(cursor) => {
            cursor.next < cursor.count && cursor.count <= batch::MAX_ENTRIES && vcpu.work.is_some()
        }
        None => vcpu.work != Some(Work::NextOfBatch),
    };
    let in_call = match &vcpu.work {
        Some(Work::Update(update)) => {
            update.done() <= update.count() && update.count() <= pte_update::MAX_UPDATES
        }
        Some(Work::Give(Giving { done, count, released, .. })) => {
            let begun = u64::from(*released) < EXTENT_FRAMES;
            done <= count && *count <= balloon_inflate::MAX_FRAMES && begun
        }
        Some(Work::Take(Taking { done, count, claim, .. })) => {
            let claimed = claim.is_none_or(|claim| u64::from(claim.taken) < EXTENT_FRAMES);
            done <= count && *count <= balloon_deflate::MAX_FRAMES && claimed
        }
        Some(Work::Unshare { first: _, done, count }) => {
            done <= count && *count <= share_break::MAX_PAGES
        }
        Some(Work::Pin { .. } | Work::Demote { .. } | Work::NextOfBatch) | None => true,
    };
    in_batch && in_call
}
