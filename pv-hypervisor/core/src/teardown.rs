//! Taking a domain apart, in bounded steps, until nothing names it any more.
//!
//! The order: its vCPU stops and leaves the roots; the call it was in is turned round; pins
//! and roots go, and with them every page table and every reference of an entry; then ports,
//! handles, grants, pages that share a frame; then what others have reserved for it, and what it keeps in
//! spare memory; then the frames. A frame that
//! another domain still has mapped through a handle stays until that handle is closed, and the
//! domain's identity with it.

use crate::Outcome;
use crate::budget::Budget;
use crate::call::Work;
use crate::domain::{DomainSummary, EndReason, Life, Slot};
use crate::event::{self, PortState};
use crate::format::Format;
use crate::frame::{Hold, Type};
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::pt::{Progress, Walk};
use crate::state::State;
use crate::vcpu::{Mode, RunState};
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Mfn};

/// Frames of the table that one step looks at.
const FRAMES_A_STEP: usize = 160;

/// Records of pages in spare memory that one step looks at.
const RECORDS_A_STEP: usize = 1024;

/// How far the taking apart of a domain is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Teardown {
    /// The call that the vCPU was in is turned round.
    Call,
    /// The roots go.
    Roots(Roots),
    /// Pins go; the cursor runs over the frame table.
    Pins {
        /// The next frame to look at, as an index.
        cursor: usize,
        /// A tree that is being taken apart.
        walk: TreeWalk,
    },
    /// Ports, handles, grants and the registration of the P2M go.
    Links,
    /// Pages that share a frame go; the cursor runs over their records.
    Shares {
        /// The next record to look at, as an index.
        cursor: usize,
    },
    /// What other domains have reserved for it becomes nobody's.
    Names {
        /// The next domain to look at, as an index.
        cursor: usize,
    },
    /// Pages that are kept in spare memory go; the cursor runs over their records.
    Spare {
        /// The next record to look at, as an index.
        cursor: usize,
    },
    /// Frames go; the cursor runs over the frame table.
    Frames {
        /// The next frame to look at, as an index.
        cursor: usize,
    },
    /// Other domains still have frames of it mapped.
    Lingering,
}

/// The walks of the two roots.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Roots(pub(crate) heapless::Vec<Walk, 2>);

/// The walk of a pinned tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TreeWalk(pub(crate) Option<Walk>);

impl<P: Platform> State<P> {
    /// Ends a domain: it never runs again, and no new reference to or from it is made.
    pub(crate) fn end<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        reason: EndReason,
    ) -> Outcome {
        if self.domain(slot).is_running() {
            self.domain_mut(slot).life = Life::Ending { reason, teardown: Teardown::Call };
            self.ending += 1;
            if let Some(vcpu) = &mut self.vcpus[slot.index()] {
                vcpu.state = RunState::Stopped;
                vcpu.deadline = None;
            }
            self.scheduler.remove(slot);
            if self.scheduler.current() == Some(slot) {
                self.scheduler.end_slice();
                self.tlb.load_root(machine, None);
            }
        }
        Outcome::Reschedule
    }

    /// One bounded step of taking ended domains apart. False when there is nothing to do.
    pub(crate) fn teardown_step<M: Machine>(&mut self, machine: &mut M) -> bool {
        if self.ending == 0 {
            return false;
        }
        for index in 0..self.used_slots {
            let slot = Slot(index as u16);
            let Some(domain) = self.domains[index].as_mut() else { continue };
            let Life::Ending { teardown, .. } = &mut domain.life else { continue };
            if *teardown == Teardown::Lingering {
                continue;
            }
            let stage = core::mem::replace(teardown, Teardown::Lingering);
            let next = self.teardown_stage(machine, slot, stage);
            if let Life::Ending { teardown, .. } = &mut self.domain_mut(slot).life {
                *teardown = next;
            }
            self.finish_if_gone(slot);
            return true;
        }
        false
    }

    fn teardown_stage<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        stage: Teardown,
    ) -> Teardown {
        match stage {
            Teardown::Call => self.end_call(machine, slot),
            Teardown::Roots(mut roots) => match roots.0.last_mut() {
                None => Teardown::Pins { cursor: 0, walk: TreeWalk(None) },
                Some(walk) => {
                    if self.walk(machine, slot, walk, &mut Budget::new(self.budget))
                        != Progress::More
                    {
                        roots.0.pop();
                    }
                    Teardown::Roots(roots)
                }
            },
            Teardown::Pins { cursor, walk: TreeWalk(Some(mut walk)) } => {
                let more = self.walk(machine, slot, &mut walk, &mut Budget::new(self.budget))
                    == Progress::More;
                Teardown::Pins { cursor, walk: TreeWalk(more.then_some(walk)) }
            }
            Teardown::Pins { cursor, walk: TreeWalk(None) } => self.end_pins(slot, cursor),
            Teardown::Links => {
                if self.end_one_link(machine, slot) {
                    Teardown::Links
                } else {
                    self.end_registrations(slot);
                    Teardown::Shares { cursor: 0 }
                }
            }
            Teardown::Shares { cursor } => match self.end_shares(machine, slot, cursor) {
                Some(cursor) => Teardown::Shares { cursor },
                None => Teardown::Names { cursor: 0 },
            },
            Teardown::Names { cursor } => self.end_names(slot, cursor),
            Teardown::Spare { cursor } => self.end_spare(slot, cursor),
            Teardown::Frames { cursor } => self.end_frames(slot, cursor),
            Teardown::Lingering => Teardown::Lingering,
        }
    }

    fn end_call<M: Machine>(&mut self, machine: &mut M, slot: Slot) -> Teardown {
        let Some(vcpu) = &mut self.vcpus[slot.index()] else {
            // The domain was never built so far.
            return Teardown::Frames { cursor: 0 };
        };
        if let Some(mut work) = vcpu.work.take() {
            self.cancel_work(&mut work);
            let mut budget = Budget::new(self.budget);
            let done = match &mut work {
                Work::Pin { walk, .. } => self.walk(machine, slot, walk, &mut budget),
                Work::Demote { walk, next } => {
                    match (self.walk(machine, slot, walk, &mut budget), next.take()) {
                        (Progress::Done(_), Some(second)) => {
                            *walk = second;
                            Progress::More
                        }
                        (progress, second) => {
                            *next = second;
                            progress
                        }
                    }
                }
                Work::Update(update) => self.update_entries(machine, slot, update, &mut budget),
                Work::Give(_) | Work::Take(_) | Work::Unshare { .. } | Work::NextOfBatch => {
                    Progress::Done(Ok(()))
                }
            };
            if done == Progress::More {
                self.vcpu_mut(slot).work = Some(work);
                return Teardown::Call;
            }
        }
        let vcpu = self.vcpu_mut(slot);
        // The rest of a batch goes with the call that stood in it.
        vcpu.batch = None;
        vcpu.mode = Mode::Kernel;
        let roots = [vcpu.kernel_root.take(), vcpu.user_root.take()];
        let walks = roots
            .into_iter()
            .flatten()
            .filter_map(|root| self.release_table(root, P::Format::ROOT))
            .collect();
        Teardown::Roots(Roots(walks))
    }

    fn end_pins(&mut self, slot: Slot, cursor: usize) -> Teardown {
        let id = self.domain(slot).id;
        let stop = (cursor + FRAMES_A_STEP).min(self.frames.len());
        for index in cursor..stop {
            let frame = Mfn(self.frames.base().0 + index as u64);
            let Ok(owned) = self.frames.owned_by(frame, id) else { continue };
            if let (Hold::Pinned, Type::Table(level)) = (owned.hold, owned.kind) {
                let walk = self.unpin(slot, frame, level);
                return Teardown::Pins { cursor: index + 1, walk: TreeWalk(walk) };
            }
        }
        if stop == self.frames.len() {
            Teardown::Links
        } else {
            Teardown::Pins { cursor: stop, walk: TreeWalk(None) }
        }
    }

    /// Ends one port, handle, grant or registration of a frame of the P2M. False when there is none.
    fn end_one_link<M: Machine>(&mut self, machine: &mut M, slot: Slot) -> bool {
        let domain = self.domain(slot);
        if let Some(port) = domain.ports.first_dynamic() {
            self.close_port(machine, slot, port);
        } else if let Some(handle) = domain.handles.first() {
            self.close_handle(machine, slot, handle);
        } else if let Some(grant) = domain.grants.first() {
            if let Some(grant) = self.domain_mut(slot).grants.remove(grant) {
                self.release_hold(grant.frame, grant.access);
            }
        } else if let Some(frame) = self.domain_mut(slot).movable.unregister() {
            self.release_hold(frame, Access::ReadWrite);
        } else {
            return false;
        }
        true
    }

    fn end_registrations(&mut self, slot: Slot) {
        let vcpu = self.vcpu(slot);
        let (shared, calls) = ([vcpu.page, vcpu.arguments], vcpu.calls);
        for frame in shared {
            self.release_hold(frame, Access::ReadWrite);
        }
        self.domain_mut(slot).counters.calls = calls;
        self.vcpus[slot.index()] = None;
    }

    /// Takes the domain's name out of one other domain's grants and ports. Identities come
    /// again once all have been used, and what was this domain's must not be the next one's.
    /// The other domain keeps the grant and the port, which are its own to give up.
    fn end_names(&mut self, slot: Slot, cursor: usize) -> Teardown {
        let id = self.domain(slot).id;
        for index in cursor..self.used_slots {
            if let Some(other) = &mut self.domains[index] {
                other.grants.forget_grantee(id);
                other.ports.forget_binder(id);
                return Teardown::Names { cursor: index + 1 };
            }
        }
        self.end_spare(slot, 0)
    }

    /// Gives up the pages that the domain keeps in spare memory: identities come again, and the next domain of this one
    /// is to find none of them.
    fn end_spare(&mut self, slot: Slot, cursor: usize) -> Teardown {
        let id = self.domain(slot).id;
        let kept = &self.frames.kept;
        if cursor >= kept.len() || kept.held_by(id) == 0 {
            return Teardown::Frames { cursor: 0 };
        }
        match kept.first_of(id, cursor, RECORDS_A_STEP) {
            Some(record) => {
                self.frames.spare_end(record);
                Teardown::Spare { cursor: record.position() + 1 }
            }
            None => Teardown::Spare { cursor: cursor + RECORDS_A_STEP },
        }
    }

    fn end_frames(&mut self, slot: Slot, cursor: usize) -> Teardown {
        let id = self.domain(slot).id;
        let stop = (cursor + FRAMES_A_STEP).min(self.frames.len());
        for index in cursor..stop {
            let frame = Mfn(self.frames.base().0 + index as u64);
            let unreferenced =
                self.frames.owned_by(frame, id).is_ok_and(|owned| owned.is_unreferenced());
            let owned = self.frames.owned_by(frame, id).is_ok();
            if unreferenced || owned && self.planted.has(Bug::EndFreesMapped) {
                self.frames.release(frame);
                self.domain_mut(slot).frames -= 1;
            }
        }
        if stop == self.frames.len() {
            Teardown::Lingering
        } else {
            Teardown::Frames { cursor: stop }
        }
    }

    /// Takes away the reference that a grant, a handle or a registration has to a frame, and
    /// frees the frame if it lingered for that alone.
    pub(crate) fn release_hold(&mut self, frame: Mfn, access: Access) {
        let now = self.tlb.now();
        let owned = self.frames.held(frame);
        match access {
            Access::ReadWrite => owned.drop_writable(now),
            Access::Read => owned.drop_reference(now),
        }
        let (owner, unreferenced) = (owned.owner, owned.is_unreferenced());
        if unreferenced && let Some(slot) = self.without_use(owner) {
            self.frames.release(frame);
            self.domain_mut(slot).frames -= 1;
            self.finish_if_gone(slot);
        }
    }

    /// The slot of a domain that has no use for a frame any more: its frames are going, and the
    /// cursor may have passed this one, or all have gone but those that others have mapped.
    fn without_use(&self, id: DomainId) -> Option<Slot> {
        let slot = Slot::of(id)?;
        let domain = self.domains[slot.index()].as_ref()?;
        let Life::Ending { teardown, .. } = &domain.life else { return None };
        let going = matches!(teardown, Teardown::Frames { .. } | Teardown::Lingering);
        (going && domain.id == id).then_some(slot)
    }

    /// Forgets a domain of which nothing is left.
    fn finish_if_gone(&mut self, slot: Slot) {
        let Some(domain) = &self.domains[slot.index()] else { return };
        let Life::Ending { reason, teardown: Teardown::Lingering } = domain.life else { return };
        if domain.frames == 0 && self.vcpus[slot.index()].is_none() {
            self.gone.push(DomainSummary {
                id: domain.id,
                name: domain.name.clone(),
                reason,
                initial_frames: self.initial_frames[slot.index()],
                counters: domain.counters.clone(),
            });
            self.domains[slot.index()] = None;
            self.ending -= 1;
        }
    }

    /// Closes a port of a domain, and leaves the other end reserved for it.
    pub(crate) fn close_port<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        port: hypercall_abi::Port,
    ) {
        let id = self.domain(slot).id;
        if let Ok(PortState::Bound(other, other_port)) = self.domain(slot).ports.get(port)
            && let Ok(other) = self.slot_of(other)
            && (other, other_port) != (slot, port)
            // If this domain ends, the other end may have been closed and its number used again.
            && self.domain(other).ports.get(other_port) == Ok(PortState::Bound(id, port))
            && !self.planted.has(Bug::CloseForgetsPeer)
        {
            self.domain_mut(other).ports.set(other_port, PortState::Unbound(id));
        }
        self.domain_mut(slot).ports.set(port, PortState::Closed);
        let page = self.vcpu(slot).page;
        event::forget(machine, page, port);
    }
}
