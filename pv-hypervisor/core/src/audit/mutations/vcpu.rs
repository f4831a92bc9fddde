//! Faults that I23, I33, I34, I36, I38 and I41 see.

use super::{OWN, PEER, Scene, speaks};
use crate::balloon::{Claim, Giving, Taking};
use crate::call::{BatchCursor, Work};
use crate::frame::Type;
use crate::pt::{Source, Then, UpdateWork};
use crate::vcpu::{Mode, RunState, TrapEntry};
use hypercall_abi::extent::Order;
use hypercall_abi::vcpu_page::{MASK_OFFSET, PENDING_OFFSET};
use hypercall_abi::{Mfn, VirtAddr};

#[test]
fn i23_an_interface_frame_is_not_held() {
    // It is mapped by its domain too, as a frame that can be written.
    speaks([7, 23], |scene| {
        let frame = scene.vcpu(OWN).arguments;
        let owned = scene.owned(frame);
        (owned.kind, owned.type_count) = (Type::None, 0);
    });
}

#[test]
fn i33_an_interface_frame_is_anothers() {
    // Both frames' counts are wrong then.
    speaks([3, 4, 33], |scene| scene.vcpu(OWN).arguments = scene.given);
}

#[test]
fn i33_one_frame_is_two_areas() {
    speaks([3, 4, 33], |scene| {
        let page = scene.vcpu(OWN).page;
        scene.vcpu(OWN).arguments = page;
    });
}

#[test]
fn i34_a_runnable_vcpu_is_on_no_queue() {
    speaks([34], |scene| {
        let slot = scene.slot(PEER);
        scene.world.state.scheduler.remove(slot);
    });
}

#[test]
fn i34_a_sleeping_vcpu_waits_for_the_processor() {
    speaks([34], |scene| {
        scene.end_call_of_peer();
        scene.vcpu(PEER).state = RunState::Blocked;
    });
}

/// The peer sleeps, outside of any call, with these bits in its page.
fn sleep(scene: &mut Scene, pending: u64, mask: u64) {
    scene.end_call_of_peer();
    let slot = scene.slot(PEER);
    scene.world.state.scheduler.remove(slot);
    let vcpu = scene.vcpu(PEER);
    vcpu.state = RunState::Blocked;
    let page = vcpu.page;
    scene.poke(page, PENDING_OFFSET / 8, pending);
    scene.poke(page, MASK_OFFSET / 8, mask);
}

#[test]
fn i34_a_vcpu_sleeps_with_an_event_pending() {
    speaks([34], |scene| sleep(scene, 0b10010, 0b00010));
    speaks([], |scene| sleep(scene, 0b00010, 0b00010));
}

#[test]
fn i34_a_timer_is_forgotten() {
    speaks([34], |scene| scene.vcpu(OWN).deadline = Some(1_000_000));
}

#[test]
fn i36_traps_are_taken_out_of_range() {
    let good = TrapEntry { entry: VirtAddr(0x1000), stack: VirtAddr(0x2000) };
    let end = 1 << 47;
    for bad in [
        TrapEntry { entry: VirtAddr(end), ..good },
        TrapEntry { stack: VirtAddr(end + 16), ..good },
        TrapEntry { stack: VirtAddr(0x2008), ..good },
    ] {
        speaks([36], |scene| scene.vcpu(OWN).traps = Some(bad));
    }
    speaks([], |scene| scene.vcpu(OWN).traps = Some(good));
}

#[test]
fn i38_a_process_is_in_a_call() {
    // It has no root for processes either.
    speaks([13, 38], |scene| scene.vcpu(PEER).mode = Mode::User);
}

#[test]
fn i38_a_sleeping_vcpu_is_in_a_call() {
    speaks([38], |scene| {
        let slot = scene.slot(PEER);
        scene.world.state.scheduler.remove(slot);
        let vcpu = scene.vcpu(PEER);
        vcpu.state = RunState::Blocked;
        let page = vcpu.page;
        scene.poke(page, PENDING_OFFSET / 8, 0);
    });
}

#[test]
fn i41_a_call_counts_beyond_the_argument_frame() {
    let updates = |scene: &mut Scene, done, count| {
        let source = Source::Arguments(scene.vcpu(OWN).arguments);
        Work::Update(UpdateWork::new(source, done, count, Then::Return))
    };
    speaks([41], |scene| scene.vcpu(OWN).work = Some(updates(scene, 0, 257)));
    speaks([41], |scene| scene.vcpu(OWN).work = Some(updates(scene, 3, 2)));
    speaks([], |scene| scene.vcpu(OWN).work = Some(updates(scene, 2, 256)));
    let giving = |done, count| Giving { done, ..Giving::new(count, Order::Frame, false) };
    speaks([41], |scene| scene.vcpu(OWN).work = Some(Work::Give(giving(0, 513))));
    let taking = |done, count, claim| Taking { done, count, order: Order::Extent, claim };
    speaks([41], |scene| scene.vcpu(OWN).work = Some(Work::Take(taking(9, 8, None))));
    let claim = Some(Claim { first: Mfn(0x200), taken: 512, lost: 0 });
    speaks([41], |scene| scene.vcpu(OWN).work = Some(Work::Take(taking(0, 8, claim))));
}

#[test]
fn i41_a_batch_runs_beyond_its_end() {
    for (next, count) in [(64, 64), (3, 65)] {
        speaks([41], |scene| {
            let vcpu = scene.vcpu(OWN);
            vcpu.work = Some(Work::NextOfBatch);
            vcpu.batch = Some(BatchCursor { next, count });
        });
    }
}

#[test]
fn i41_a_batch_is_under_way_without_its_call() {
    speaks([41], |scene| scene.vcpu(OWN).work = Some(Work::NextOfBatch));
    speaks([41], |scene| scene.vcpu(OWN).batch = Some(BatchCursor { next: 0, count: 2 }));
}
