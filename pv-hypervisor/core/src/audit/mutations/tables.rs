//! Faults that I9 to I14, I16 and I18 see.

use super::{HYPERVISOR, OWN, PEER, RO, Scene, leaf, speaks};
use crate::format::Format;
use crate::frame::{Hold, Type};
use crate::machine::Machine;
use crate::platform::{Platform, X86_64};
use crate::vcpu::Mode;
use hypercall_abi::Mfn;

/// The entry that names a table, whose references are counted.
fn link(scene: &mut Scene, table: Mfn, word: usize, child: Mfn) {
    scene.poke(table, word, <X86_64 as Platform>::Format::table(child));
    let owned = scene.owned(child);
    owned.references += 1;
    owned.type_count += 1;
}

#[test]
fn i9_an_entry_has_a_forbidden_bit() {
    // An entry that no check lets in refers to nothing, so that the count is one too high.
    speaks([3, 9], |scene| {
        let global = leaf(scene.read_only, RO) | 1 << 8;
        scene.poke(scene.table, 0, global);
    });
    speaks([9], |scene| scene.poke(scene.table, 100, leaf(scene.read_only, RO) & !4));
}

#[test]
fn i9_an_entry_maps_what_is_no_memory() {
    speaks([9], |scene| scene.poke(scene.table, 100, leaf(Mfn(0x9999), RO)));
}

#[test]
fn i9_an_entry_maps_a_frame_that_nobody_owns() {
    speaks([2, 9], |scene| {
        let frame = scene.dirty();
        scene.poke(scene.table, 100, leaf(frame, RO));
    });
}

#[test]
fn i10_a_root_loses_an_entry_of_the_hypervisors() {
    speaks([10], |scene| scene.poke(scene.tables()[0], 256, 0));
    speaks([10], |scene| {
        let root = scene.vcpu(OWN).user_root.unwrap();
        scene.poke(root, 511, leaf(scene.read_only, RO));
    });
}

#[test]
fn i11_what_is_no_table_is_held() {
    speaks([11], |scene| scene.owned(scene.spare).hold = Hold::Valid);
    speaks([11], |scene| scene.owned(scene.writable).hold = Hold::Demoting);
}

#[test]
fn i11_a_table_is_under_way_without_a_walk() {
    // The pin is no pin any more: it leaves counts behind, too.
    speaks([3, 4, 11], |scene| scene.owned(scene.empty).hold = Hold::Promoting);
    speaks([3, 4, 11], |scene| {
        let walked = scene.find(|frame| {
            matches!(frame, crate::frame::Frame::Owned(owned) if owned.hold == Hold::Promoting)
        });
        scene.owned(walked).hold = Hold::Unheld;
        scene.vcpu(PEER).work = None;
    });
}

#[test]
fn i11_a_walk_is_of_another_state_than_its_table() {
    speaks([11], |scene| {
        let walked = scene.find(|frame| {
            matches!(frame, crate::frame::Frame::Owned(owned) if owned.hold == Hold::Promoting)
        });
        scene.owned(walked).hold = Hold::Demoting;
    });
}

#[test]
fn i11_pins_are_miscounted() {
    speaks([11], |scene| scene.domain(OWN).pinned += 1);
    speaks([3, 4, 11], |scene| scene.owned(scene.empty).hold = Hold::Valid);
}

#[test]
fn i12_a_table_names_itself() {
    speaks([12], |scene| {
        let level2 = scene.tables()[2];
        link(scene, level2, 500, level2);
    });
}

#[test]
fn i12_a_table_skips_a_level() {
    speaks([12], |scene| {
        let [root, _, _, level1] = scene.tables();
        link(scene, root, 255, level1);
    });
}

#[test]
fn i12_a_table_names_a_table_of_another_domain() {
    speaks([12], |scene| {
        let theirs = scene.vcpu(PEER).kernel_root.unwrap();
        let value = scene.world.machine.read(theirs, 0);
        let child = Mfn(value >> 12 & 0xff_ffff_ffff);
        let root = scene.tables()[0];
        link(scene, root, 255, child);
    });
}

#[test]
fn i13_a_root_is_no_root_table() {
    // It leaves the counts of both tables behind.
    speaks([3, 4, 13], |scene| scene.vcpu(OWN).user_root = Some(scene.table));
}

#[test]
fn i13_a_process_runs_without_a_root() {
    speaks([13], |scene| {
        scene.end_call_of_peer();
        scene.vcpu(PEER).mode = Mode::User;
    });
}

#[test]
fn i13_the_processor_is_on_another_root() {
    speaks([13], |scene| {
        let other = scene.vcpu(PEER).kernel_root;
        *scene.world.state.tlb.corrupt_root() = other;
    });
    speaks([13], |scene| {
        let other = scene.vcpu(PEER).kernel_root;
        scene.world.machine.load_root(other);
    });
}

#[test]
fn i14_an_absent_entry_names_a_frame() {
    speaks([14], |scene| scene.poke(scene.table, 100, 0x5000));
    speaks([14], |scene| scene.poke(scene.tables()[1], 100, HYPERVISOR.0 << 12));
}

#[test]
fn i16_a_frame_of_another_domain_is_cached() {
    speaks([16], |scene| {
        let root = scene.tables()[0];
        scene.world.machine.corrupt_page(root, scene.offered, false);
    });
}

#[test]
fn i16_a_page_table_is_cached_writable() {
    speaks([16], |scene| {
        let root = scene.tables()[0];
        scene.world.machine.corrupt_page(root, scene.empty, true);
    });
}

#[test]
fn i16_a_frame_of_the_hypervisor_is_cached() {
    speaks([16], |scene| {
        let root = scene.tables()[0];
        scene.world.machine.corrupt_page(root, HYPERVISOR, false);
    });
}

#[test]
fn i18_what_is_written_is_walked_as_a_table() {
    speaks([18], |scene| {
        let root = scene.tables()[0];
        assert_eq!(scene.owned(scene.writable).kind, Type::Writable);
        scene.world.machine.corrupt_table(root, scene.writable);
    });
}

#[test]
fn i18_what_is_free_is_walked_as_a_table() {
    speaks([18], |scene| {
        let (root, free) = (scene.tables()[0], scene.free());
        scene.world.machine.corrupt_table(root, free);
    });
}
