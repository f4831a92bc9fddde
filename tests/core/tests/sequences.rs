//! Arbitrary sequences of calls of two domains, interleaved at every resumption point, with
//! the audit of the state and of every cached translation after each step; then both domains
//! end, wherever they are, and every frame comes back.

use crate::sharing::register;
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::*;
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{DomainId, GrantHandle, GrantRef, Mfn, Pfn, Port, VirtAddr};
use proptest::prelude::*;
use pv_core::format::{Format, Permissions};
use pv_core::model;
use pv_core::share::{PageName, Side};
use pv_core::{Machine, Platform, Riscv64Sv39, X86_64};

/// Pages of each domain that the sequences play with; they are not mapped at the start.
const POOL: u64 = 4;
const FIRST: u64 = 100;

#[derive(Clone, Debug)]
enum Op {
    Create(usize, u64),
    Pin(usize, u64),
    Unpin(usize),
    Switch(usize, usize),
    /// Entry `index` of pool frame `table` becomes: nothing, a leaf, a table.
    Entry(usize, u16, usize, u8),
    /// Page `page` of the map of memory maps a pool frame.
    Page(u64, usize, u8),
    /// The guest writes an entry by itself, where it can.
    Poke(usize, u16, usize, u8),
    Touch(u64),
    Flush,
    Share(usize, bool),
    Revoke(u32),
    Map(u32, bool),
    Unmap(u32),
    Inflate(usize),
    Deflate(u64),
    Alloc,
    Bind(u32),
    Send(u32),
    Close(u32),
    Many(Vec<(usize, u16, usize, u8)>),
    /// The operator's hypervisor is to merge two pages, and goes on with that for some steps.
    Merge((usize, u64), (usize, u64), u8),
    /// Page `page` of the map of memory maps a page by its name.
    Name(u64, u64, bool),
    /// An entry of a table does.
    NameIn(usize, u16, u64, bool),
    Advise(u64, bool),
    Break(u64),
    Register,
    Step,
}

fn op() -> impl Strategy<Value = Op> {
    let frame = || 0..(2 * POOL as usize);
    let owned = || (0usize..2, 0..POOL);
    let slot = || prop_oneof![0u16..3, Just(255u16), Just(256u16), Just(511u16)];
    let entry = || (frame(), slot(), frame(), 0u8..4);
    prop_oneof![
        (frame(), 1u64..5).prop_map(|(frame, level)| Op::Create(frame, level)),
        (frame(), 1u64..5).prop_map(|(frame, level)| Op::Pin(frame, level)),
        frame().prop_map(Op::Unpin),
        (frame(), frame()).prop_map(|(kernel, user)| Op::Switch(kernel, user)),
        entry().prop_map(|(table, index, frame, kind)| Op::Entry(table, index, frame, kind)),
        entry().prop_map(|(table, index, frame, kind)| Op::Entry(table, index, frame, kind)),
        (0..POOL, frame(), 0u8..4).prop_map(|(page, frame, kind)| Op::Page(page, frame, kind)),
        (0..POOL, frame(), 0u8..4).prop_map(|(page, frame, kind)| Op::Page(page, frame, kind)),
        entry().prop_map(|(table, index, frame, kind)| Op::Poke(table, index, frame, kind)),
        (0..POOL).prop_map(Op::Touch),
        Just(Op::Flush),
        (frame(), any::<bool>()).prop_map(|(frame, write)| Op::Share(frame, write)),
        (0u32..4).prop_map(Op::Revoke),
        (0u32..4, any::<bool>()).prop_map(|(grant, write)| Op::Map(grant, write)),
        (0u32..4).prop_map(Op::Unmap),
        frame().prop_map(Op::Inflate),
        (1u64..6).prop_map(Op::Deflate),
        Just(Op::Alloc),
        (3u32..8).prop_map(Op::Bind),
        (0u32..8).prop_map(Op::Send),
        (0u32..8).prop_map(Op::Close),
        prop::collection::vec(entry(), 1..6).prop_map(Op::Many),
        (owned(), owned(), 0u8..40).prop_map(|(one, other, steps)| Op::Merge(one, other, steps)),
        (owned(), owned(), Just(40)).prop_map(|(one, other, steps)| Op::Merge(one, other, steps)),
        (0..POOL, 0..POOL, any::<bool>()).prop_map(|(at, page, write)| Op::Name(at, page, write)),
        (frame(), slot(), 0..POOL, any::<bool>())
            .prop_map(|(table, index, page, write)| Op::NameIn(table, index, page, write)),
        (0..POOL, any::<bool>()).prop_map(|(page, share)| Op::Advise(page, share)),
        (0..POOL).prop_map(Op::Break),
        Just(Op::Register),
        Just(Op::Step),
        Just(Op::Step),
    ]
}

struct Play<P: Platform> {
    world: World<P>,
    pool: Vec<Mfn>,
}

impl<P: Platform> Play<P> {
    fn new(budget: u32) -> Self {
        let mut world = World::<P>::new(2, 128);
        let mut pool = Vec::new();
        for domain in 0..2 {
            for page in FIRST..FIRST + POOL {
                pool.push(world.p2m(domain, page));
                let address = world.physmap(page);
                let target = Target::Page { space: Space::Kernel, address, flush: true };
                world.update(domain, target, 0).unwrap();
            }
        }
        assert!(world.state.enable_sharing(POOL as usize, 3));
        for domain in 0..2 {
            world.state.set_sharing_group(world.slots[domain], 1);
            register(&mut world, domain);
            let advise =
                ShareAdvise { first: Pfn(FIRST), count: POOL, advice: Advice::Share, content: 0 };
            world.call(domain, &advise).unwrap();
        }
        world.state.set_budget(budget);
        Play { world, pool }
    }

    fn value(&self, frame: usize, kind: u8) -> u64 {
        let frame = self.pool[frame];
        match kind {
            0 => 0,
            1 => P::Format::leaf(frame, Permissions { write: false, execute: true }),
            2 => P::Format::leaf(frame, Permissions { write: true, execute: false }),
            _ => P::Format::table(frame),
        }
    }

    fn page(&self, page: u64) -> VirtAddr {
        self.world.physmap(FIRST + page)
    }

    fn access(write: bool) -> Access {
        if write { Access::ReadWrite } else { Access::Read }
    }

    /// Makes the processor cache all that it can: the next step meets the stalest cache that
    /// there may be.
    fn warm(&mut self) {
        for page in 0..POOL {
            let _ = self.world.machine.access(self.page(page), model::Access::Read);
        }
        self.world.audit();
    }

    fn begin<C: Call>(&mut self, domain: usize, call: &C) {
        self.world.begin(domain, C::NUMBER as u64, call.encode());
    }

    fn name(&mut self, domain: usize, target: Target, page: u64, write: bool) {
        let permissions = Permissions { write, execute: false };
        let value = P::Format::leaf(Mfn(FIRST + page), permissions);
        self.begin(domain, &PteUpdate::One(Update::of_page(target, value)));
    }

    /// A write that the processor does not make: the hypervisor's affair, or the guest's, which
    /// ends of it unless the write is made to a shared page.
    fn fault(&mut self, domain: usize, address: u64) {
        let shared = self.world.state.domain(self.world.slots[domain]).movable.shared_pages();
        if shared == 0 {
            return;
        }
        let _ = self.world.fault(domain, VirtAddr(address), FaultAccess::WRITE);
    }

    fn play(&mut self, domain: usize, op: &Op) {
        if !self.world.is_running(domain) || self.world.is_inside(domain) {
            self.world.step(domain);
            return;
        }
        let peer = DomainId(2 - domain as u16);
        match *op {
            Op::Step => self.world.step(domain),
            Op::Create(frame, level) => {
                let Some(level) = Level::new(level) else { return };
                self.begin(domain, &PtCreate { frame: self.pool[frame], level });
            }
            Op::Pin(frame, level) => {
                let Some(level) = Level::new(level) else { return };
                self.begin(domain, &PtPin { frame: self.pool[frame], level });
            }
            Op::Unpin(frame) => self.begin(domain, &PtUnpin { frame: self.pool[frame] }),
            Op::Switch(kernel, user) => {
                // The kernel stays on its own root: what it runs on is not at stake here.
                let kernel_root =
                    if kernel < 7 { RootChange::Keep } else { RootChange::Set(self.pool[kernel]) };
                let user_root =
                    if user == 0 { RootChange::Clear } else { RootChange::Set(self.pool[user]) };
                self.begin(domain, &PtSwitch { kernel_root, user_root });
            }
            Op::Entry(table, index, frame, kind) => {
                let target = Target::Entry { table: self.pool[table], index };
                let update = Update::new(target, self.value(frame, kind));
                self.begin(domain, &PteUpdate::One(update));
            }
            Op::Page(page, frame, kind) => {
                let target =
                    Target::Page { space: Space::Kernel, address: self.page(page), flush: false };
                let update = Update::new(target, self.value(frame, kind));
                self.begin(domain, &PteUpdate::One(update));
            }
            Op::Poke(page, index, frame, kind) => {
                let value = self.value(frame, kind);
                let address = self.page(page as u64 % POOL).0 + u64::from(index) * 8;
                self.world.switch_to(domain);
                let write = model::Access::Write(value);
                if self.world.machine.access(VirtAddr(address), write).is_err() {
                    self.fault(domain, address);
                    let _ = self.world.machine.access(VirtAddr(address), write);
                }
            }
            Op::Merge((one, page), (other, other_page), steps) => {
                let name = |domain: usize, page| {
                    let domain = DomainId(domain as u16 + 1);
                    PageName { domain, page: Pfn(FIRST + page) }
                };
                let (first, second) = (Side::Page(name(one, page)), name(other, other_page));
                self.world.state.want_merge(&self.world.machine, first, second);
                for _ in 0..steps {
                    if !self.world.state.merge_step(&mut self.world.machine) {
                        break;
                    }
                    self.world.audit();
                }
            }
            Op::Name(at, page, write) => {
                let address = self.page(at);
                let target = Target::Page { space: Space::Kernel, address, flush: false };
                self.name(domain, target, page, write);
            }
            Op::NameIn(table, index, page, write) => {
                self.name(domain, Target::Entry { table: self.pool[table], index }, page, write);
            }
            Op::Advise(page, share) => {
                let advice = if share { Advice::Share } else { Advice::Keep };
                let first = Pfn(FIRST + page);
                self.begin(domain, &ShareAdvise { first, count: 1, advice, content: 0 });
            }
            Op::Break(page) => {
                self.begin(domain, &ShareBreak { first: Pfn(FIRST + page), count: 1 })
            }
            Op::Register => self.begin(domain, &P2mRegister { count: 1 }),
            Op::Touch(page) => {
                self.world.switch_to(domain);
                let _ = self.world.machine.access(self.page(page), model::Access::Read);
            }
            Op::Flush => self.begin(domain, &TlbFlush { scope: tlb_flush::FlushScope::All }),
            Op::Share(frame, write) => {
                let frame = self.pool[frame];
                self.begin(
                    domain,
                    &GrantShare { domain: peer, frame, access: Self::access(write) },
                );
            }
            Op::Revoke(grant) => self.begin(domain, &GrantRevoke { grant: GrantRef(grant) }),
            Op::Map(grant, write) => {
                let (grant, access) = (GrantRef(grant), Self::access(write));
                self.begin(domain, &GrantMap { domain: peer, grant, access });
            }
            Op::Unmap(nth) => {
                let slot = self.world.slots[domain];
                let handles = &self.world.state.domain(slot).handles;
                let live = handles.iter().nth(nth as usize).map(|(name, _)| name);
                let handle = live.unwrap_or(GrantHandle(nth));
                self.begin(domain, &GrantUnmap { handle });
            }
            Op::Inflate(frame) => {
                let arguments = self.world.state.vcpu(self.world.slots[domain]).arguments;
                let frame = self.pool[frame];
                self.world.machine.write(arguments, 0, frame.0);
                self.begin(domain, &BalloonInflate::frames(1));
            }
            Op::Deflate(count) => self.begin(domain, &BalloonDeflate::frames(count)),
            Op::Alloc => self.begin(domain, &EventAlloc { domain: peer }),
            Op::Bind(port) => self.begin(domain, &EventBind { domain: peer, port: Port(port) }),
            Op::Send(port) => self.begin(domain, &EventSend { port: Port(port) }),
            Op::Close(port) => self.begin(domain, &EventClose { port: Port(port) }),
            Op::Many(ref entries) => {
                let arguments = self.world.state.vcpu(self.world.slots[domain]).arguments;
                for (at, (table, index, frame, kind)) in entries.iter().enumerate() {
                    let target = Target::Entry { table: self.pool[*table], index: *index };
                    let update = Update::new(target, self.value(*frame, *kind));
                    self.world.machine.write(arguments, at * 2, update.target.0);
                    self.world.machine.write(arguments, at * 2 + 1, update.value);
                }
                self.begin(domain, &PteUpdate::Many(entries.len() as u64));
            }
        }
    }
}

fn run<P: Platform>(budget: u32, ops: &[(u8, Op)]) {
    let mut play = Play::<P>::new(budget);
    let mut domain = 0;
    for (switch, op) in ops {
        // A switch flushes everything: most steps stay with their domain.
        if *switch == 0 {
            domain = 1 - domain;
        }
        play.play(domain, op);
        play.warm();
    }
    play.world.finish();
}

fn plays() -> impl Strategy<Value = (u32, Vec<(u8, Op)>)> {
    let budget = prop_oneof![Just(1u32), Just(40u32), Just(2048u32)];
    (budget, prop::collection::vec((0u8..8, op()), 1..50))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    /// Clauses: PT_PIN.15 PT_UNPIN.10 PTE_UPDATE.16 CALL.7 FRAME.9 FRAME.10 FRAME.11 FRAME.16
    /// Advisories: XSA-37 XSA-218 XSA-242 XSA-280 XSA-299
    #[test]
    fn every_invariant_holds_x86_64((budget, ops) in plays()) {
        run::<X86_64>(budget, &ops);
    }

    /// Clauses: PT_PIN.15 PT_UNPIN.10 PTE_UPDATE.16 CALL.7 FRAME.9 FRAME.10 FRAME.11 FRAME.16
    #[test]
    fn every_invariant_holds_sv39((budget, ops) in plays()) {
        run::<Riscv64Sv39>(budget, &ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    #[ignore = "takes half a minute: `cargo xtask test` has it"]
    fn every_invariant_holds_for_long_x86_64((budget, ops) in plays()) {
        run::<X86_64>(budget, &ops);
    }

    #[test]
    #[ignore = "takes half a minute: `cargo xtask test` has it"]
    fn every_invariant_holds_for_long_sv39((budget, ops) in plays()) {
        run::<Riscv64Sv39>(budget, &ops);
    }
}
