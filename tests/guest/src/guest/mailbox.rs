//! Requests and answers as words of a page that the two domains share.
//!
//! ```text
//! word 0       number of the request, counted up by the tester
//!      1       number of the request that is answered
//!      2       kind
//!      3..12   its numbers
//!      12..21  numbers of the answer
//!      21      1 once the tester has called the peer
//! ```
#![allow(unsafe_code, reason = "the page is shared with another domain, and reached by address")]

use super::local::{Answer, Request};
use conformance::{Half, Ran, Run, Touch, Trapped};
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{
    Pfn, VirtAddr,
    trap::{Cause, CauseBits},
};

const NUMBER: usize = 0;
const ANSWERED: usize = 1;
const KIND: usize = 2;
const ASKED: usize = 3;
const TOLD: usize = 12;
const CALLED: usize = 21;

type Words = [u64; 9];

/// The shared page.
#[derive(Clone, Copy)]
pub struct Mailbox {
    page: *const AtomicU64,
}

impl Mailbox {
    /// The page at that address.
    ///
    /// # Safety
    /// A page is mapped writable there for as long as the domain runs, and reached by
    /// mailboxes alone.
    pub unsafe fn new(address: VirtAddr) -> Mailbox {
        Mailbox { page: address.0 as *const AtomicU64 }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < 512, "a page has 512 words");
        // SAFETY: the page is mapped, and everything in it is atomic.
        unsafe { &*self.page.add(index) }
    }

    fn put(&self, first: usize, words: &Words) {
        for (index, value) in words.iter().enumerate() {
            self.word(first + index).store(*value, Ordering::Relaxed);
        }
    }

    fn get(&self, first: usize) -> Words {
        core::array::from_fn(|index| self.word(first + index).load(Ordering::Relaxed))
    }

    /// The tester calls the peer, which sleeps until then.
    pub fn call(&self) {
        self.word(CALLED).store(1, Ordering::Release);
    }

    /// Whether the tester has called.
    pub fn is_called(&self) -> bool {
        self.word(CALLED).load(Ordering::Acquire) != 0
    }

    /// The tester asks: the number of its request.
    pub fn ask(&self, request: Request) -> u64 {
        let (kind, words) = encode(request);
        self.word(KIND).store(kind, Ordering::Relaxed);
        self.put(ASKED, &words);
        let number = self.word(NUMBER).load(Ordering::Relaxed) + 1;
        self.word(NUMBER).store(number, Ordering::Release);
        number
    }

    /// The answer to a request, once it is there.
    pub fn answer(&self, number: u64) -> Option<Answer> {
        if self.word(ANSWERED).load(Ordering::Acquire) != number {
            return None;
        }
        Some(decode_answer(&self.get(TOLD)))
    }

    /// The peer looks for a request that is not answered: its number.
    pub fn asked(&self) -> Option<(u64, Request)> {
        let number = self.word(NUMBER).load(Ordering::Acquire);
        if number == self.word(ANSWERED).load(Ordering::Relaxed) {
            return None;
        }
        let kind = self.word(KIND).load(Ordering::Relaxed);
        Some((number, decode(kind, &self.get(ASKED))))
    }

    /// The peer answers.
    pub fn tell(&self, number: u64, answer: Answer) {
        self.put(TOLD, &encode_answer(answer));
        self.word(ANSWERED).store(number, Ordering::Release);
    }
}

fn encode(request: Request) -> (u64, Words) {
    match request {
        Request::Call(number, [a, b, c, d, e, f]) => (0, [number, a, b, c, d, e, f, 0, 0]),
        Request::Read(page, word) => (1, [page.0, word as u64, 0, 0, 0, 0, 0, 0, 0]),
        Request::Write(page, word, value) => (2, [page.0, word as u64, value, 0, 0, 0, 0, 0, 0]),
        Request::Touch(address, touch) => {
            let (kind, value) = encode_touch(touch);
            (3, [address.0, kind, value, 0, 0, 0, 0, 0, 0])
        }
        Request::Mend(address, touch, updates) => {
            let (kind, value) = encode_touch(touch);
            (4, [address.0, kind, value, updates, 0, 0, 0, 0, 0])
        }
        Request::TakeEvent(port) => (5, [port.into(), 0, 0, 0, 0, 0, 0, 0, 0]),
        Request::ForgetEvents => (6, [0; 9]),
        Request::TrapEntry => (7, [0; 9]),
        Request::Pages => (8, [0; 9]),
        Request::Stop => (9, [0; 9]),
        Request::Run(Run { half, code, registers: [a, b, c, d] }) => {
            (10, [u64::from(half == Half::User), code.0, a, b, c, d, 0, 0, 0])
        }
    }
}

fn decode(kind: u64, words: &Words) -> Request {
    let [a, b, c, d, e, f, g, ..] = *words;
    match kind {
        0 => Request::Call(a, [b, c, d, e, f, g]),
        1 => Request::Read(Pfn(a), b as usize),
        2 => Request::Write(Pfn(a), b as usize, c),
        3 => Request::Touch(VirtAddr(a), decode_touch(b, c)),
        4 => Request::Mend(VirtAddr(a), decode_touch(b, c), d),
        5 => Request::TakeEvent(a as u32),
        6 => Request::ForgetEvents,
        7 => Request::TrapEntry,
        8 => Request::Pages,
        9 => Request::Stop,
        10 => {
            let half = if a == 0 { Half::Kernel } else { Half::User };
            Request::Run(Run { half, code: VirtAddr(b), registers: [c, d, e, f] })
        }
        _ => panic!("a request of kind {kind}"),
    }
}

fn encode_touch(touch: Touch) -> (u64, u64) {
    match touch {
        Touch::Read => (0, 0),
        Touch::Write(value) => (1, value),
        Touch::Execute => (2, 0),
    }
}

fn decode_touch(kind: u64, value: u64) -> Touch {
    match kind {
        0 => Touch::Read,
        1 => Touch::Write(value),
        _ => Touch::Execute,
    }
}

/// A cause as a number; none is one that the interface does not know.
fn encode_cause(cause: Option<Cause>) -> u64 {
    cause.map_or(u32::MAX.into(), |cause| cause as u64)
}

fn encode_answer(answer: Answer) -> Words {
    match answer {
        Answer::Numbers(first, second) => [0, first, second, 0, 0, 0, 0, 0, 0],
        Answer::Accessed(first, second) => {
            let earlier = first.map_or(0, |trapped| 1 + encode_cause(trapped.cause));
            let code = first.map_or(0, |trapped| trapped.code);
            match second {
                Ok(value) => [1, earlier, code, value, 0, 0, 0, 0, 0],
                Err(trapped) => {
                    let cause = encode_cause(trapped.cause);
                    [2, earlier, code, cause, trapped.code, trapped.address, 0, 0, 0]
                }
            }
        }
        Answer::Ran(Ran { registers: [a, b, c, d], trapped, pc }) => {
            let Trapped { cause, code, address } =
                trapped.unwrap_or(Trapped { cause: None, code: 0, address: 0 });
            let kind = if trapped.is_some() { 4 } else { 3 };
            [kind, a, b, c, d, pc, encode_cause(cause), code, address]
        }
    }
}

fn decode_answer(words: &Words) -> Answer {
    let [kind, a, b, c, d, e, f, g, h] = *words;
    let cause = |number: u64| CauseBits(number as u32).decode();
    let earlier = (a != 0).then(|| Trapped { cause: cause(a - 1), code: b, address: 0 });
    match kind {
        0 => Answer::Numbers(a, b),
        1 => Answer::Accessed(earlier, Ok(c)),
        2 => Answer::Accessed(earlier, Err(Trapped { cause: cause(c), code: d, address: e })),
        3 | 4 => {
            let trapped = Trapped { cause: cause(f), code: g, address: h };
            let trapped = (kind == 4).then_some(trapped);
            Answer::Ran(Ran { registers: [a, b, c, d], trapped, pc: e })
        }
        _ => panic!("an answer of kind {kind}"),
    }
}
