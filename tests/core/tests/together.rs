//! All that moves memory, interleaved: pages are written, shared, put away, broken up, given to the
//! balloon and taken back, granted, made tables; with the audit after each step, and every page
//! compared with what its domain wrote.

use crate::sharing::register;
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::*;
use hypercall_abi::extent::Order;
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, Pfn, VirtAddr};
use proptest::prelude::*;
use pv_core::format::{Format, Permissions};
use pv_core::share::{HashKind, ScanConfig};
use pv_core::vcpu::RunState;
use pv_core::{EndReason, Machine, Outcome, Platform, Riscv64Sv39, X86_64, model};

const FIRST: u64 = 100;
const PAGES: usize = 6;

const RO: Permissions = Permissions { write: false, execute: false };
const RW: Permissions = Permissions { write: true, execute: false };

#[derive(Clone, Debug)]
enum Op {
    Write {
        domain: usize,
        page: usize,
        word: usize,
        value: u64,
    },
    Fill {
        domain: usize,
        page: usize,
        content: u64,
    },
    Read {
        domain: usize,
        page: usize,
    },
    /// Frames that are taken by force; none for no limit.
    Limit {
        domain: usize,
        frames: Option<u64>,
    },
    Reclaim(u32),
    Share(u32),
    /// By which function pages are hashed from here on, also such as are being hashed.
    Hash(HashKind),
    /// How many times the swap device is asked before its next transfer ends.
    Device(u32),
    Break {
        domain: usize,
        page: usize,
    },
    /// A page goes to the balloon, or comes back from it.
    Balloon {
        domain: usize,
        page: usize,
    },
    /// A page is granted to the other domain, which maps it; or the grant ends.
    Grant {
        domain: usize,
        page: usize,
    },
    /// A page of zeros is validated as a table, and let go.
    Table {
        domain: usize,
        page: usize,
    },
    End {
        domain: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let (domain, page) = (0..2usize, 0..PAGES);
    let place = (domain.clone(), page);
    prop_oneof![
        4 => (place.clone(), 0..512usize, any::<u64>())
            .prop_map(|((domain, page), word, value)| Op::Write { domain, page, word, value }),
        4 => (place.clone(), 0..6u64)
            .prop_map(|((domain, page), content)| Op::Fill { domain, page, content }),
        3 => place.clone().prop_map(|(domain, page)| Op::Read { domain, page }),
        2 => (domain.clone(), prop::option::weighted(0.7, 0..8u64))
            .prop_map(|(domain, frames)| Op::Limit { domain, frames }),
        1 => (1..60u32).prop_map(Op::Device),
        6 => (1..150u32).prop_map(Op::Reclaim),
        4 => (1..150u32).prop_map(Op::Share),
        2 => (1..4u32).prop_map(Op::Share),
        1 => prop::sample::select(&[HashKind::Xxh3, HashKind::SipHash][..]).prop_map(Op::Hash),
        1 => place.clone().prop_map(|(domain, page)| Op::Break { domain, page }),
        2 => place.clone().prop_map(|(domain, page)| Op::Balloon { domain, page }),
        2 => place.clone().prop_map(|(domain, page)| Op::Grant { domain, page }),
        1 => place.prop_map(|(domain, page)| Op::Table { domain, page }),
        1 => domain.prop_map(|domain| Op::End { domain }),
    ]
}

/// What a domain has in one of its pages.
#[derive(Clone, PartialEq)]
enum Content {
    Words(Vec<u64>),
    /// It was given to the balloon.
    Hole,
}

struct Play<P: Platform> {
    world: World<P>,
    pages: [Vec<Content>; 2],
    /// Of each page, the grant that the other domain has mapped.
    grants: [[Option<(GrantRef, u64)>; PAGES]; 2],
    ended: [bool; 2],
}

fn word_of(content: u64, word: u64) -> u64 {
    match content {
        0 => 0,
        // Such as do not compress.
        5 => (word | 1 << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(2),
        other => other * (word / 64),
    }
}

impl<P: Platform> Play<P> {
    fn new() -> Self {
        let mut world = World::<P>::new(2, 128);
        world.machine.swap_pages = 3;
        world.machine.swap_depth = 2;
        assert!(world.state.enable_sharing(100, 2));
        assert!(world.state.enable_reclaim(1 << 13, 3, 5));
        assert!(world.state.enable_scanner(ScanConfig {
            pages_per_second: 1_000_000_000,
            host_pages_per_second: 1_000_000_000,
            hints: 64,
            secret: [3, 4],
            hash_bits: 64,
        }));
        let mut play =
            Play { world, pages: [vec![], vec![]], grants: [[None; PAGES]; 2], ended: [false; 2] };
        for domain in 0..2 {
            play.world.state.set_sharing_group(play.world.slots[domain], 1);
            register(&mut play.world, domain);
            for page in 0..PAGES {
                play.pages[domain].push(Content::Words(vec![0; 512]));
                let frame = play.frame(domain, page);
                play.world.machine.zero(frame);
                play.advise(domain, page, Advice::Share);
            }
        }
        play
    }

    fn frame(&self, domain: usize, page: usize) -> Mfn {
        self.world.p2m(domain, FIRST + page as u64)
    }

    fn address(&self, page: usize) -> VirtAddr {
        self.world.physmap(FIRST + page as u64)
    }

    fn advise(&mut self, domain: usize, page: usize, advice: Advice) {
        let first = Pfn(FIRST + page as u64);
        let advise = ShareAdvise { first, count: 1, advice, content: 0 };
        self.world.call(domain, &advise).unwrap();
    }

    fn id(&self, domain: usize) -> DomainId {
        DomainId(domain as u16 + 1)
    }

    /// An access by way of the processor, as the guest makes it. `None`: it waits for a frame.
    fn access(
        &mut self,
        domain: usize,
        page: usize,
        word: usize,
        write: Option<u64>,
    ) -> Option<u64> {
        let world = &mut self.world;
        world.switch_to(domain);
        let address = VirtAddr(world.physmap(FIRST + page as u64).0 + 8 * word as u64);
        let access = write.map_or(model::Access::Read, model::Access::Write);
        for _ in 0..200 {
            if let Ok(value) = world.machine.access(address, access) {
                return Some(value);
            }
            let how = if write.is_some() { FaultAccess::WRITE } else { FaultAccess::empty() };
            let outcome = world.fault(domain, address, how);
            let is_runnable = world.state.vcpu(world.slots[domain]).state == RunState::Runnable;
            if outcome == Outcome::Reschedule && is_runnable {
                // The swap device brings the page.
                world.switch_to(domain);
                continue;
            }
            assert_eq!(
                world.state.domain(world.slots[domain]).counters.traps,
                0,
                "no fault is the guest's"
            );
            if outcome == Outcome::Reschedule {
                return None;
            }
        }
        panic!("the access never succeeds");
    }

    /// Has a page keep a frame of its own; false: there is none.
    fn keep(&mut self, domain: usize, page: usize) -> bool {
        let first = Pfn(FIRST + page as u64);
        self.advise(domain, page, Advice::Keep);
        let kept = self.world.call(domain, &ShareBreak { first, count: 1 }).is_ok();
        if !kept {
            self.advise(domain, page, Advice::Share);
        }
        kept
    }

    fn map(&mut self, domain: usize, page: usize, value: u64) -> Result<u64, Error> {
        let address = self.address(page);
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        self.world.update(domain, target, value)
    }

    fn play(&mut self, op: Op) {
        match op {
            Op::Write { domain, page, .. }
            | Op::Fill { domain, page, .. }
            | Op::Read { domain, page }
            | Op::Break { domain, page }
            | Op::Table { domain, page }
                if self.ended[domain] || self.pages[domain][page] == Content::Hole => {}
            Op::Balloon { domain, .. } | Op::Grant { domain, .. } if self.ended[domain] => {}
            Op::Write { domain, page, word, value } => self.write(domain, page, word, value),
            Op::Fill { domain, page, content } => {
                self.write(domain, page, 0, word_of(content, 0));
                let Content::Words(words) = &mut self.pages[domain][page] else { return };
                let frame = self.world.p2m(domain, FIRST + page as u64);
                // If the write had to wait the page is not the domain's alone.
                if self.world.state.frames.get(frame).is_ok_and(|frame| {
                    matches!(frame, pv_core::frame::Frame::Owned(owned) if owned.owner == DomainId(domain as u16 + 1))
                }) {
                    for (word, known) in words.iter_mut().enumerate() {
                        *known = word_of(content, word as u64);
                        self.world.machine.write(frame, word, *known);
                    }
                }
            }
            Op::Read { domain, page } => self.check(domain, page),
            Op::Limit { domain, frames } => {
                let slot = self.world.slots[domain];
                if !self.ended[domain] {
                    let has = self.world.state.domain(slot).frames;
                    let limit = frames.map(|frames| has.saturating_sub(frames));
                    let id = self.id(domain);
                    assert!(self.world.state.set_forced_limit(id, limit));
                }
            }
            Op::Reclaim(steps) => self.steps(steps, true),
            Op::Share(steps) => self.steps(steps, false),
            Op::Device(waits) => self.world.machine.swap_waits = waits,
            Op::Hash(kind) => self.world.state.set_group_hash(1, kind),
            Op::Break { domain, page } => {
                let first = Pfn(FIRST + page as u64);
                let _ = self.world.call(domain, &ShareBreak { first, count: 1 });
            }
            Op::Balloon { domain, page } => self.balloon(domain, page),
            Op::Grant { domain, page } => self.grant(domain, page),
            Op::Table { domain, page } => self.table(domain, page),
            Op::End { domain } => {
                let id = self.id(domain);
                self.world.state.end_domain(&mut self.world.machine, id, EndReason::Destroyed);
                self.ended[domain] = true;
                for _ in 0..6 {
                    let _ = self.world.state.schedule(&mut self.world.machine);
                    self.world.audit();
                }
            }
        }
        self.world.audit();
    }

    fn write(&mut self, domain: usize, page: usize, word: usize, value: u64) {
        if self.access(domain, page, word, Some(value)).is_some()
            && let Content::Words(words) = &mut self.pages[domain][page]
        {
            words[word] = value;
        }
    }

    fn check(&mut self, domain: usize, page: usize) {
        for word in [0, 63, 64, 300, 511] {
            let found = self.access(domain, page, word, None);
            if let (Some(found), Content::Words(words)) = (found, &self.pages[domain][page]) {
                assert_eq!(found, words[word], "domain {domain}, page {page}, word {word}");
            }
        }
    }

    fn steps(&mut self, steps: u32, reclaim: bool) {
        for _ in 0..steps {
            self.world.machine.advance(1_000_000);
            let state = &mut self.world.state;
            let worked = if reclaim {
                state.reclaim_step(&mut self.world.machine)
            } else {
                state.share_step(&mut self.world.machine)
            };
            if worked {
                self.world.audit();
            }
        }
    }

    fn balloon(&mut self, domain: usize, page: usize) {
        let arguments = self.world.state.vcpu(self.world.slots[domain]).arguments;
        let map = self.world.p2m(domain, 3);
        let slot = (FIRST as usize) + page;
        if self.pages[domain][page] != Content::Hole {
            if self.grants[domain][page].is_some() || !self.keep(domain, page) {
                return;
            }
            let frame = self.frame(domain, page);
            self.map(domain, page, 0).unwrap();
            self.world.machine.write(arguments, 0, frame.0);
            let give = BalloonInflate { count: 1, order: Order::Frame };
            if self.world.call(domain, &give) != Ok(1) {
                // A domain that is being taken apart has it mapped still.
                assert!(self.ended[1 - domain]);
                self.map(domain, page, P::Format::leaf(frame, RW)).unwrap();
                self.advise(domain, page, Advice::Share);
                return;
            }
            self.world.machine.write(map, slot, Mfn::NONE.0);
            self.pages[domain][page] = Content::Hole;
        } else if self.world.call(domain, &BalloonDeflate { count: 1, order: Order::Frame })
            == Ok(1)
        {
            let frame = Mfn(self.world.machine.read(arguments, 0));
            self.world.machine.write(map, slot, frame.0);
            self.map(domain, page, P::Format::leaf(frame, RW)).unwrap();
            self.advise(domain, page, Advice::Share);
            self.pages[domain][page] = Content::Words(vec![0; 512]);
        }
    }

    fn grant(&mut self, domain: usize, page: usize) {
        let other = 1 - domain;
        if let Some((grant, handle)) = self.grants[domain][page].take() {
            if !self.ended[other] {
                let unmap = GrantUnmap { handle: hypercall_abi::GrantHandle(handle as u32) };
                self.world.call(other, &unmap).unwrap();
            }
            // What a domain that has ended had mapped may be held still.
            let _ = self.world.call(domain, &GrantRevoke { grant });
            return;
        }
        if self.ended[other] || self.pages[domain][page] == Content::Hole {
            return;
        }
        if !self.keep(domain, page) {
            return;
        }
        // The page may be moved as far as the domain says, and is not: the grant holds its frame.
        self.advise(domain, page, Advice::Share);
        let (peer, frame) = (self.id(other), self.frame(domain, page));
        let share = GrantShare { domain: peer, frame, access: Access::ReadWrite };
        let grant = GrantRef(self.world.call(domain, &share).unwrap() as u32);
        let map = GrantMap { domain: self.id(domain), grant, access: Access::ReadWrite };
        let mapped = grant_map::MappedGrant::from_value(self.world.call(other, &map).unwrap());
        self.grants[domain][page] = Some((grant, u64::from(mapped.handle.0)));
    }

    fn table(&mut self, domain: usize, page: usize) {
        let zeros = Content::Words(vec![0; 512]);
        if self.pages[domain][page] != zeros
            || self.grants[domain][page].is_some()
            || self.ended[1 - domain]
            || !self.keep(domain, page)
        {
            return;
        }
        let frame = self.frame(domain, page);
        self.map(domain, page, P::Format::leaf(frame, RO)).unwrap();
        self.world.call(domain, &PtPin { frame, level: Level::L1 }).unwrap();
        self.steps(5, true);
        self.world.call(domain, &PtUnpin { frame }).unwrap();
        self.map(domain, page, P::Format::leaf(frame, RW)).unwrap();
        self.advise(domain, page, Advice::Share);
    }
}

fn run<P: Platform>(ops: Vec<Op>) {
    let mut play = Play::<P>::new();
    for op in ops {
        play.play(op);
    }
    for domain in 0..2 {
        for page in 0..PAGES {
            if !play.ended[domain] && play.pages[domain][page] != Content::Hole {
                play.check(domain, page);
            }
        }
    }
    play.world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_page_is_what_was_written_x86_64(ops in prop::collection::vec(op(), 1..40)) {
        run::<X86_64>(ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    #[ignore = "takes a minute: `cargo xtask test` has it"]
    fn every_page_is_what_was_written_for_long_x86_64(ops in prop::collection::vec(op(), 1..80)) {
        run::<X86_64>(ops);
    }

    #[test]
    #[ignore = "takes a minute: `cargo xtask test` has it"]
    fn every_page_is_what_was_written_for_long_sv39(ops in prop::collection::vec(op(), 1..80)) {
        run::<Riscv64Sv39>(ops);
    }
}
