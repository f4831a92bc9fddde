//! Registers, traps, and the calls about the processor: `spec/src/abi/traps.md`,
//! `trap_register`, `trap_return`, `sched_block`, and what comes before a return to the guest.

use super::{Answer, Oracle, events};
use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error};

/// Word of the vCPU page: trap frames held.
pub const TRAP_DEPTH: usize = 2;
const FRAMES: usize = 128;
const HEADER: usize = 4;
const DEPTH_MAX: u64 = 8;
/// Flags of a trap frame.
const USER: u64 = 1;
const EVENTS_WERE_MASKED: u64 = 2;

/// The registers of a vCPU, as a trap frame holds them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registers {
    /// The words.
    pub words: Vec<u64>,
}

impl Registers {
    fn is_x86(&self) -> bool {
        self.words.len() == 24
    }

    /// Where the number, the arguments, status and value, program counter and stack are.
    fn places(&self) -> Places {
        if self.is_x86() {
            let args = [11, 12, 13, 7, 8, 9];
            Places { number: 16, args, status: 16, value: 13, pc: 19, sp: 22 }
        } else {
            let args = [9, 10, 11, 12, 13, 14];
            Places { number: 16, args, status: 9, value: 10, pc: 31, sp: 1 }
        }
    }

    fn pc(&self) -> u64 {
        self.words[self.places().pc]
    }

    fn set(&mut self, word: usize, value: u64) {
        self.words[word] = value;
    }

    /// As a trap frame shows them: X86: reserved words and segments are 0.
    fn shown(&self) -> Vec<u64> {
        let mut words = self.words.clone();
        if self.is_x86() {
            for word in [17, 18, 20, 23] {
                words[word] = 0;
            }
        }
        words
    }

    /// X86.7, RISCV.7: what is loaded of a frame; `None` if the frame is refused.
    fn sanitised(mut self) -> Option<Registers> {
        if self.is_x86() {
            let canonical = |base: u64| [0, 0x1_ffff].contains(&(base >> 47));
            if !canonical(self.words[0]) || !canonical(self.words[1]) {
                return None;
            }
            // CF 0, PF 2, AF 4, ZF 6, SF 7, TF 8, DF 10, OF 11, AC 18, ID 21.
            let kept: u64 = [0, 2, 4, 6, 7, 8, 10, 11, 18, 21].iter().map(|bit| 1 << bit).sum();
            let forced = 1 << 1 | 1 << 9;
            self.words[21] = self.words[21] & kept | forced;
            self.words = self.shown();
        } else {
            self.words[31] &= !1;
        }
        Some(self)
    }
}

struct Places {
    number: usize,
    args: [usize; 6],
    status: usize,
    value: usize,
    pc: usize,
    sp: usize,
}

impl Oracle {
    /// The instruction that makes calls, with the registers as they are.
    pub fn enter_call(&mut self, id: DomainId, told: u64, given: &[u64]) {
        self.told = told;
        if self.domain(id).user {
            self.deliver(id, 1, 0, 0);
        } else {
            let registers = &mut self.domain(id).registers;
            let places = registers.places();
            if !registers.is_x86() {
                let behind = registers.pc().wrapping_add(4);
                registers.set(places.pc, behind);
            }
            let number = registers.words[places.number];
            let args: Args = places.args.map(|word| registers.words[word]);
            if let Some(answer) = self.call(id, number, &args, given) {
                let (status, value) = match answer {
                    Ok(value) => (0, value),
                    Err((error, value)) => (error as u64, value),
                };
                let registers = &mut self.domain(id).registers;
                registers.set(places.status, status);
                registers.set(places.value, value);
            }
        }
        self.before_return(id);
    }

    /// What comes before the guest runs: the address that it goes to, and events that are due.
    pub fn before_return(&mut self, id: DomainId) {
        let end = self.layout.guest_end();
        let Some(domain) = self.domains.get(&id) else { return };
        if domain.blocked {
            return;
        }
        let pc = domain.registers.pc();
        match (pc >= end, domain.user) {
            (true, false) => return self.end(id),
            // An instruction that is fetched: bit 2.
            (true, true) => return self.deliver(id, 2, 4, pc),
            _ => {}
        }
        let takes = domain.entry.is_some() && self.word(domain.page, events::EVENTS_MASKED) == 0;
        if takes && self.word(domain.page, events::EVENTS_PENDING) != 0 {
            self.deliver(id, 0, 0, 0);
        }
    }

    /// TRAP.1 to TRAP.5 and TRAP.7.
    pub fn deliver(&mut self, id: DomainId, cause: u64, code: u64, address: u64) {
        let domain = self.domains[&id].clone();
        let (page, depth) = (domain.page, self.word(domain.page, TRAP_DEPTH));
        let Some((entry, stack)) = domain.entry else { return self.end(id) };
        if depth >= DEPTH_MAX {
            return self.end(id);
        }
        let masked = self.word(page, events::EVENTS_MASKED) != 0;
        let mut flags = if domain.user { USER } else { 0 };
        flags |= if masked { EVENTS_WERE_MASKED } else { 0 };
        let mut words = vec![cause | flags << 32, code, address, 0];
        words.extend(domain.registers.shown());
        let first = FRAMES + depth as usize * words.len();
        for (at, value) in words.into_iter().enumerate() {
            self.set_word(page, first + at, value);
        }
        self.set_word(page, TRAP_DEPTH, depth + 1);
        self.set_word(page, events::EVENTS_MASKED, 1);
        let mut registers = domain.registers;
        if registers.is_x86() {
            registers.words = registers.shown();
            // TF, DF and AC are clear.
            registers.words[21] &= !(1 << 8 | 1 << 10 | 1 << 18);
        }
        let places = registers.places();
        let interrupted = registers.words[places.sp] & !15;
        registers.set(places.sp, if domain.user { stack } else { interrupted });
        registers.set(places.pc, entry);
        let domain = self.domain(id);
        domain.registers = registers;
        domain.user = false;
        domain.traps += 1;
    }

    pub(super) fn trap_register(
        &mut self,
        caller: DomainId,
        entry: u64,
        stack: u64,
    ) -> Result<u64, Error> {
        let end = self.layout.guest_end();
        if entry >= end {
            return Err(Error::HypervisorRange);
        }
        if !stack.is_multiple_of(16) {
            return Err(Error::BadArgument);
        }
        if stack > end {
            return Err(Error::HypervisorRange);
        }
        self.domain(caller).entry = Some((entry, stack));
        Ok(0)
    }

    /// `None`: the guest goes on from the frame.
    pub(super) fn trap_return(&mut self, caller: DomainId, count: u64) -> Option<Answer> {
        if count > 256 {
            return Some(Err((Error::BadArgument, 0)));
        }
        if let Err(refused) = self.updates(caller, count) {
            return Some(Err(refused));
        }
        match self.take_frame(caller) {
            Ok(()) => None,
            Err(error) => Some(Err((error, count))),
        }
    }

    /// TRAP_RETURN.3 to TRAP_RETURN.11.
    fn take_frame(&mut self, caller: DomainId) -> Result<(), Error> {
        let domain = &self.domains[&caller];
        let (page, size) = (domain.page, domain.registers.words.len());
        let depth = self.word(page, TRAP_DEPTH);
        if !(1..=DEPTH_MAX).contains(&depth) {
            return Err(Error::BadTrapFrame);
        }
        let first = FRAMES + (depth - 1) as usize * (HEADER + size);
        let flags = self.word(page, first) >> 32;
        if flags & !(USER | EVENTS_WERE_MASKED) != 0 {
            return Err(Error::BadTrapFrame);
        }
        let words = (0..size).map(|at| self.word(page, first + HEADER + at)).collect();
        let registers = Registers { words }.sanitised().ok_or(Error::BadTrapFrame)?;
        if registers.pc() >= self.layout.guest_end() {
            return Err(Error::BadTrapFrame);
        }
        let user = flags & USER != 0;
        if user && domain.user_root.is_none() {
            return Err(Error::NotRegistered);
        }
        self.set_word(page, TRAP_DEPTH, depth - 1);
        let masked = flags & EVENTS_WERE_MASKED != 0;
        self.set_word(page, events::EVENTS_MASKED, masked.into());
        let domain = self.domain(caller);
        domain.registers = registers;
        domain.user = user;
        Ok(())
    }

    pub(super) fn sched_block(&mut self, caller: DomainId) {
        let page = self.domains[&caller].page;
        self.set_word(page, events::EVENTS_MASKED, 0);
        if self.is_some_pending(caller) {
            // SCHED_BLOCK.3: the event trap comes before the call returns.
            self.set_word(page, events::EVENTS_PENDING, 1);
        } else {
            self.domain(caller).blocked = true;
        }
    }

    pub(super) fn timer_set(&mut self, caller: DomainId, deadline: u64) {
        self.domain(caller).deadline = (deadline != u64::MAX).then_some(deadline);
        self.wait(0);
    }
}
