//! Sixteen bytes that mean a step: a call that is near to a good one, a call that is garbage, or
//! something else that a guest or its operator does.
//!
//! ```text
//! byte 0      bit 7 the domain, bit 6 the call that is looked at most, else the kind
//!      1..7   what the arguments are picked by
//!      7      from 0xe0 on: one argument is replaced by the number of 8..16
//!      8..16  that number, or what further arguments are picked by
//! ```

use crate::places::{ADDRESSES, Places};
use hypercall_abi::calls::Args;
use hypercall_abi::calls::pte_update::{Space, Target};
use hypercall_abi::{Number, VirtAddr};
use pv_core::format::{Format, Permissions};

/// Bytes of a step.
pub const STEP_BYTES: usize = 16;

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step(pub [u8; STEP_BYTES]);

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A call.
    Call(Number),
    /// A call whose number and arguments mean nothing.
    Garbage,
    /// The guest writes an entry into a frame of its own that is no page table.
    Poke,
    /// The guest writes one of the first words of its vCPU page, or a word of event bits.
    Word,
    /// The guest lays out a trap frame to return to.
    Frame,
    /// The processor traps.
    Trap,
    /// Time passes.
    Wait,
    /// The operator types.
    Type,
    /// A call whose return address is the end of the guest's range.
    Far,
}

/// How often each kind comes.
const KINDS: [(Kind, u8); 43] = {
    use Kind::*;
    use Number::*;
    [
        (Call(PteUpdate), 9),
        (Call(PtPin), 5),
        (Poke, 5),
        (Call(PtCreate), 3),
        (Call(PtUnpin), 3),
        (Call(PtSwitch), 3),
        (Call(GrantMap), 3),
        (Call(GrantShare), 3),
        (Call(GrantUnmap), 2),
        (Call(GrantRevoke), 2),
        (Call(BalloonInflate), 2),
        (Call(BalloonDeflate), 2),
        (Call(BalloonReport), 1),
        (Call(EventAlloc), 1),
        (Call(EventBind), 2),
        (Call(EventSend), 2),
        (Call(EventMask), 1),
        (Call(EventClose), 1),
        (Call(TrapReturn), 2),
        (Frame, 2),
        (Word, 2),
        (Call(Batch), 2),
        (Call(TlbFlush), 1),
        (Call(TrapRegister), 1),
        (Call(SchedYield), 1),
        (Call(SchedBlock), 1),
        (Call(TimerSet), 1),
        (Call(ConsoleWrite), 1),
        (Call(ConsoleRead), 1),
        (Call(DomainQuery), 1),
        (Call(AbiQuery), 1),
        (Call(P2mRegister), 1),
        (Call(ShareAdvise), 1),
        (Call(ShareBreak), 1),
        (Call(SparePut), 1),
        (Call(SpareGet), 1),
        (Call(SpareDrop), 1),
        (Call(Shutdown), 0),
        (Garbage, 2),
        (Trap, 1),
        (Wait, 1),
        (Type, 1),
        (Far, 0),
    ]
};

/// Shares of all kinds; with one more for those that end a domain.
const SHARES: u8 = {
    let (mut sum, mut at) = (0, 0);
    while at < KINDS.len() {
        sum += KINDS[at].1;
        at += 1;
    }
    sum
};

impl Step {
    /// The steps of a stream of bytes; what is left over at its end is filled with zeros.
    pub fn all(bytes: &[u8]) -> Vec<Step> {
        bytes.chunks(STEP_BYTES).map(Step::new).collect()
    }

    fn new(bytes: &[u8]) -> Step {
        let mut step = [0; STEP_BYTES];
        step[..bytes.len()].copy_from_slice(bytes);
        Step(step)
    }

    /// Which of the two domains acts.
    pub fn domain(&self) -> usize {
        usize::from(self.0[0] >> 7)
    }

    /// What it does; `focus` is the call that comes more often.
    pub fn kind(&self, focus: Option<Number>) -> Kind {
        if let (Some(call), true) = (focus, self.0[0] & 0x40 != 0) {
            return Kind::Call(call);
        }
        // What ends a domain is rare: it takes two bytes.
        if self.0[0] & 0x3f == 0x3f {
            return match self.0[1] {
                0xf0..=0xf7 => Kind::Call(Number::Shutdown),
                0xf8..=0xff => Kind::Far,
                _ => Kind::Garbage,
            };
        }
        // The byte is spread over the shares, with the help of the one behind it.
        let mut at =
            (u16::from(self.0[0] & 0x3f) * 4 + u16::from(self.0[1] & 3)) % u16::from(SHARES);
        for (kind, share) in KINDS {
            match at.checked_sub(u16::from(share)) {
                Some(rest) => at = rest,
                None => return kind,
            }
        }
        Kind::Garbage
    }

    fn byte(&self, at: usize) -> u8 {
        self.0[at]
    }

    /// The number of the last eight bytes.
    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[8..]);
        u64::from_le_bytes(bytes)
    }

    /// Three bytes that pick a target or an entry: those of the `nth` update.
    fn triple(&self, nth: usize) -> [u8; 3] {
        std::array::from_fn(|at| self.0[(1 + 3 * nth + at) % STEP_BYTES])
    }

    /// An entry of a page table.
    pub fn entry<F: Format>(&self, nth: usize, places: &Places) -> u64 {
        let [kind, frame, bit] = self.triple(nth);
        let frame = places.frame(frame);
        let permissions = |write, execute| Permissions { write, execute };
        let value = match kind % 8 {
            0 => return u64::from(bit & 7) << 9,
            1 | 2 => F::leaf(frame, permissions(false, true)),
            3 | 4 => F::leaf(frame, permissions(true, false)),
            _ => F::table(frame),
        };
        // Some with one bit turned.
        if kind >= 0xf0 { value ^ 1 << (bit % 64) } else { value }
    }

    fn target(&self, nth: usize, places: &Places) -> u64 {
        let [kind, at, index] = self.triple(nth);
        let address = VirtAddr(places.address(at));
        let flush = index & 1 != 0;
        let target = match kind % 8 {
            0..=4 => Target::Entry { table: places.table(at), index: places.index(index) },
            5 | 6 => Target::Page { space: Space::Kernel, address, flush },
            _ => Target::Page { space: Space::User, address, flush },
        };
        let bits = target.encode();
        // Some name a page, and some are turned in a bit.
        let bits = if kind & 0x38 == 0x20 { bits.naming_page() } else { bits };
        bits.0 ^ if kind >= 0xf8 { u64::from(index) } else { 0 }
    }

    /// Target and value, in turn, of as many updates.
    fn updates<F: Format>(&self, count: usize, places: &Places) -> Vec<u64> {
        let update = |nth| [self.target(2 * nth, places), self.entry::<F>(2 * nth + 1, places)];
        (0..count).flat_map(update).collect()
    }

    /// A good call or nearly one: the arguments, and the first words of the argument frame.
    pub fn call<F: Format>(&self, call: Number, places: &Places) -> (Args, Vec<u64>) {
        let [a, b, c, d, e] = std::array::from_fn(|at| self.byte(2 + at));
        let small = |byte: u8| u64::from(byte % 8);
        let domain = |byte: u8| u64::from(places.domain(byte).0);
        let frame = |byte: u8| places.frame(byte).0;
        let order = |byte: u8| [0, 0, 0, 0, 0, 0, 9, 3][usize::from(byte / 32)];
        let mut words = Vec::new();
        let mut args: Args = match call {
            Number::AbiQuery => [small(a), 0, 0, 0, 0, 0],
            Number::PtCreate | Number::PtPin => [frame(a), places.level(a, b), 0, 0, 0, 0],
            Number::PtUnpin => [places.table(a).0, 0, 0, 0, 0, 0],
            Number::PtSwitch => [places.root(a), places.root(b), 0, 0, 0, 0],
            Number::PteUpdate | Number::TrapReturn if a % 4 == 0 => {
                words = self.updates::<F>(1 + usize::from(b % 3), places);
                [words.len() as u64 / 2, 0, 0, 0, 0, 0]
            }
            Number::PteUpdate => [0, self.target(1, places), self.entry::<F>(2, places), 0, 0, 0],
            Number::TrapReturn => [0; 6],
            Number::TlbFlush => [u64::from(a % 3), places.address(b), 0, 0, 0, 0],
            Number::BalloonInflate => {
                words = [b, c, d, e].map(frame).to_vec();
                [u64::from(a % 5), order(a), 0, 0, 0, 0]
            }
            Number::BalloonDeflate => [u64::from(a % 16), order(a), 0, 0, 0, 0],
            Number::BalloonReport if a % 3 == 0 => {
                words = vec![1, 0, u64::from(b), u64::from(c), u64::from(d)];
                words.resize(14, 0);
                words[usize::from(e) % 16 % 14] ^= u64::from(e / 32);
                [0; 6]
            }
            Number::BalloonReport => {
                words = [b, c, d, e].map(frame).to_vec();
                [u64::from(a % 3), u64::from(a / 8 % 5), order(a), 0, 0, 0]
            }
            Number::GrantShare => [domain(a), frame(b), u64::from(c % 3), 0, 0, 0],
            Number::GrantRevoke => [small(a), 0, 0, 0, 0, 0],
            Number::GrantMap => [domain(a), small(b), u64::from(c % 3), 0, 0, 0],
            Number::GrantUnmap => [places.handle(a), 0, 0, 0, 0, 0],
            Number::EventAlloc => [domain(a), 0, 0, 0, 0, 0],
            Number::EventBind => [domain(a), small(b), 0, 0, 0, 0],
            Number::EventSend | Number::EventClose => [small(a), 0, 0, 0, 0, 0],
            Number::EventMask => [small(a), u64::from(b % 3), 0, 0, 0, 0],
            Number::TrapRegister => [places.address(a), places.address(b), 0, 0, 0, 0],
            Number::SchedYield | Number::SchedBlock => [0; 6],
            Number::TimerSet => [places.now + u64::from(a), 0, 0, 0, 0, 0],
            Number::Shutdown => [u64::from(a % 3), 0, 0, 0, 0, 0],
            Number::ConsoleWrite => {
                words = vec![self.number(); usize::from(c % 4)];
                [u64::from(a % 4), u64::from(b), 0, 0, 0, 0]
            }
            Number::ConsoleRead => [u64::from(a), 0, 0, 0, 0, 0],
            Number::DomainQuery => [domain(a), 0, 0, 0, 0, 0],
            Number::P2mRegister => {
                words = [b, c].map(frame).to_vec();
                [u64::from(a % 3), 0, 0, 0, 0, 0]
            }
            Number::ShareAdvise => {
                let content = u64::from(d % 2);
                [u64::from(a), u64::from(b % 70), u64::from(c % 3), content, 0, 0]
            }
            Number::ShareBreak => [u64::from(a), u64::from(b), 0, 0, 0, 0],
            Number::SparePut | Number::SpareGet => {
                [frame(a), u64::from(b % 2), u64::from(c % 4), 0, 0, 0]
            }
            Number::SpareDrop => [u64::from(b % 2), u64::from(c % 4), 0, 0, 0, 0],
            Number::Batch => [u64::from(a % 4), 0, 0, 0, 0, 0],
        };
        if self.byte(7) >= 0xe0 {
            args[usize::from(self.byte(7) % 6)] = self.number() >> (self.byte(6) % 64);
        }
        (args, words)
    }

    /// Number and arguments that mean nothing.
    pub fn garbage(&self) -> (u64, Args) {
        let number = u64::from(self.byte(2) % 40);
        let word = |at: u8| self.number().rotate_left(u32::from(self.byte(3) ^ at)) >> (at * 9);
        (number, [word(0), word(1), word(2), word(3), word(4), word(5)])
    }

    /// Index of a word and value: for [`Kind::Word`].
    pub fn vcpu_word(&self) -> (usize, u64) {
        let word = [0, 1, 2, 2, 8, 24][usize::from(self.byte(2) % 6)];
        let value = if self.byte(7) >= 0xe0 { self.number() } else { u64::from(self.byte(3) % 10) };
        (word, value)
    }

    /// Index of the frame, flags and program counter: for [`Kind::Frame`].
    pub fn trap_frame(&self) -> (u64, u64, u64) {
        let flags = if self.byte(7) >= 0xe0 { self.number() } else { u64::from(self.byte(3) % 5) };
        (u64::from(self.byte(2) % 8), flags, ADDRESSES[usize::from(self.byte(4)) % ADDRESSES.len()])
    }

    /// Three bytes: for the kinds that want no more.
    pub fn bytes(&self) -> [u8; 3] {
        [self.byte(2), self.byte(3), self.byte(4)]
    }
}
