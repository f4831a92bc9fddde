//! The core on a model of a machine, the oracle beside it, and the steps that both take.

use crate::compare::compare;
use crate::mismatch::{Mismatch, describe};
use crate::oracle::{Oracle, Registers as Words, Use};
use crate::places::Places;
use crate::step::{Kind, Step};
use conformance_host::Cpu;
use hypercall_abi::calls::Args;
use hypercall_abi::trap::Cause;
use hypercall_abi::{DomainId, Mfn, Number, Status, VirtAddr};
use pv_core::model::ModelMachine;
use pv_core::{Entry, Machine, Outcome, Registers, Slot, State, Trap, audit, model};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where the guests make their calls.
const CALL_SITE: u64 = 0x1000_0100;
/// Steps after which a call that has not returned never will.
const PATIENCE: u32 = 100_000;

/// One guest.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) slot: Slot,
    pub(crate) id: DomainId,
    /// Frames that steps play with.
    pub(crate) pool: Vec<Mfn>,
    /// Where their pages are mapped.
    pub(crate) pages: Vec<u64>,
}

/// The core and the oracle.
#[derive(Clone)]
pub struct World<P: Cpu> {
    pub(crate) state: State<P>,
    pub(crate) machine: ModelMachine<P::Format>,
    pub(crate) registers: BTreeMap<DomainId, P::Registers>,
    pub(crate) guests: Vec<Guest>,
    pub(crate) oracle: Oracle,
    pub(crate) unowned_at_start: u64,
    story: Vec<String>,
    /// Whether each call is shown before it is made: for whoever looks for a crash.
    pub told_at_once: bool,
}

impl<P: Cpu> World<P> {
    pub(crate) fn bare(
        state: State<P>,
        machine: ModelMachine<P::Format>,
        oracle: Oracle,
    ) -> World<P> {
        let unowned_at_start = state.frames.unowned();
        World {
            state,
            machine,
            registers: BTreeMap::new(),
            guests: Vec::new(),
            oracle,
            unowned_at_start,
            story: Vec::new(),
            told_at_once: false,
        }
    }

    /// Sets how much work the core does at a time: calls end where they ended before.
    pub fn set_budget(&mut self, units: u32) {
        self.state.set_budget(units);
    }

    /// Takes steps, one after another, until they are over or nobody is left to take one.
    ///
    /// # Errors
    /// [`Mismatch`], at the first difference between the core and the book.
    pub fn play(&mut self, steps: &[Step], focus: Option<Number>) -> Result<(), Mismatch> {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let Some(who) = self.who(step.domain()) else { return Ok(()) };
            at += 1 + self.step(who, step, &steps[at + 1..], focus)?;
        }
        Ok(())
    }

    /// Ends both domains, wherever they are: every frame comes back.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn finish(&mut self) -> Result<(), Mismatch> {
        for guest in self.guests.clone() {
            if !self.oracle.domains.contains_key(&guest.id) {
                continue;
            }
            self.tell(guest.id, "is destroyed");
            self.checked(|world| {
                let reason = pv_core::EndReason::Destroyed;
                world.state.end_domain(&mut world.machine, guest.id, reason);
                world.oracle.end(guest.id);
            })?;
        }
        let unowned = self.state.frames.unowned();
        if unowned != self.unowned_at_start {
            let before = self.unowned_at_start;
            return Err(self.mismatch(format!("{before} frames were free at first, now {unowned}")));
        }
        Ok(())
    }

    /// The guest that takes a step: that one, or the other if it cannot.
    fn who(&self, wanted: usize) -> Option<usize> {
        [wanted, 1 - wanted].into_iter().find(|who| {
            let domain = self.oracle.domains.get(&self.guests[*who].id);
            domain.is_some_and(|domain| !domain.blocked)
        })
    }

    fn step(
        &mut self,
        who: usize,
        step: &Step,
        rest: &[Step],
        focus: Option<Number>,
    ) -> Result<usize, Mismatch> {
        let id = self.guests[who].id;
        self.turn(who)?;
        if !self.oracle.domains.contains_key(&id) {
            return Ok(0);
        }
        let places = self.places(who);
        let [a, b, c] = step.bytes();
        match step.kind(focus) {
            Kind::Call(Number::Batch) => {
                let (args, _) = step.call::<P::Format>(Number::Batch, &places);
                let entries = rest.len().min(args[0].min(4) as usize);
                self.lay_batch(who, &rest[..entries], &places, focus);
                self.call(who, Number::Batch as u64, &args, CALL_SITE)?;
                return Ok(entries);
            }
            Kind::Call(call) => {
                let (args, words) = step.call::<P::Format>(call, &places);
                self.lay(who, &words);
                self.call(who, call as u64, &args, CALL_SITE)?;
            }
            Kind::Garbage => {
                let (number, args) = step.garbage();
                // What ends a domain or sleeps is not garbage's to do.
                if ![Number::Shutdown, Number::SchedBlock].map(|n| n as u64).contains(&number) {
                    self.call(who, number, &args, CALL_SITE)?;
                }
            }
            Kind::Far => {
                let end = self.oracle.layout.guest_end();
                let pc = if P::Registers::WORDS == 24 { end } else { end - 4 };
                self.call(who, Number::AbiQuery as u64, &[0; 6], pc)?;
            }
            Kind::Poke => {
                let frame = places.frame(a);
                let own = self.oracle.owners.get(&frame) == Some(&id);
                if own && !self.oracle.tables.contains_key(&frame) {
                    let value = step.entry::<P::Format>(1, &places);
                    self.write(id, frame, usize::from(b) * 2 % 512, value)?;
                }
            }
            Kind::Word => {
                let (word, value) = step.vcpu_word();
                self.write(id, self.oracle.domains[&id].page, word, value)?;
            }
            Kind::Frame => {
                let (index, flags, pc) = step.trap_frame();
                let page = self.oracle.domains[&id].page;
                let words = P::Registers::WORDS;
                let first = 128 + index as usize * (4 + words);
                let pc_word = first + 4 + if words == 24 { 19 } else { 31 };
                self.write(id, page, first, flags << 32)?;
                self.write(id, page, pc_word, pc)?;
                self.write(id, page, first + 4 + usize::from(c) % words, step.number())?;
                self.write(id, page, pc_word, pc)?;
            }
            Kind::Trap => self.trap(who, a, b.into())?,
            Kind::Wait => {
                self.tell(id, &format!("waits for {b} ticks"));
                self.checked(|world| {
                    world.machine.advance(b.into());
                    world.state.alarm(&mut world.machine);
                    world.oracle.wait(b.into());
                })?;
            }
            Kind::Type => {
                let to = self.guests[usize::from(b) % 2].id;
                if self.oracle.domains.contains_key(&to) {
                    self.tell(to, &format!("is sent {b:#x} by its operator"));
                    self.checked(|world| {
                        world.state.console_input(&mut world.machine, to, b);
                        world.oracle.type_in(to, b);
                    })?;
                }
            }
        }
        Ok(0)
    }

    /// Gives a guest the processor; what is due when it gets it is delivered.
    fn turn(&mut self, who: usize) -> Result<(), Mismatch> {
        let Guest { slot, id, .. } = self.guests[who];
        self.checked(|world| {
            world.state.switch_to(&mut world.machine, slot);
            let registers = world.registers.get_mut(&id).expect("it has registers");
            let _ = world.state.resume(&mut world.machine, slot, registers);
            world.oracle.before_return(id);
        })
    }

    /// A guest executes the instruction that makes calls.
    pub(crate) fn call(
        &mut self,
        who: usize,
        number: u64,
        args: &Args,
        pc: u64,
    ) -> Result<(Status, u64), Mismatch> {
        let Guest { slot, id, .. } = self.guests[who];
        let registers = self.registers.get_mut(&id).expect("it has registers");
        registers.set_call(number, args);
        registers.set_pc(pc);
        let words = Words { words: registers.words().to_vec() };
        self.oracle.domains.get_mut(&id).expect("it runs").registers = words;
        let user = self.oracle.domains[&id].user;
        let text = describe(number, args);
        self.tell(id, &if user { format!("in user mode: {text}") } else { text });
        let mut told = (Status(0), 0);
        self.checked(|world| {
            let registers = world.registers.get_mut(&id).expect("it has registers");
            let mut outcome = world.state.enter(&mut world.machine, slot, registers, Entry::Call);
            for _ in 0..PATIENCE {
                if outcome == Outcome::Return || !world.is_runnable(slot) {
                    break;
                }
                world.state.switch_to(&mut world.machine, slot);
                let registers = world.registers.get_mut(&id).expect("it has registers");
                outcome = world.state.resume(&mut world.machine, slot, registers);
            }
            told = world.registers[&id].result();
            let arguments = world.oracle.domains[&id].arguments;
            let given = world.machine.content(arguments).unwrap_or_default().to_vec();
            world.oracle.enter_call(id, told.1, &given);
        })?;
        let (status, value) = told;
        if let (Some(line), true) = (self.story.last_mut(), self.oracle.domains.contains_key(&id)) {
            let _ = match status.decode() {
                Some(Ok(())) => write!(line, " -> {value:#x}"),
                Some(Err(error)) => write!(line, " -> {error:?}, {value:#x}"),
                // Other registers were loaded.
                None => Ok(()),
            };
        }
        Ok(told)
    }

    fn is_runnable(&self, slot: Slot) -> bool {
        let running = self.state.domains().any(|(found, d)| found == slot && d.is_running());
        running && self.state.vcpu(slot).state == pv_core::vcpu::RunState::Runnable
    }

    fn trap(&mut self, who: usize, cause: u8, code: u64) -> Result<(), Mismatch> {
        let Guest { slot, id, .. } = self.guests[who];
        let cause =
            [Cause::PageFault, Cause::Breakpoint, Cause::Protection][usize::from(cause) % 3];
        let trap = Trap { cause, code, address: code << 12 };
        self.tell(id, &format!("traps: {trap}"));
        self.checked(|world| {
            let registers = world.registers.get_mut(&id).expect("it has registers");
            let _ = world.state.enter(&mut world.machine, slot, registers, Entry::Trap(trap));
            world.oracle.deliver(id, cause as u64, trap.code, trap.address);
            world.oracle.before_return(id);
        })
    }

    /// A guest writes a word of a frame that is its own and no page table.
    fn write(&mut self, id: DomainId, frame: Mfn, word: usize, to: u64) -> Result<(), Mismatch> {
        self.tell(id, &format!("writes {to:#x} to word {word:#x} of {frame:x?}"));
        self.machine.write(frame, word, to);
        self.oracle.set_word(frame, word, to);
        Ok(())
    }

    /// Lays words at the start of the argument frame.
    fn lay(&mut self, who: usize, words: &[u64]) {
        let id = self.guests[who].id;
        let arguments = self.oracle.domains[&id].arguments;
        for (at, value) in words.iter().enumerate() {
            self.machine.write(arguments, at, *value);
            self.oracle.set_word(arguments, at, *value);
        }
        if !words.is_empty() {
            self.tell(id, &format!("has in its argument frame {words:x?}"));
        }
    }

    fn lay_batch(&mut self, who: usize, entries: &[Step], places: &Places, focus: Option<Number>) {
        let entry = |step: &Step| {
            let (number, args) = match step.kind(focus) {
                Kind::Call(call) => (call as u64, step.call::<P::Format>(call, places).0),
                _ => step.garbage(),
            };
            let mut words = vec![number];
            words.extend(args);
            words.push(0);
            words
        };
        let words: Vec<u64> = entries.iter().flat_map(entry).collect();
        self.lay(who, &words);
    }

    /// Does something to the core and to the oracle, finishes what that leaves to be done
    /// between slices, and compares.
    fn checked(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), Mismatch> {
        let done = catch_unwind(AssertUnwindSafe(|| {
            act(self);
            self.take_apart();
            self.warm();
        }));
        if let Err(panic) = done {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
            return Err(self.mismatch(format!("a panic: {}", text.unwrap_or_default())));
        }
        self.check().map_err(|what| self.mismatch(what))
    }

    pub(crate) fn check(&mut self) -> Result<(), String> {
        audit::audit(&self.state, &self.machine).map_err(|violation| violation.to_string())?;
        audit::audit_translations(&self.state, &self.machine)
            .map_err(|violation| violation.to_string())?;
        match self.oracle.take_complaint() {
            Some(complaint) => Err(complaint),
            None => compare::<P>(&self.oracle, &self.state, &self.machine, &self.registers),
        }
    }

    /// Goes on with the taking apart of domains that have ended, as far as it can go.
    fn take_apart(&mut self) {
        while self.state.is_taking_apart() {
            let _ = self.state.schedule(&mut self.machine);
        }
    }

    /// Makes the processor cache all that it can: the next step meets the stalest cache.
    fn warm(&mut self) {
        for page in self.guests.iter().flat_map(|guest| guest.pages.clone()) {
            let _ = self.machine.access(VirtAddr(page), model::Access::Read);
        }
    }

    fn tell(&mut self, id: DomainId, what: &str) {
        let line = format!("domain {}: {what}", id.0);
        if self.told_at_once {
            eprintln!("{line}");
        }
        self.story.push(line);
    }

    fn mismatch(&self, what: String) -> Mismatch {
        let story = if self.told_at_once { Vec::new() } else { self.story.clone() };
        Mismatch { story, what }
    }

    /// Whether a frame is mapped writable by an entry of that guest.
    pub(crate) fn is_mapped_writable(&self, id: DomainId, frame: Mfn) -> bool {
        let holders = self.oracle.holders();
        holders.get(&frame).is_some_and(|holders| {
            holders.iter().any(|h| h.entry && h.domain == id && h.usage == Use::Write)
        })
    }

    /// The steps taken, as text.
    pub fn story(&self) -> &[String] {
        &self.story
    }

    /// Domains that run.
    pub fn living(&self) -> usize {
        self.oracle.domains.len()
    }

    /// Forgets the calls made so far: they are not told of.
    pub(crate) fn begin_story(&mut self) {
        self.story.clear();
    }
}
