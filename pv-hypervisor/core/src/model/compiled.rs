//! The core over the model, for each platform, compiled once in this crate: a program of tests
//! takes it from here, where it would compile all of it again.

use super::{ModelMachine, canonical::canonical};
use crate::{Platform, Riscv64Sv39, Riscv64Sv48, State, X86_64, audit::audit};
use core::hint::black_box;

/// Names what tests call, so that it is compiled.
fn name<P: Platform>() {
    black_box([
        State::<P>::new as *const (),
        State::<P>::enter::<ModelMachine<P::Format>> as *const (),
        State::<P>::schedule::<ModelMachine<P::Format>> as *const (),
        State::<P>::resume::<ModelMachine<P::Format>> as *const (),
        State::<P>::alarm::<ModelMachine<P::Format>> as *const (),
        State::<P>::end_if_stuck::<ModelMachine<P::Format>> as *const (),
        State::<P>::end_domain::<ModelMachine<P::Format>> as *const (),
        State::<P>::console_input::<ModelMachine<P::Format>> as *const (),
        State::<P>::create_domain::<ModelMachine<P::Format>> as *const (),
        State::<P>::create_small_domain::<ModelMachine<P::Format>> as *const (),
        audit::<P, ModelMachine<P::Format>> as *const (),
        canonical::<P> as *const (),
    ]);
}

/// Does nothing.
pub fn compiled() {
    name::<X86_64>();
    name::<Riscv64Sv39>();
    name::<Riscv64Sv48>();
}
