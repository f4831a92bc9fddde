//! [`Guest`]: the [`Caller`] of the tester. Its own side is this domain, the other side the
//! peer that serves it.

use super::{
    local::{Answer, Local, Request},
    mailbox::Mailbox,
    peer, report,
};
use conformance::{
    Caller, Message, Pretence, Ran, Run, Side, Touch, Trapped,
    caller::{GONE, find_hypervisor_frame},
};
use core::{ops::Range, sync::atomic::Ordering::Relaxed};
use hypercall_abi::{
    DomainId, Mfn, Pfn, Port, Status, VirtAddr,
    calls::{Args, Call, Shutdown, console_write::Stream},
};
use pv_guest::vcpu;

/// Turns that the tester waits for bytes that are typed.
const TYPING_PATIENCE: u32 = 1_000_000;

/// The sides of the peers.
const PEERS: [Side; 2] = [Side::Peer, Side::Third];

/// The tester's view of the domains.
pub struct Guest {
    local: Local,
    /// The peers that are there, by their sides.
    mailboxes: [Option<Mailbox>; Side::COUNT],
    /// Peers that nobody has talked to yet.
    waiting: Range<u16>,
    pages: [Range<u64>; Side::COUNT],
    trap_entries: [(VirtAddr, VirtAddr); Side::COUNT],
    hypervisor_frame: Mfn,
    complaint: Option<Message>,
}

impl Guest {
    /// A tester with so many peers.
    pub fn new(local: Local, peers: u16) -> Guest {
        let format = local.info().page_table_format;
        let hypervisor_frame =
            find_hypervisor_frame(format, |number, args| local.call(number, args));
        let first = local.info().domain.0 + 1;
        let mut guest = Guest {
            local,
            mailboxes: [None; Side::COUNT],
            waiting: first..first + peers,
            pages: [const { 0..0 }; Side::COUNT],
            trap_entries: [(VirtAddr(0), VirtAddr(0)); Side::COUNT],
            hypervisor_frame,
            complaint: None,
        };
        guest.introduce(Side::Own);
        guest
    }

    /// Asks a domain what the suite wants to know of it.
    fn introduce(&mut self, side: Side) {
        let (start, end) = self.numbers(side, Request::Pages);
        self.pages[side.index()] = start..end;
        let (entry, stack) = self.numbers(side, Request::TrapEntry);
        self.trap_entries[side.index()] = (VirtAddr(entry), VirtAddr(stack));
    }

    /// Meets the next peer that waits, as that side, if there is one.
    fn meet(&mut self, side: Side) {
        let Some(domain) = self.waiting.next() else { return };
        match peer::meet(&self.local, DomainId(domain), side) {
            Ok(mailbox) => {
                self.mailboxes[side.index()] = Some(mailbox);
                self.introduce(side);
            }
            Err(why) => self.complain(format_args!("domain {domain}: {why}")),
        }
    }

    /// Tells every peer that nothing more comes.
    pub fn stop(&mut self) -> Result<(), &'static str> {
        loop {
            for side in PEERS {
                if self.mailboxes[side.index()].is_some() {
                    let _ = self.ask(side, Request::Stop);
                    self.mailboxes[side.index()] = None;
                }
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
            self.meet(Side::Peer);
            if self.complaint.is_some() {
                return Err("a peer that no test needed cannot be stopped");
            }
        }
    }

    fn complain(&mut self, arguments: core::fmt::Arguments<'_>) {
        if self.complaint.is_none() {
            self.complaint = Some(Message::new(arguments));
        }
    }

    fn ask(&mut self, side: Side, request: Request) -> Answer {
        if side == Side::Own {
            return self.local.carry_out(request);
        }
        let Some(mailbox) = self.mailboxes[side.index()] else {
            // What is undone on the side of a peer that has ended is undone already.
            return Answer::Numbers(GONE.0, 0);
        };
        let number = mailbox.ask(request);
        match peer::wait(&self.local, &mailbox, number) {
            Some(answer) => answer,
            // It does not come back from this.
            None if is_shutdown(&request) => Answer::Numbers(GONE.0, 0),
            None => {
                self.complain(format_args!("{side:?} does not answer {request:x?}"));
                self.mailboxes[side.index()] = None;
                Answer::Numbers(0, 0)
            }
        }
    }

    fn numbers(&mut self, side: Side, request: Request) -> (u64, u64) {
        match self.ask(side, request) {
            Answer::Numbers(first, second) => (first, second),
            Answer::Accessed(..) | Answer::Ran(_) => (0, 0),
        }
    }

    fn accessed(
        &mut self,
        side: Side,
        request: Request,
    ) -> (Option<Trapped>, Result<u64, Trapped>) {
        match self.ask(side, request) {
            Answer::Accessed(first, second) => (first, second),
            Answer::Numbers(..) | Answer::Ran(_) => (None, Ok(0)),
        }
    }
}

/// Whether a request is a call that ends the domain.
fn is_shutdown(request: &Request) -> bool {
    matches!(request, Request::Call(number, _) if *number == Shutdown::NUMBER as u64)
}

impl Caller for Guest {
    fn begin(&mut self) {
        for side in PEERS {
            if !self.has(side) {
                self.meet(side);
            }
        }
        // Where none waits any more, the third takes the place of the peer.
        if !self.has(Side::Peer) {
            self.mailboxes.swap(Side::Peer.index(), Side::Third.index());
            self.introduce(Side::Peer);
        }
    }

    fn has(&mut self, side: Side) -> bool {
        side == Side::Own || self.mailboxes[side.index()].is_some()
    }

    fn lose_peer(&mut self) -> u32 {
        self.mailboxes[Side::Peer.index()] = None;
        2000
    }

    fn call(&mut self, side: Side, number: u64, args: &Args) -> (Status, u64) {
        let (status, value) = self.numbers(side, Request::Call(number, *args));
        (Status(status), value)
    }

    fn read(&mut self, side: Side, page: Pfn, word: usize) -> u64 {
        match self.accessed(side, Request::Read(page, word)).1 {
            Ok(value) => value,
            Err(trapped) => {
                self.complain(format_args!("{side:?} cannot read page {}: {trapped:x?}", page.0));
                0
            }
        }
    }

    fn write(&mut self, side: Side, page: Pfn, word: usize, value: u64) {
        if let Err(trapped) = self.accessed(side, Request::Write(page, word, value)).1 {
            self.complain(format_args!("{side:?} cannot write page {}: {trapped:x?}", page.0));
        }
    }

    fn touch(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Result<u64, Trapped> {
        self.accessed(side, Request::Touch(address, touch)).1
    }

    fn touch_mending(
        &mut self,
        side: Side,
        address: VirtAddr,
        touch: Touch,
        updates: u64,
    ) -> (Option<Trapped>, Result<u64, Trapped>) {
        self.accessed(side, Request::Mend(address, touch, updates))
    }

    fn run(&mut self, side: Side, run: Run) -> Option<Ran> {
        match self.ask(side, Request::Run(run)) {
            Answer::Ran(ran) => Some(ran),
            Answer::Numbers(..) | Answer::Accessed(..) => None,
        }
    }

    fn take_event(&mut self, side: Side, port: u32) -> bool {
        self.numbers(side, Request::TakeEvent(port)).0 != 0
    }

    fn forget_events(&mut self, side: Side) {
        let _ = self.ask(side, Request::ForgetEvents);
    }

    fn trap_entry(&self, side: Side) -> (VirtAddr, VirtAddr) {
        self.trap_entries[side.index()]
    }

    fn pages(&self, side: Side) -> Range<u64> {
        self.pages[side.index()].clone()
    }

    fn hypervisor_frame(&self) -> Mfn {
        self.hypervisor_frame
    }

    fn pretend(&mut self, _frame: Mfn, _pretence: Option<Pretence>) -> bool {
        false
    }

    fn now(&mut self) -> u64 {
        pv_guest::time::now()
    }

    fn type_in(&mut self, bytes: &[u8]) -> Option<usize> {
        report::wants_typed(bytes);
        for _ in 0..TYPING_PATIENCE {
            if vcpu::pending(0).load(Relaxed) >> Port::CONSOLE.0 & 1 != 0 {
                return Some(1);
            }
            peer::yield_turn(&self.local);
        }
        Some(0)
    }

    fn wrote(&self, _side: Side, _stream: Stream, _bytes: &[u8]) -> Option<bool> {
        None
    }

    fn complaint(&mut self) -> Option<Message> {
        self.complaint.take()
    }
}
