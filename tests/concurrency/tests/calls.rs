//! Calls of two domains on two processors: one state, one lock, every order in which it can be
//! had. After each step under the lock the audit recomputes every count. What the processor does
//! without the lock: it marks entries of page tables.

use concurrency::{Shared, Words, holds};
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, Port};
use loom::sync::{Arc, Mutex};
use loom::thread;
use pv_core::format::{Format, Permissions};
use pv_core::vcpu::RunState;
use pv_core::{EndReason, Entry, Machine, Next, Outcome, Registers as _, X86_64};
use pv_guest::pending::EventWord;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };
/// The domains, by their index and by their identity.
const GRANTER: usize = 0;
const GRANTEE: usize = 1;
const GRANTER_ID: DomainId = DomainId(1);
const GRANTEE_ID: DomainId = DomainId(2);

type Locked = Arc<Mutex<World<X86_64>>>;

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    pv_core::format::X86_64::leaf(frame, permissions)
}

fn page(world: &World<X86_64>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: false }
}

/// Small domains, to be copied once for each interleaving.
fn world() -> World<X86_64> {
    World::with_memory(2, 40, 100)
}

/// Makes a call as a processor does: the lock is had for each step of it, and others may have
/// it between two.
fn call<C: Call>(world: &Locked, domain: usize, call: &C) -> Result<u64, Error> {
    let mut held = world.lock().unwrap();
    held.begin(domain, C::NUMBER as u64, call.encode());
    while held.is_inside(domain) {
        drop(held);
        held = world.lock().unwrap();
        held.step(domain);
    }
    held.answer(domain).map_err(|(error, _)| error)
}

/// A copy for one interleaving. It is made on a stack of its own: those that loom gives are too
/// small for the tables of 128 domains.
fn copy<T: Clone + Send + Sync>(base: &T) -> T {
    std::thread::scope(|scope| scope.spawn(|| base.clone()).join().unwrap())
}

/// Plays `granter` and `grantee` on two processors, and takes both domains apart at the end.
fn plays(
    base: World<X86_64>,
    granter: impl Fn(&Locked) + Send + Sync + Copy + 'static,
    grantee: impl Fn(&Locked) + Send + Sync + Copy + 'static,
) {
    holds(move || {
        let world: Locked = Arc::new(Mutex::new(copy(&base)));
        let theirs = world.clone();
        let other = thread::spawn(move || grantee(&theirs));
        granter(&world);
        other.join().unwrap();
        world.lock().unwrap().finish_all();
    });
}

/// Counts of frames and pins of grants: a frame is shared, mapped, written, given back and
/// ballooned away, all at once.
#[test]
fn grants_come_and_go() {
    /// Whether the grant could be revoked, whether it could be mapped.
    static SEEN: std::sync::Mutex<BTreeSet<(bool, bool)>> = std::sync::Mutex::new(BTreeSet::new());
    static MAPPED: AtomicBool = AtomicBool::new(false);
    let mut base = world();
    let frame = base.p2m(GRANTER, 36);
    base.update(GRANTER, page(&base, 36), 0).unwrap();
    let granter = move |world: &Locked| {
        let share = GrantShare { domain: GRANTEE_ID, frame, access: Access::ReadWrite };
        let grant = GrantRef(call(world, GRANTER, &share).unwrap() as u32);
        let revoked = call(world, GRANTER, &GrantRevoke { grant });
        assert!(matches!(revoked, Ok(0) | Err(Error::Busy)), "{revoked:?}");
        let held = {
            let mut held = world.lock().unwrap();
            let arguments = held.state.vcpu(held.slots[GRANTER]).arguments;
            held.machine.write(arguments, 0, frame.0);
            held.call(GRANTER, &BalloonInflate::frames(1))
        };
        // Gone exactly when nothing holds it any more.
        assert_eq!(held.is_ok(), revoked.is_ok(), "{held:?}");
        SEEN.lock().unwrap().insert((revoked.is_ok(), MAPPED.load(Ordering::SeqCst)));
    };
    let target = page(&base, 36);
    let grantee = move |world: &Locked| {
        MAPPED.store(false, Ordering::SeqCst);
        let map = GrantMap { domain: GRANTER_ID, grant: GrantRef(0), access: Access::ReadWrite };
        match call(world, GRANTEE, &map) {
            Ok(value) => {
                MAPPED.store(true, Ordering::SeqCst);
                let handle = MappedGrant::from_value(value).handle;
                let update = PteUpdate::One(Update::new(target, leaf(frame, RW)));
                call(world, GRANTEE, &update).unwrap();
                assert_eq!(call(world, GRANTEE, &GrantUnmap { handle }), Err(Error::Busy));
                let update = PteUpdate::One(Update::new(target, 0));
                call(world, GRANTEE, &update).unwrap();
                call(world, GRANTEE, &GrantUnmap { handle }).unwrap();
            }
            Err(error) => assert_eq!(error, Error::NoGrant),
        }
    };
    plays(base, granter, grantee);
    let seen = SEEN.lock().unwrap();
    assert!(seen.contains(&(false, true)), "revoked too late: {seen:?}");
    assert!(seen.contains(&(true, true)), "revoked after it was unmapped: {seen:?}");
    assert!(seen.contains(&(true, false)), "revoked before it was mapped: {seen:?}");
}

/// A tree is validated in many steps while another domain maps the frames that it names.
#[test]
fn a_validation_is_interleaved_with_grants_of_its_frames() {
    let mut base = world();
    let [table, named] = [36, 37].map(|pfn| base.p2m(GRANTER, pfn));
    base.update(GRANTER, page(&base, 36), 0).unwrap();
    base.update(GRANTER, page(&base, 37), 0).unwrap();
    for word in [0, 1] {
        base.machine.write(table, word, leaf(named, RO));
    }
    base.machine.write(table, 2, leaf(named, RW));
    let share = GrantShare { domain: GRANTEE_ID, frame: named, access: Access::Read };
    base.call(GRANTER, &share).unwrap();
    // Three steps or so.
    base.state.set_budget(100);
    let granter = move |world: &Locked| {
        assert_eq!(call(world, GRANTER, &PtPin { frame: table, level: Level::L1 }), Ok(0));
        assert_eq!(call(world, GRANTER, &PtUnpin { frame: table }), Ok(0));
    };
    let grantee = move |world: &Locked| {
        let map = GrantMap { domain: GRANTER_ID, grant: GrantRef(0), access: Access::Read };
        let handle = MappedGrant::from_value(call(world, GRANTEE, &map).unwrap()).handle;
        call(world, GRANTEE, &GrantUnmap { handle }).unwrap();
    };
    plays(base, granter, grantee);
}

/// The granter is destroyed while its frame is being mapped: the frame stays until the handle
/// goes, and nothing of the domain afterwards.
#[test]
fn a_granter_ends_while_its_frame_is_mapped() {
    let mut base = world();
    let frame = base.p2m(GRANTER, 36);
    let share = GrantShare { domain: GRANTEE_ID, frame, access: Access::Read };
    base.call(GRANTER, &share).unwrap();
    base.switch_to(GRANTEE);
    let granter = move |world: &Locked| {
        {
            let mut held = world.lock().unwrap();
            let World { state, machine, .. } = &mut *held;
            state.end_domain(machine, GRANTER_ID, EndReason::Destroyed);
        }
        for _ in 0..4 {
            let mut held = world.lock().unwrap();
            let World { state, machine, .. } = &mut *held;
            let next = state.schedule(machine);
            assert!(matches!(next, Next::Run(_)), "{next:?}");
            held.audit();
        }
    };
    let grantee = move |world: &Locked| {
        let map = GrantMap { domain: GRANTER_ID, grant: GrantRef(0), access: Access::Read };
        match call(world, GRANTEE, &map) {
            Ok(value) => {
                let handle = MappedGrant::from_value(value).handle;
                call(world, GRANTEE, &GrantUnmap { handle }).unwrap();
            }
            Err(error) => assert_eq!(error, Error::NoDomain),
        }
    };
    plays(base, granter, grantee);
}

/// A vCPU goes to sleep while an event is sent to it: it does not sleep with the event pending.
#[test]
fn going_to_sleep_misses_no_event() {
    let mut base = world();
    let port = base.call(GRANTER, &EventAlloc { domain: GRANTEE_ID }).unwrap();
    let bind = EventBind { domain: GRANTER_ID, port: Port(port as u32) };
    let far = Port(base.call(GRANTEE, &bind).unwrap() as u32);
    holds(move || {
        let world: Locked = Arc::new(Mutex::new(copy(&base)));
        let theirs = world.clone();
        let sender = thread::spawn(move || call(&theirs, GRANTEE, &EventSend { port: far }));
        world.lock().unwrap().begin(GRANTER, SchedBlock::NUMBER as u64, SchedBlock.encode());
        assert_eq!(sender.join().unwrap(), Ok(0));
        let held = world.lock().unwrap();
        assert_eq!(held.state.vcpu(held.slots[GRANTER]).state, RunState::Runnable);
    });
}

/// The processor marks an entry as accessed and dirty while it is replaced: it ends as it was
/// written, and the references of what it was are dropped once.
#[test]
fn an_entry_is_replaced_while_it_is_marked() {
    let mut base = world();
    let [frame, other] = [36, 37].map(|pfn| base.p2m(GRANTER, pfn));
    let address = base.physmap(36);
    base.switch_to(GRANTER);
    let (slot, root) = (base.slots[GRANTER], base.state.tlb.root().unwrap());
    let mut table = root;
    for level in [Level::L4, Level::L3, Level::L2] {
        let value = base.machine.read(table, pv_core::format::X86_64::index(address, level));
        table = Mfn(value >> 12 & 0xff_ffff_ffff);
    }
    let index = pv_core::format::X86_64::index(address, Level::L1);
    let marks = 0x60;
    let fresh = leaf(frame, RW) & !marks;
    base.update(GRANTER, page(&base, 36), fresh).unwrap();
    let update = PteUpdate::One(Update::new(page(&base, 36), leaf(other, RO) & !marks));
    holds(move || {
        let words = Words::new([(table, index, fresh)]);
        let walker = words.clone();
        let processor = thread::spawn(move || {
            let entry = walker.get(table, index).unwrap();
            let value = entry.load(Ordering::Relaxed);
            // It marks what it has used, if that is still there.
            (value, entry.mark(value, marks))
        });
        let World { mut state, machine, mut registers, .. } = copy(&base);
        let mut machine = Shared::<X86_64>::new(&words, machine);
        let registers = &mut registers[GRANTER];
        registers.set_call(PteUpdate::NUMBER as u64, &update.encode());
        let outcome = state.enter(&mut machine, slot, registers, Entry::Call);
        assert_eq!(outcome, Outcome::Return);
        assert_eq!(registers.rax, 0, "the update is made");
        let (used, marked) = processor.join().unwrap();
        let now = machine.read(table, index);
        let new = leaf(other, RO) & !marks;
        let expected = if marked && used == new { new | marks } else { new };
        assert_eq!(now, expected, "the entry is the new one");
        pv_core::audit::audit(&state, &machine).unwrap_or_else(|violation| panic!("{violation}"));
    });
}
