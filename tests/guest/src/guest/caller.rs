//! [`Guest`]: the [`Caller`] of the tester. Its own side is this domain, the other side the
//! peer that serves it.

use super::{
    SIDES,
    local::{Answer, Local, Request},
    mailbox::Mailbox,
    peer,
};
use conformance::{Caller, Message, Pretence, Side, Touch, Trapped, caller::GONE};
use core::ops::Range;
use hypercall_abi::{
    DomainId, Error, Mfn, Pfn, Status, VirtAddr,
    calls::{Args, Call, PtUnpin, Shutdown, console_write::Stream},
    start_info::PageTableFormat,
};

/// The tester's view of the two domains.
pub struct Guest {
    local: Local,
    peer: Option<Mailbox>,
    pages: [Range<u64>; 2],
    entries: [(VirtAddr, VirtAddr); 2],
    hypervisor_frame: Mfn,
    complaint: Option<Message>,
}

impl Guest {
    /// Meets the peer, if there is to be one.
    pub fn new(local: Local, peer: Option<DomainId>) -> Result<Guest, &'static str> {
        let peer = match peer {
            Some(domain) => Some(peer::meet(&local, domain)?),
            None => None,
        };
        let hypervisor_frame = hypervisor_frame(&local);
        let nowhere = (VirtAddr(0), VirtAddr(0));
        let mut guest = Guest {
            local,
            peer,
            pages: [0..0, 0..0],
            entries: [nowhere, nowhere],
            hypervisor_frame,
            complaint: None,
        };
        for side in SIDES {
            if side == Side::Own || guest.peer.is_some() {
                let (start, end) = guest.numbers(side, Request::Pages);
                guest.pages[side.index()] = start..end;
                let (entry, stack) = guest.numbers(side, Request::TrapEntry);
                guest.entries[side.index()] = (VirtAddr(entry), VirtAddr(stack));
            }
        }
        Ok(guest)
    }

    /// Tells the peer that nothing more comes.
    pub fn stop(&mut self) {
        if self.peer.is_some() {
            let _ = self.ask(Side::Peer, Request::Stop);
        }
    }

    fn complain(&mut self, arguments: core::fmt::Arguments<'_>) {
        if self.complaint.is_none() {
            self.complaint = Some(Message::new(arguments));
        }
    }

    fn ask(&mut self, side: Side, request: Request) -> Answer {
        match (side, &self.peer) {
            (Side::Own, _) => self.local.carry_out(request),
            (Side::Peer, Some(mailbox)) => {
                let number = mailbox.ask(request);
                match peer::wait(&self.local, mailbox, number) {
                    Some(answer) => answer,
                    // It does not come back from this.
                    None if is_shutdown(&request) => Answer::Numbers(GONE.0, 0),
                    None => {
                        self.complain(format_args!("the peer does not answer {request:x?}"));
                        self.peer = None;
                        Answer::Numbers(0, 0)
                    }
                }
            }
            // What is undone on the side of a peer that has ended is undone already.
            (Side::Peer, None) => Answer::Numbers(GONE.0, 0),
        }
    }

    fn numbers(&mut self, side: Side, request: Request) -> (u64, u64) {
        match self.ask(side, request) {
            Answer::Numbers(first, second) => (first, second),
            Answer::Accessed(..) => (0, 0),
        }
    }

    fn accessed(
        &mut self,
        side: Side,
        request: Request,
    ) -> (Option<Trapped>, Result<u64, Trapped>) {
        match self.ask(side, request) {
            Answer::Accessed(first, second) => (first, second),
            Answer::Numbers(..) => (None, Ok(0)),
        }
    }
}

/// Whether a request is a call that ends the domain.
fn is_shutdown(request: &Request) -> bool {
    matches!(request, Request::Call(number, _) if *number == Shutdown::NUMBER as u64)
}

/// A frame of the hypervisor's: where its image is loaded.
fn hypervisor_frame(local: &Local) -> Mfn {
    let image = match PageTableFormat::new(local.info().page_table_format) {
        Some(PageTableFormat::X86_64) => 0x100,
        _ => 0x8_0200,
    };
    // The image is some hundred kilobytes long, and it lies in memory that the hypervisor
    // keeps an account of, or before it: any frame that is memory and not the domain's will
    // do then.
    let is_foreign = |frame: u64| {
        let (status, _) =
            local.call(PtUnpin::NUMBER as u64, &PtUnpin { frame: Mfn(frame) }.encode());
        status == Status::from(Err(Error::NotOwner))
    };
    let found = (image..image + 0x1_0000).find(|frame| is_foreign(*frame));
    Mfn(found.unwrap_or(image))
}

impl Caller for Guest {
    fn has_peer(&self) -> bool {
        self.peer.is_some()
    }

    fn lose_peer(&mut self) {
        self.peer = None;
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

    fn take_event(&mut self, side: Side, port: u32) -> bool {
        self.numbers(side, Request::TakeEvent(port)).0 != 0
    }

    fn forget_events(&mut self, side: Side) {
        let _ = self.ask(side, Request::ForgetEvents);
    }

    fn trap_entry(&self, side: Side) -> (VirtAddr, VirtAddr) {
        self.entries[side.index()]
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

    fn type_in(&mut self, _side: Side, _bytes: &[u8]) -> bool {
        false
    }

    fn wrote(&self, _side: Side, _stream: Stream, _bytes: &[u8]) -> Option<bool> {
        None
    }

    fn complaint(&mut self) -> Option<Message> {
        self.complaint.take()
    }
}
