//! [`Test`]: what a test is given. It makes calls for two domains, sets pages, tables,
//! grants and ports up, and notes in the journal how to put everything back.

use core::mem::offset_of;
use core::panic::Location;

use hypercall_abi::{
    Error, Mfn, Pfn, Status, VirtAddr,
    calls::{Args, Call},
    start_info::{PageTableFormat, START_INFO_PFN, StartInfo},
};

use crate::{
    caller::{Caller, OWN, PEER, Side},
    entries::Entries,
    journal::Journal,
    outcome::{Check, Message, Stop},
};

/// Where tests map pages: in a gigabyte that neither the image nor the physmap reaches, two
/// pages before the end of what one level-1 table maps.
pub const SCRATCH: VirtAddr = VirtAddr(0x501f_e000);

/// A page for a test's use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Its number in its domain.
    pub pfn: Pfn,
    /// The frame that backed it when the test was given it.
    pub frame: Mfn,
}

/// One test's view of the machine.
pub struct Test<'c> {
    pub(crate) caller: &'c mut dyn Caller,
    pub(crate) journal: Journal,
    entries: Entries,
    pages_taken: [u64; Side::COUNT],
}

mod run;
mod setup;
mod words;

pub use run::Executed;

impl<'c> Test<'c> {
    /// A view for one test.
    pub(crate) fn new(caller: &'c mut dyn Caller) -> Test<'c> {
        let word = offset_of!(StartInfo, page_table_format) / 8;
        let format = PageTableFormat::new(caller.read(OWN, START_INFO_PFN, word));
        // Nothing else can be tested when this is wrong; `abi_query` checks it.
        let entries = Entries(format.unwrap_or(PageTableFormat::X86_64));
        Test { caller, journal: Journal::default(), entries, pages_taken: [0; Side::COUNT] }
    }

    /// Whoever executes the test's calls.
    pub fn caller(&mut self) -> &mut dyn Caller {
        self.caller
    }

    /// Entries of the machine's page-table format.
    pub fn entries(&self) -> Entries {
        self.entries
    }

    /// Skips the test when there is no peer.
    ///
    /// # Errors
    /// [`Stop::Skip`].
    pub fn need_peer(&mut self) -> Check {
        if self.caller.has(PEER) { Ok(()) } else { Err(Stop::Skip("there is no peer domain")) }
    }

    /// Ticks of the counter in that many microseconds.
    pub fn ticks(&mut self, microseconds: u64) -> u64 {
        let second = self.start_info(OWN, offset_of!(StartInfo, ticks_per_second));
        (second * microseconds).div_ceil(1_000_000).max(1)
    }

    // --- Calls.

    /// Makes a call with these registers.
    pub fn raw(&mut self, side: Side, number: u64, args: Args) -> (Status, u64) {
        self.caller.call(side, number, &args)
    }

    /// Makes a typed call.
    pub fn call<C: Call>(&mut self, side: Side, call: &C) -> (Status, u64) {
        self.raw(side, C::NUMBER as u64, call.encode())
    }

    /// Makes a call that must succeed: its value.
    ///
    /// # Errors
    /// [`Stop::Failure`] when it is refused.
    #[track_caller]
    pub fn ok<C: Call>(&mut self, side: Side, call: &C) -> Check<u64> {
        let (status, value) = self.call(side, call);
        if status == Status::SUCCESS {
            return Ok(value);
        }
        Err(Stop::Failure(Message::at(
            Location::caller(),
            format_args!("{} refused: {}", C::NUMBER.name(), Told(status)),
        )))
    }

    /// Makes a call that must be refused with `error` and value 0.
    ///
    /// # Errors
    /// [`Stop::Failure`] otherwise.
    #[track_caller]
    pub fn refused<C: Call>(&mut self, side: Side, call: &C, error: Error) -> Check {
        self.refused_after(side, call, error, 0)
    }

    /// Makes a call that must be refused with `error` after `count` of its elements.
    ///
    /// # Errors
    /// [`Stop::Failure`] otherwise.
    #[track_caller]
    pub fn refused_after<C: Call>(
        &mut self,
        side: Side,
        call: &C,
        error: Error,
        count: u64,
    ) -> Check {
        self.refused_raw(side, C::NUMBER as u64, call.encode(), error, count)
    }

    /// Makes a call with these registers that must be refused.
    ///
    /// # Errors
    /// [`Stop::Failure`] otherwise.
    #[track_caller]
    pub fn refused_raw(
        &mut self,
        side: Side,
        number: u64,
        args: Args,
        error: Error,
        count: u64,
    ) -> Check {
        let (status, value) = self.raw(side, number, args);
        if status.decode() == Some(Err(error)) && value == count {
            return Ok(());
        }
        Err(Stop::Failure(Message::at(
            Location::caller(),
            format_args!(
                "call {number}: got {} with value {value:#x}, want {error} with {count}",
                Told(status)
            ),
        )))
    }

    /// Makes a call that must be refused with `error` because argument `index` is `value`.
    ///
    /// # Errors
    /// [`Stop::Failure`] otherwise.
    #[track_caller]
    pub fn refused_argument<C: Call>(
        &mut self,
        side: Side,
        call: &C,
        index: usize,
        value: u64,
        error: Error,
    ) -> Check {
        let mut args = call.encode();
        args[index] = value;
        self.refused_raw(side, C::NUMBER as u64, args, error, 0)
    }
}

#[track_caller]
fn failure(arguments: core::fmt::Arguments<'_>) -> Stop {
    Stop::Failure(Message::at(Location::caller(), arguments))
}

/// The other side of what two share.
pub const fn other(side: Side) -> Side {
    match side {
        Side::Own => Side::Peer,
        Side::Peer | Side::Third => Side::Own,
    }
}

/// A status by name.
struct Told(Status);

impl core::fmt::Display for Told {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.decode() {
            Some(Ok(())) => f.write_str("success"),
            Some(Err(error)) => f.write_str(error.name()),
            None if self.0 == crate::caller::GONE => f.write_str("no return"),
            None => write!(f, "unknown status {}", self.0.0),
        }
    }
}
