//! Copies of a state into one that is there already. Most places of its tables are empty in
//! both: a search copies a state at every step.

use super::ModelMachine;
use crate::format::Format;
use crate::platform::Platform;
use crate::state::State;
use alloc::sync::Arc;

impl<P: Platform> State<P> {
    /// Makes this state equal to another, as a clone is.
    pub fn copy_from(&mut self, other: &State<P>) {
        let State {
            config,
            frames,
            tlb,
            scheduler,
            domains,
            vcpus,
            used_slots,
            identities,
            initial_frames,
            earliest_deadline,
            gone,
            ending,
            budget,
            sharing,
            reclaim,
            planted,
            platform,
        } = other;
        self.config = *config;
        self.frames.clone_from(frames);
        self.tlb.clone_from(tlb);
        self.scheduler.clone_from(scheduler);
        // The others are empty in both.
        let used = self.used_slots.max(*used_slots);
        self.used_slots = *used_slots;
        copy_table(&mut self.domains[..used], &domains[..used]);
        copy_table(&mut self.vcpus[..used], &vcpus[..used]);
        self.identities[..used].copy_from_slice(&identities[..used]);
        self.initial_frames[..used].copy_from_slice(&initial_frames[..used]);
        self.earliest_deadline = *earliest_deadline;
        self.gone.clone_from(gone);
        self.ending = *ending;
        self.budget = *budget;
        // In a search nothing is shared, nor put away.
        if self.sharing != *sharing {
            self.sharing.clone_from(sharing);
        }
        if self.reclaim != *reclaim {
            self.reclaim.clone_from(reclaim);
        }
        self.planted = *planted;
        self.platform = *platform;
    }
}

impl<F: Format> Clone for ModelMachine<F> {
    fn clone(&self) -> Self {
        let mut machine = ModelMachine::default();
        machine.clone_from(self);
        machine
    }

    fn clone_from(&mut self, other: &Self) {
        let ModelMachine {
            frames,
            root,
            leaves,
            tables,
            clock,
            alarm,
            console,
            flushes,
            swap_pages,
            swap_depth,
            swap_waits,
            swap_fails,
            transfers,
            swapped,
            format,
        } = other;
        self.frames.resize(frames.len(), None);
        for (to, from) in self.frames.iter_mut().zip(frames) {
            let is_same = match (&*to, from) {
                (Some(to), Some(from)) => Arc::ptr_eq(to, from),
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                to.clone_from(from);
            }
        }
        self.root = *root;
        self.leaves.clone_from(leaves);
        self.tables.clone_from(tables);
        self.clock = *clock;
        self.alarm = *alarm;
        self.console.clone_from(console);
        self.flushes = *flushes;
        self.swap_pages = *swap_pages;
        self.swap_depth = *swap_depth;
        self.swap_waits = *swap_waits;
        self.swap_fails = *swap_fails;
        self.transfers.clone_from(transfers);
        self.swapped.clone_from(swapped);
        self.format = *format;
    }
}

fn copy_table<T: Clone>(to: &mut [Option<T>], from: &[Option<T>]) {
    for (to, from) in to.iter_mut().zip(from) {
        if to.is_some() || from.is_some() {
            to.clone_from(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::format::Toy;
    use crate::model::ModelMachine;
    use crate::{Config, EndReason, Region, RegionKind, State, ToyPlatform};
    use hypercall_abi::{Features, Mfn};

    #[test]
    fn a_copy_is_equal_whatever_was_there() {
        let config = Config {
            ticks_per_second: 1000,
            slice_ticks: 10,
            scatter_stride: 1,
            features: Features::empty(),
        };
        let memory = [Region { start: Mfn(1), count: 20, kind: RegionKind::Free }];
        let mut machine = ModelMachine::<Toy>::default();
        let empty = State::<ToyPlatform>::new(config, &memory).unwrap();
        let mut state = empty.clone();
        let domain = state.create_small_domain(&mut machine, 2, 20).unwrap();
        let full = state.clone();
        state.end_domain(&mut machine, domain.id, EndReason::Destroyed);
        let _ = state.schedule(&mut machine);
        assert_ne!(state, full);
        for other in [&full, &empty, &full] {
            state.copy_from(other);
            assert_eq!(state, *other);
        }
    }
}
