//! However little one entry may do, each does something: a call comes to its end.

use hypercall_abi::calls::pte_update::{Target, Update};
use hypercall_abi::calls::{Call, PteUpdate};
use hypercall_abi::registers::Riscv64Registers;
use hypercall_abi::{Features, Mfn, Status};
use pv_core::format::{Format, Toy};
use pv_core::model::ModelMachine;
use pv_core::{Config, Entry, Machine, Outcome, Region, RegionKind, State, ToyPlatform};

#[test]
fn a_list_of_updates_goes_on_with_one_unit_of_work_an_entry() {
    let config = Config {
        ticks_per_second: 1000,
        slice_ticks: 1000,
        scatter_stride: 1,
        features: Features::empty(),
    };
    let memory = [Region { start: Mfn(1), count: 8, kind: RegionKind::Free }];
    let mut state = State::<ToyPlatform>::new(config, &memory).unwrap();
    let mut machine = ModelMachine::<Toy>::default();
    let domain = state.create_small_domain(&mut machine, 1, 8).unwrap();
    state.set_budget(1);
    state.switch_to(&mut machine, domain.slot);

    // An entry of the root, one of level 1, and the root's again.
    let root =
        Update::new(Target::Entry { table: domain.root, index: 0 }, Toy::table(domain.table));
    let leaf = Update::new(Target::Entry { table: domain.table, index: 0 }, 0);
    for (index, Update { target, value }) in [root, leaf, root].into_iter().enumerate() {
        machine.write_block(domain.arguments, 2 * index, &[target.0, value]);
    }
    let [a0, a1, ..] = PteUpdate::Many(3).encode();
    let mut registers =
        Riscv64Registers { a0, a1, a7: PteUpdate::NUMBER as u64, ..Default::default() };
    let mut outcome = state.enter(&mut machine, domain.slot, &mut registers, Entry::Call);
    for _ in 0..20 {
        if outcome == Outcome::Reschedule {
            outcome = state.resume(&mut machine, domain.slot, &mut registers);
        }
    }
    assert_eq!(outcome, Outcome::Return, "the call makes no progress");
    assert_eq!((Status(registers.a0), registers.a1), (Status::SUCCESS, 3));
}
