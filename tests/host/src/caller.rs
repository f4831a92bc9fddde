//! [`Host`] as a [`Caller`].

use conformance::{Caller, Message, Pretence, Ran, Run, Side, Touch, Trapped, entries::Entries};
use hypercall_abi::{
    Mfn, Pfn, Status, VirtAddr,
    addr::Level,
    calls::{Args, console_write::Stream},
    pte,
    trap::{Cause, FaultAccess},
};
use pv_core::{
    Machine, Trap,
    format::Format,
    frame::{COUNT_MAX, Frame},
    model::{self, Access},
};
use std::ops::Range;

use crate::{
    cpu::Cpu,
    host::{Found, Host},
    world::{HYPERVISOR_FRAME, TEST_PAGES, TRAP_ENTRY, TRAP_STACK},
};

impl<P: Cpu> Host<P> {
    fn frame(&self, side: Side, page: Pfn) -> Mfn {
        let domain = &self.domains[side.index()];
        match domain.first_frames.get(page.0 as usize) {
            Some(frame) => *frame,
            None => {
                let (index, word) = (page.0 as usize / 512, page.0 as usize % 512);
                Mfn(self.machine.read(domain.p2m[index], word))
            }
        }
    }

    /// One access of the domain's kernel.
    fn access(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Result<u64, ()> {
        let access = match touch {
            Touch::Read | Touch::Execute => Access::Read,
            Touch::Write(value) => Access::Write(value),
        };
        let value = self.machine.access(address, access).map_err(drop)?;
        if touch == Touch::Execute && !self.may_execute(side, address) {
            return Err(());
        }
        Ok(if touch == Touch::Read { value } else { 0 })
    }

    /// Whether the entry that maps the page permits fetching instructions. The model's cache
    /// does not say.
    fn may_execute(&self, side: Side, address: VirtAddr) -> bool {
        let entries = Entries(P::Format::ID);
        let Some(mut table) = self.state.vcpu(self.domains[side.index()].slot).root() else {
            return false;
        };
        for level in (1..=P::Format::ROOT.number()).rev() {
            let Some(level) = Level::new(level.into()) else { return false };
            let entry = self.machine.read(table, entries.index(address, level).into());
            if !entries.is_present(entry) {
                return false;
            }
            let refused = if entries.is_x86() {
                entry & pte::x86_64::Flags::NO_EXECUTE.bits() != 0
            } else {
                level == Level::L1 && entry & pte::riscv64::Flags::EXECUTE.bits() == 0
            };
            if refused {
                return false;
            }
            table = entries.frame(entry);
        }
        true
    }

    fn fault(&mut self, side: Side, address: VirtAddr, touch: Touch, updates: u64) -> Trapped {
        let code = match touch {
            Touch::Read => FaultAccess::READ,
            Touch::Write(_) => FaultAccess::WRITE,
            Touch::Execute => FaultAccess::EXECUTE,
        };
        let trap = Trap { cause: Cause::PageFault, code: code.bits(), address: address.0 };
        match self.trap(side, trap, updates) {
            Some(Found { cause, code, address }) => Trapped { cause, code, address },
            None => Trapped { cause: None, code: 0, address: 0 },
        }
    }
}

impl<P: Cpu> Caller for Host<P> {
    fn begin(&mut self) {}

    fn has(&mut self, side: Side) -> bool {
        if side.index() == self.domains.len() {
            self.add(side);
        }
        self.lives(side)
    }

    fn lose_peer(&mut self) -> u32 {
        // It has few frames, and each turn is audited.
        60
    }

    fn call(&mut self, side: Side, number: u64, args: &Args) -> (Status, u64) {
        self.make_call(side, number, args)
    }

    fn read(&mut self, side: Side, page: Pfn, word: usize) -> u64 {
        let frame = self.frame(side, page);
        self.machine.read(frame, word)
    }

    fn write(&mut self, side: Side, page: Pfn, word: usize, value: u64) {
        let frame = self.frame(side, page);
        self.machine.write(frame, word, value);
    }

    fn touch(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Result<u64, Trapped> {
        self.turn_to(side);
        match self.access(side, address, touch) {
            Ok(value) => Ok(value),
            Err(()) => Err(self.fault(side, address, touch, 0)),
        }
    }

    fn touch_mending(
        &mut self,
        side: Side,
        address: VirtAddr,
        touch: Touch,
        updates: u64,
    ) -> (Option<Trapped>, Result<u64, Trapped>) {
        self.turn_to(side);
        if let Ok(value) = self.access(side, address, touch) {
            return (None, Ok(value));
        }
        let first = self.fault(side, address, touch, updates);
        (Some(first), self.touch(side, address, touch))
    }

    fn run(&mut self, _side: Side, _run: Run) -> Option<Ran> {
        None
    }

    fn take_event(&mut self, side: Side, port: u32) -> bool {
        let word = &mut self.domains[side.index()].taken[port as usize / 64];
        let bit = 1 << (port % 64);
        let taken = *word & bit != 0;
        *word &= !bit;
        taken
    }

    fn forget_events(&mut self, side: Side) {
        self.domains[side.index()].taken = [0; 16];
    }

    fn trap_entry(&self, _side: Side) -> (VirtAddr, VirtAddr) {
        (VirtAddr(TRAP_ENTRY), VirtAddr(TRAP_STACK))
    }

    fn pages(&self, side: Side) -> Range<u64> {
        let info = self.domains[side.index()].first_frames[0];
        // The fifth word: `frames`.
        let end = self.machine.read(info, 4);
        end.saturating_sub(TEST_PAGES)..end
    }

    fn hypervisor_frame(&self) -> Mfn {
        HYPERVISOR_FRAME
    }

    fn pretend(&mut self, frame: Mfn, pretence: Option<Pretence>) -> bool {
        if let Some((frame, pretence)) = self.pretended.take() {
            self.state.confess(frame, pretence);
        }
        let Some(pretence) = pretence else { return true };
        let pretence = match pretence {
            Pretence::Room(room) => {
                let Ok(Frame::Owned(owned)) = self.state.frames.get(frame) else { return false };
                model::Pretence::References(COUNT_MAX - room - owned.references)
            }
            Pretence::UnderWay => model::Pretence::UnderWay,
        };
        self.state.pretend(frame, pretence);
        self.pretended = Some((frame, pretence));
        true
    }

    fn now(&mut self) -> u64 {
        self.machine.now()
    }

    fn type_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let id = self.domains[Side::Own.index()].id;
        for byte in bytes {
            self.state.console_input(&mut self.machine, id, *byte);
        }
        Some(bytes.len())
    }

    fn wrote(&self, side: Side, stream: Stream, bytes: &[u8]) -> Option<bool> {
        let id = self.domains[side.index()].id;
        let last = self.machine.console.last();
        Some(last.is_some_and(|(from, on, text)| *from == id && *on == stream && text == bytes))
    }

    fn complaint(&mut self) -> Option<Message> {
        self.complaint.take()
    }
}
