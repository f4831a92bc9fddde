//! What a domain does for a test by itself: [`Local`] carries out a [`Request`]. The tester
//! does so for its own side, the peer for what it is sent.
#![allow(unsafe_code, reason = "tests make every call, and read and write pages by address")]

use super::{run, touch};
use conformance::{Ran, Run, Side, Touch, Trapped};
use core::ops::Range;
use hypercall_abi::{
    PAGE_SIZE, Pfn, Port, Status, VirtAddr, calls::Args, start_info::StartInfo, stubs,
};
use pv_guest::events;

/// Pages at the end of the domain's memory that tests use.
const TEST_PAGES: u64 = 64;

/// Something to do.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// Make a call.
    Call(u64, Args),
    /// Read a word of a page.
    Read(Pfn, usize),
    /// Write a word of a page.
    Write(Pfn, usize, u64),
    /// Access memory.
    Touch(VirtAddr, Touch),
    /// Access memory, with a handler that returns with updates.
    Mend(VirtAddr, Touch, u64),
    /// Run machine code.
    Run(Run),
    /// Take an event.
    TakeEvent(u32),
    /// Forget all that were taken.
    ForgetEvents,
    /// Tell the trap entry and its stack.
    TrapEntry,
    /// Tell the pages for tests.
    Pages,
    /// End the domain: for the peer.
    Stop,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Two numbers.
    Numbers(u64, u64),
    /// An access.
    Accessed(Option<Trapped>, Result<u64, Trapped>),
    /// Code that ran.
    Ran(Ran),
}

/// A domain that tests are made in.
pub struct Local {
    info: &'static StartInfo,
}

impl Local {
    /// The domain, with a trap entry registered and events masked.
    pub fn new(info: &'static StartInfo) -> Result<Local, &'static str> {
        if info.free_pfn.0 + TEST_PAGES + Side::COUNT as u64 >= info.frames {
            return Err("the domain has too little memory for the tests");
        }
        events::mask();
        touch::register(info)?;
        Ok(Local { info })
    }

    /// A page that no test uses, for what this domain shares with that side.
    pub fn page_for(&self, side: Side) -> Pfn {
        Pfn(self.info.free_pfn.0 + side.index() as u64)
    }

    /// What the domain was told.
    pub fn info(&self) -> &'static StartInfo {
        self.info
    }

    /// Where a word of a page is.
    pub fn address(&self, page: Pfn, word: usize) -> VirtAddr {
        VirtAddr(self.info.physmap_base + page.0 * PAGE_SIZE + 8 * word as u64)
    }

    fn pages(&self) -> Range<u64> {
        self.info.frames - TEST_PAGES..self.info.frames
    }

    /// Makes a call.
    pub fn call(&self, number: u64, args: &Args) -> (Status, u64) {
        // SAFETY: tests change pages and tables of the region that is theirs; the image, its
        // stack and what the runtime uses lie elsewhere.
        unsafe { stubs::hypercall(number, args) }
    }

    /// Carries out what is asked for.
    pub fn carry_out(&mut self, request: Request) -> Answer {
        match request {
            Request::Call(number, args) => {
                let (status, value) = self.call(number, &args);
                Answer::Numbers(status.0, value)
            }
            Request::Read(page, word) => {
                let result = touch::touch(self.address(page, word), Touch::Read);
                Answer::Accessed(None, result)
            }
            Request::Write(page, word, value) => {
                let result = touch::touch(self.address(page, word), Touch::Write(value));
                Answer::Accessed(None, result)
            }
            Request::Touch(address, access) => {
                Answer::Accessed(None, touch::touch(address, access))
            }
            Request::Mend(address, access, updates) => {
                let (first, second) = touch::touch_mending(address, access, updates);
                Answer::Accessed(first, second)
            }
            Request::Run(code) => Answer::Ran(run::run(code)),
            Request::TakeEvent(port) => {
                let taken = port > 0 && port < Port::COUNT && events::take(Port(port));
                Answer::Numbers(taken.into(), 0)
            }
            Request::ForgetEvents => {
                for port in 1..Port::COUNT {
                    let _ = events::take(Port(port));
                }
                Answer::Numbers(0, 0)
            }
            Request::TrapEntry => {
                let entry = touch::entry();
                Answer::Numbers(entry.entry.0, entry.stack.0)
            }
            Request::Pages => {
                let pages = self.pages();
                Answer::Numbers(pages.start, pages.end)
            }
            Request::Stop => Answer::Numbers(0, 0),
        }
    }
}
