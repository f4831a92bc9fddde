//! Copies of a state into one that is there already. Most places of its tables are empty in
//! both: a search copies a state at every step.

use crate::platform::Platform;
use crate::state::State;

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
        copy_table(&mut *self.domains, &**domains);
        copy_table(&mut *self.vcpus, &**vcpus);
        self.identities.clone_from(identities);
        self.initial_frames.clone_from(initial_frames);
        self.earliest_deadline = *earliest_deadline;
        self.gone.clone_from(gone);
        self.ending = *ending;
        self.budget = *budget;
        self.sharing.clone_from(sharing);
        self.reclaim.clone_from(reclaim);
        self.planted = *planted;
        self.platform = *platform;
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
