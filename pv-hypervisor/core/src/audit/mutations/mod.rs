//! Each invariant of the audit can fail: in a state that is rich enough, one seeded fault makes
//! the audit speak that should see it. A test's name begins with the invariant's number.
//!
//! Each test gives every invariant that its fault breaks, and no other may speak. Most faults
//! break one; where the counts or the lists go with the thing that is broken, they speak too.

mod away;
#[path = "../../../../../tests/core/src/lib.rs"]
#[allow(dead_code, reason = "the tests of the core use the rest of it")]
mod common;
mod cow;
mod domains;
mod frames;
mod sharing;
mod spare;
mod tables;
mod vcpu;

use super::translations::{
    i13_hardware_root, i16_no_harmful_stale_translation, i17_flushed_and_scrubbed, i18_table_memory,
};
use super::{AUDITED, Truth, recompute};
use crate::audit::mutations::common::World;
use crate::call::Work;
use crate::domain::{Domain, EndReason, Life, Slot};
use crate::format::{Format, Permissions};
use crate::frame::{Frame, Owned};
use crate::machine::Machine;
use crate::platform::{Platform, X86_64};
use crate::state::State;
use crate::teardown::Teardown;
use crate::vcpu::Vcpu;
use alloc::collections::BTreeSet;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, GrantRef, Mfn, Port, VirtAddr};
use std::sync::OnceLock;

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };

/// A frame of the hypervisor's, and one that is no memory.
const HYPERVISOR: Mfn = Mfn(0x110);
const RESERVED: Mfn = Mfn(0x120);

/// The domains of the scene: the one that is corrupted, its peer, one that is being taken
/// apart, one that lingers for a frame that the first has mapped.
const OWN: usize = 0;
const PEER: usize = 1;
const ENDING: usize = 2;
const LINGERING: usize = 3;

/// A state in which there is something of everything.
#[derive(Clone)]
struct Scene {
    world: World<X86_64>,
    /// Frames of the first domain: unreferenced; mapped for reading; mapped for writing.
    spare: Mfn,
    read_only: Mfn,
    writable: Mfn,
    /// Its pinned level-1 table: entry 0 maps `read_only`, 1 and 2 the peer's two frames, 3 the
    /// lingering domain's.
    table: Mfn,
    /// Its pinned and empty level-1 table.
    empty: Mfn,
    /// Frames of the peer's, mapped by the first domain for writing and for reading, and one
    /// that is granted and not mapped.
    given: Mfn,
    lent: Mfn,
    offered: Mfn,
    grants: [GrantRef; 3],
    /// A frame of the lingering domain's.
    left: Mfn,
    /// The frame that page 86 of the first domain and of the peer share.
    shared: Mfn,
    /// The first domain's end of a channel to the peer, and a port for the peer to bind.
    bound: Port,
    unbound: Port,
}

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    <X86_64 as Platform>::Format::leaf(frame, permissions)
}

/// The pages of the domains that the scene uses.
fn page(world: &World<X86_64>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: true }
}

/// A frame of a domain's, mapped as `permissions` say.
fn frame(
    world: &mut World<X86_64>,
    domain: usize,
    pfn: u64,
    permissions: Option<Permissions>,
) -> Mfn {
    let frame = world.p2m(domain, pfn);
    let value = permissions.map_or(0, |permissions| leaf(frame, permissions));
    world.update(domain, page(world, pfn), value).unwrap();
    frame
}

/// A grant of a frame of `from`'s to the first domain.
fn share(world: &mut World<X86_64>, from: usize, frame: Mfn, access: Access) -> GrantRef {
    let share = GrantShare { domain: DomainId(1), frame, access };
    GrantRef(world.call(from, &share).unwrap() as u32)
}

fn map(world: &mut World<X86_64>, from: usize, grant: GrantRef, access: Access) -> MappedGrant {
    let domain = world.state.domain(world.slots[from]).id;
    MappedGrant::from_value(world.call(OWN, &GrantMap { domain, grant, access }).unwrap())
}

impl Scene {
    fn build() -> Scene {
        let mut world = World::<X86_64>::new(4, 96);
        let w = &mut world;
        let spare = frame(w, OWN, 80, None);
        let read_only = frame(w, OWN, 81, Some(RO));
        let writable = frame(w, OWN, 82, Some(RW));
        let [table, empty] = [83, 84].map(|pfn| {
            let table = frame(w, OWN, pfn, Some(RO));
            w.call(OWN, &PtCreate { frame: table, level: Level::L1 }).unwrap();
            table
        });
        let root = frame(w, OWN, 85, Some(RO));
        w.call(OWN, &PtCreate { frame: root, level: Level::L4 }).unwrap();
        let user_root = RootChange::Set(root);
        w.call(OWN, &PtSwitch { kernel_root: RootChange::Keep, user_root }).unwrap();
        w.call(OWN, &TrapRegister { entry: VirtAddr(0x1000_0000), stack: VirtAddr(0x5000_0000) })
            .unwrap();

        let [given, lent, offered] = [80, 81, 82].map(|pfn| frame(w, PEER, pfn, None));
        let left = frame(w, LINGERING, 80, None);
        let grants = [
            share(w, PEER, given, Access::ReadWrite),
            share(w, PEER, lent, Access::Read),
            share(w, PEER, offered, Access::Read),
        ];
        map(w, PEER, grants[0], Access::ReadWrite);
        map(w, PEER, grants[1], Access::Read);
        let grant = share(w, LINGERING, left, Access::Read);
        map(w, LINGERING, grant, Access::Read);
        let entries =
            [leaf(read_only, RO), leaf(given, RW), leaf(lent, RO), leaf(left, RO)].into_iter();
        for (index, value) in entries.enumerate() {
            w.update(OWN, Target::Entry { table, index: index as u16 }, value).unwrap();
        }
        let bound = w.call(OWN, &EventAlloc { domain: DomainId(2) }).unwrap();
        let bound = Port(bound as u32);
        w.call(PEER, &EventBind { domain: DomainId(1), port: bound }).unwrap();
        let unbound = Port(w.call(OWN, &EventAlloc { domain: DomainId(2) }).unwrap() as u32);

        let shared = cow::share_a_page(w);
        away::put_pages_away(w);
        spare::keep_pages(w);
        w.state.end_domain(&mut w.machine, DomainId(4), EndReason::Destroyed);
        while !matches!(Self::teardown_of(w, LINGERING), Some(Teardown::Lingering)) {
            let _ = w.state.schedule(&mut w.machine);
        }
        // The peer is in the middle of validating a table, the third domain of taking one apart.
        let half = frame(w, PEER, 83, None);
        for word in 0..16 {
            w.machine.write(half, word, leaf(offered, RO));
        }
        w.state.set_budget(1);
        w.begin(PEER, PtPin::NUMBER as u64, PtPin { frame: half, level: Level::L1 }.encode());
        for _ in 0..8 {
            w.step(PEER);
        }
        w.switch_to(OWN);
        w.state.end_domain(&mut w.machine, DomainId(3), EndReason::Destroyed);
        while !Self::teardown_of(w, ENDING).is_some_and(
            |teardown| matches!(teardown, Teardown::Pins { walk, .. } if walk.0.is_some()),
        ) {
            let _ = w.state.schedule(&mut w.machine);
        }
        for _ in 0..100 {
            let _ = w.state.schedule(&mut w.machine);
        }
        for _ in 0..3 {
            let State { frames, tlb, .. } = &mut w.state;
            frames.scrub_one(&mut w.machine, tlb);
        }
        let peer = w.state.vcpu(w.slots[PEER]);
        assert!(matches!(peer.work, Some(Work::Pin { .. })), "the peer is in its call");
        Scene {
            world,
            spare,
            read_only,
            writable,
            table,
            empty,
            given,
            lent,
            offered,
            grants,
            left,
            shared,
            bound,
            unbound,
        }
    }

    fn teardown_of(world: &World<X86_64>, domain: usize) -> Option<&Teardown> {
        match &world.state.domain(world.slots[domain]).life {
            Life::Ending { teardown, .. } => Some(teardown),
            Life::Running => None,
        }
    }

    fn slot(&self, domain: usize) -> Slot {
        self.world.slots[domain]
    }

    fn domain(&mut self, domain: usize) -> &mut Domain {
        let slot = self.slot(domain);
        self.world.state.domain_mut(slot)
    }

    fn vcpu(&mut self, domain: usize) -> &mut Vcpu {
        let slot = self.slot(domain);
        self.world.state.vcpu_mut(slot)
    }

    fn owned(&mut self, frame: Mfn) -> &mut Owned {
        self.world.state.frames.held(frame)
    }

    /// The peer comes to the end of its call.
    fn end_call_of_peer(&mut self) {
        self.world.state.set_budget(2048);
        while self.world.is_inside(PEER) {
            self.world.step(PEER);
        }
        self.world.switch_to(OWN);
    }

    /// Some frame of that state.
    fn find(&self, wanted: impl Fn(&Frame) -> bool) -> Mfn {
        self.world.state.frames.iter().find(|(_, frame)| wanted(frame)).unwrap().0
    }

    fn free(&self) -> Mfn {
        self.find(|frame| matches!(frame, Frame::Free { .. }))
    }

    fn dirty(&self) -> Mfn {
        self.find(|frame| matches!(frame, Frame::Dirty { .. }))
    }

    /// Writes a word of a frame, as nobody may.
    fn poke(&mut self, frame: Mfn, word: usize, value: u64) {
        self.world.machine.write(frame, word, value);
    }

    /// The kernel root of the first domain, and the tables below it on the way to its map of
    /// memory: levels 4, 3, 2, 1.
    fn tables(&self) -> [Mfn; 4] {
        let mut tables = [self.world.state.vcpu(self.slot(OWN)).kernel_root.unwrap(); 4];
        for (above, level) in [Level::L4, Level::L3, Level::L2].into_iter().enumerate() {
            let address = self.world.physmap(0);
            let index = <X86_64 as Platform>::Format::index(address, level);
            let value = self.world.machine.read(tables[above], index);
            tables[above + 1] = Mfn(value >> 12 & 0xff_ffff_ffff);
        }
        tables
    }

    /// Every invariant that does not hold.
    fn broken(&self) -> BTreeSet<u8> {
        let (state, machine) = (&self.world.state, &self.world.machine);
        let truth = Truth::of(state, machine);
        let of_state = AUDITED.iter().map(|number| recompute(*number, state, machine, &truth));
        let of_machine = [
            i13_hardware_root(state, machine),
            i16_no_harmful_stale_translation(state, machine),
            i17_flushed_and_scrubbed(state, machine),
            i18_table_memory(state, machine),
        ];
        let audits = of_state.chain(of_machine);
        audits.filter_map(Result::err).map(|violation| violation.invariant).collect()
    }
}

/// Seeds a fault, and compares what speaks with what should.
fn speaks<const N: usize>(expected: [u8; N], fault: impl FnOnce(&mut Scene)) {
    let mut scene = unharmed();
    fault(&mut scene);
    judge(&scene, BTreeSet::from(expected));
}

fn unharmed() -> Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    let scene = SCENE.get_or_init(Scene::build).clone();
    assert_eq!(scene.broken(), BTreeSet::new(), "before the fault");
    scene
}

fn judge(scene: &Scene, expected: BTreeSet<u8>) {
    assert_eq!(scene.broken(), expected, "after the fault");
    // What a caller of the audit is told is the first of them that a state shows.
    if let Err(violation) = super::audit(&scene.world.state, &scene.world.machine) {
        assert!(expected.contains(&violation.invariant), "{violation}");
    }
}
