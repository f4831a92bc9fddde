//! What the hostile guest calls with: garbage, or nearly what would be good, so that it gets deep.
//!
//! It leaves alone what it stands on: it does not shut down, gives no root of the pool to its
//! own kernel, and writes only tables and addresses of the pool.

use super::{Order, pool, random};
use conformance::{Entries, Permit};
use hypercall_abi::{
    DomainId, Mfn, Number,
    balloon_statistics::{BalloonStatistics, STATISTICS_VERSION, WHOLE},
    calls::{
        Args,
        pte_update::{Space, Target},
    },
};

/// A call: its number and its arguments.
pub type Request = (u64, Args);

/// What arguments are made of.
#[derive(Clone, Copy)]
pub struct Maker {
    /// The page-table format.
    pub entries: Entries,
    /// Who it is after.
    pub order: Order,
    /// Its own root.
    pub root: Mfn,
}

impl Maker {
    /// The next call.
    pub fn request(&self) -> Request {
        let (number, mut args) = if random::one_in(4) { garbage() } else { self.near() };
        if number == Number::Shutdown as u64 {
            args[0] |= 2;
        }
        if number == Number::ConsoleWrite as u64 && !random::one_in(64) {
            // What is accepted is printed: seldom.
            args[0] |= 4;
        }
        (number, args)
    }

    /// A number that there is, arguments that are good or nearly so.
    fn near(&self) -> Request {
        let call = random::one_of(&Number::ALL);
        let small = |end| random::below(end);
        let mut args: Args = match call {
            Number::AbiQuery => [small(5), 0, 0, 0, 0, 0],
            Number::PtCreate | Number::PtPin => [self.frame().0, small(6), 0, 0, 0, 0],
            Number::PtUnpin => [self.frame().0, 0, 0, 0, 0, 0],
            Number::PtSwitch => {
                let kernel = random::one_of(&[u64::MAX, u64::MAX, self.root.0, 0, u64::MAX - 1]);
                let user = random::one_of(&[u64::MAX, u64::MAX - 1, self.frame().0]);
                [kernel, user, 0, 0, 0, 0]
            }
            Number::PteUpdate if random::one_in(4) => [small(20), self.target(), 0, 0, 0, 0],
            Number::PteUpdate => [0, self.target(), self.entry(), 0, 0, 0],
            Number::TlbFlush => [small(3), pool::address().0, 0, 0, 0, 0],
            Number::BalloonInflate | Number::BalloonDeflate => {
                [small(6), random::one_of(&[0, 0, 0, 9, 1]), 0, 0, 0, 0]
            }
            Number::BalloonReport => {
                [small(3), small(6), random::one_of(&[0, 0, 0, 9, 18]), 0, 0, 0]
            }
            Number::GrantShare => [self.domain(), self.frame().0, small(3), 0, 0, 0],
            Number::GrantMap => [self.domain(), small(8), small(3), 0, 0, 0],
            Number::GrantRevoke | Number::GrantUnmap => [small(300), 0, 0, 0, 0, 0],
            Number::EventAlloc => [self.domain(), 0, 0, 0, 0, 0],
            Number::EventBind => [self.domain(), small(20), 0, 0, 0, 0],
            Number::EventSend | Number::EventClose => [small(260), 0, 0, 0, 0, 0],
            Number::EventMask => [small(260), small(3), 0, 0, 0, 0],
            Number::TrapRegister => [pool::address().0, pool::address().0, 0, 0, 0, 0],
            Number::TrapReturn => [small(4), 0, 0, 0, 0, 0],
            Number::SchedYield | Number::SchedBlock => [0; 6],
            Number::TimerSet => [random::next() >> small(64), 0, 0, 0, 0, 0],
            Number::Shutdown => [2 + small(9), 0, 0, 0, 0, 0],
            Number::ConsoleWrite => [small(4), small(20), 0, 0, 0, 0],
            Number::ConsoleRead => [small(5000), 0, 0, 0, 0, 0],
            Number::DomainQuery => [self.domain(), 0, 0, 0, 0, 0],
            Number::P2mRegister => [small(6), 0, 0, 0, 0, 0],
            Number::ShareAdvise => [small(3000), small(70), small(3), small(2), 0, 0],
            Number::ShareBreak => [small(3000), small(600), 0, 0, 0, 0],
            Number::SparePut | Number::SpareGet => [self.frame().0, small(3), small(9), 0, 0, 0],
            Number::SpareDrop => [small(3), small(9), 0, 0, 0, 0],
            Number::Batch => [small(70), 0, 0, 0, 0, 0],
        };
        if random::one_in(16) {
            args[random::below(6) as usize] = random::next() >> small(64);
        }
        (call as u64, args)
    }

    fn domain(&self) -> u64 {
        let peer = self.order.peer.0;
        random::one_of(&[peer, peer + 1, DomainId::SELF.0, 1, 0, 200]).into()
    }

    fn frame(&self) -> Mfn {
        match random::below(16) {
            0 => self.root,
            // Somebody's, or nobody's.
            1 => Mfn(random::below(0x2_0000)),
            2 => Mfn(random::next()),
            _ => pool::frame(),
        }
    }

    fn target(&self) -> u64 {
        let index = random::one_of(&[0, 1, 2, 255, 256, 511]);
        let target = match random::below(4) {
            0 => Target::Page {
                space: random::one_of(&[Space::Kernel, Space::User]),
                address: pool::address(),
                flush: random::one_in(2),
            },
            _ => Target::Entry { table: pool::frame(), index },
        };
        let target = target.encode();
        if random::one_in(8) { target.naming_page().0 } else { target.0 }
    }

    /// An entry for a page table.
    pub fn entry(&self) -> u64 {
        let frame = self.frame();
        let entry = match random::below(8) {
            0 => 0,
            1 | 2 => self.entries.leaf(frame, Permit::Read),
            3 | 4 => self.entries.leaf(frame, Permit::Write),
            5 => self.entries.leaf(frame, Permit::Execute),
            _ => self.entries.table(frame),
        };
        if random::one_in(16) { entry ^ 1 << random::below(64) } else { entry }
    }

    /// A word of the argument frame at that index: part of a list of updates, of frames, or of
    /// a batch.
    pub fn argument(&self, index: usize) -> u64 {
        match random::below(4) {
            0 => self.frame().0,
            1 => random::next(),
            _ if index.is_multiple_of(2) => self.target(),
            _ => self.entry(),
        }
    }
}

/// What it says of its memory: mostly of a form that is believed, and never true.
pub fn lies() -> BalloonStatistics {
    let lie = || match random::below(4) {
        0 => 0,
        1 => u64::MAX,
        2 => random::below(1 << 12),
        _ => random::next() >> random::below(64),
    };
    let part = || random::one_of(&[0, 1, WHOLE, u16::MAX, random::next() as u16]);
    BalloonStatistics {
        version: if random::one_in(8) { lie() } else { STATISTICS_VERSION },
        generation: lie(),
        free: lie(),
        available: lie(),
        cache: lie(),
        needed: lie(),
        balloon: lie(),
        faults: lie(),
        refaults: lie(),
        swapped_in: lie(),
        swapped_out: lie(),
        shortages: lie(),
        some_over_10_s: part(),
        some_over_60_s: part(),
        full_over_10_s: part(),
        full_over_60_s: part(),
        reserved: if random::one_in(8) { lie() } else { 0 },
    }
}

/// Numbers that mean nothing.
fn garbage() -> Request {
    let number = if random::one_in(8) { random::next() } else { random::below(40) };
    (number, core::array::from_fn(|_| random::next()))
}
