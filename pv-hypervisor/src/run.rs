//! The run: what the hypervisor is, what is done between two entries from guests, what runs next, the
//! end. [`entries`](mod@entries) is what guests enter by.
#![allow(unsafe_code, reason = "contexts are reached by address")]

mod entries;

use crate::arch::{self, Platform};
use crate::context::Context;
use crate::control::Controller;
use crate::loader::Loaded;
use crate::machine::Hardware;
use crate::observe::Observer;
use crate::options::Options;
use crate::stretch::What;
use crate::{report, say};
use alloc::boxed::Box;
use bare_machine::shown::Shown;
use hypercall_abi::{DomainId, Features};
use pv_core::domain::{Life, MAX_DOMAINS};
use pv_core::{DomainSummary, EndReason, Next, Outcome, Slot, State};
use pv_wire::{Input, InputDecoder, RunTotals, Source};
use spin::mutex::SpinMutex;

/// No domain: what is typed goes nowhere.
pub const NOBODY: DomainId = DomainId(0);

/// Everything that the hypervisor is, behind one lock.
pub struct Hypervisor {
    /// What decides.
    state: State<Platform>,
    /// What acts.
    machine: Hardware,
    /// Whether every call goes the long way, with trace or audit.
    observe: bool,
    observer: Observer,
    contexts: [*mut Context; MAX_DOMAINS],
    /// Whose floating-point registers the processor holds, and whom entries are from.
    current: *mut Context,
    focus: DomainId,
    input: InputDecoder,
    totals: RunTotals,
    all_well: bool,
    controller: Option<Controller>,
    /// Whether pages share frames.
    sharing: bool,
    /// When what is shared is told again.
    sharing_told: u64,
}

// SAFETY: the contexts are reached under the lock, or by the entry code of the processor that
// runs them.
unsafe impl Send for Hypervisor {}

/// Runs what was loaded until no domain is left, and switches off.
pub fn run(loaded: Loaded, machine: Hardware, options: &Options, totals: RunTotals) -> ! {
    let focus = DomainId(options.focus);
    let ticks_per_second = loaded.state.config.ticks_per_second;
    let controller = options.policy.map(|policy| {
        let (frames, claims) = (loaded.frames_before, &loaded.claims);
        let (round, seed, forces) = (options.round_ms, totals.ticks, options.store != 0);
        Controller::new(policy, frames, claims, round, ticks_per_second, seed, forces)
    });
    let observer = Observer::new(&loaded.options);
    let sharing = loaded.state.config.features.contains(Features::SHARING);
    let hypervisor = Box::leak(Box::new(SpinMutex::new(Hypervisor {
        state: loaded.state,
        machine,
        observe: observer.is_wanted(),
        observer,
        contexts: [core::ptr::null_mut(); MAX_DOMAINS],
        current: core::ptr::null_mut(),
        focus,
        input: InputDecoder::new(),
        totals,
        all_well: true,
        controller,
        sharing,
        sharing_told: 0,
    })));
    let hypervisor: &'static SpinMutex<Hypervisor> = hypervisor;
    let first = {
        let mut guard = hypervisor.lock();
        for (slot, registers) in loaded.vcpus {
            guard.contexts[slot.index()] = Box::leak(Box::new(Context {
                registers,
                host_stack: 0,
                hypervisor,
                slot,
                told: false,
                floating_point: arch::FloatingPoint::clean(),
            }));
        }
        guard.reschedule()
    };
    // SAFETY: `reschedule` has prepared the context and the core has loaded its tables.
    unsafe { arch::enter_guest(first) }
}

/// A bounded piece of sharing, or of taking memory by force; whether there was something to do.
type MovingStep = fn(&mut State<Platform>, &mut Hardware) -> bool;

/// Pieces of taking memory by force that are done each time that the next guest is chosen.
const RECLAIM_STEPS: u32 = 16;

/// Times a second that an idle processor wakes to look for pages that are alike.
const SCANS_PER_SECOND: u64 = 100;

impl Hypervisor {
    fn audit(&mut self) {
        self.observer.audit(&self.state, &self.machine, &mut self.totals.audits);
    }

    /// A vCPU does not go on at once: tells its domain's end, if that is why.
    #[cold]
    #[inline(never)]
    fn leave(&mut self, slot: Slot) -> *mut Context {
        self.tell_if_ended(slot);
        self.reschedule()
    }

    /// An interrupt came: the alarm, and a moment to look at the serial line.
    fn interrupt(&mut self) {
        if self.observe {
            self.observer.stretches.begin(What::Interrupt);
        }
        while let Some(byte) = arch::serial_read() {
            match self.input.feed(byte) {
                Some(Input::Typed(byte)) => {
                    self.state.console_input(&mut self.machine, self.focus, byte);
                }
                Some(Input::Select(Source(domain))) => self.focus = DomainId(domain),
                Some(Input::Census) => report::census(&self.state, &self.machine),
                Some(Input::Target(Source(domain), pages)) => {
                    let domain = DomainId(domain);
                    // One that is gone needs none.
                    let _ = self.state.set_target(&mut self.machine, domain, pages.into());
                }
                Some(Input::Change(Source(domain), pages)) => {
                    let id = DomainId(domain);
                    let before =
                        self.state.domain_of(id).map(|domain| domain.balloon.target_frames);
                    if let Some(target) = before.and_then(|to| to.checked_add_signed(pages.into()))
                    {
                        let _ = self.state.set_target(&mut self.machine, id, target);
                    }
                }
                None => {}
            }
        }
        self.machine.polled();
        if self.machine.take_alarm() {
            self.state.alarm(&mut self.machine);
        }
        if let Some(controller) = &mut self.controller {
            controller.round(&mut self.state, &mut self.machine);
        }
    }

    /// Serves interrupts between two pieces of the hypervisor's own work.
    fn pause(&mut self) {
        self.interrupt();
        if self.observe {
            self.observer.stretches.begin(What::Schedule);
        }
    }

    /// Finds the vCPU that runs next, and makes the processor its own.
    fn reschedule(&mut self) -> *mut Context {
        // One step for each slice: the guests hardly notice. What is taken by force is wanted now.
        let _ = self.sharing && self.move_pages(State::share_step);
        for _ in 0..RECLAIM_STEPS {
            if !(self.sharing && self.move_pages(State::reclaim_step)) {
                break;
            }
        }
        loop {
            if self.observe {
                self.observer.stretches.begin(What::Schedule);
            }
            let sampling = match &mut self.controller {
                Some(controller) => controller.step(&mut self.state, &mut self.machine),
                None => false,
            };
            let busy = self.state.clear_away(&mut self.machine);
            if busy || sampling {
                self.pause();
            }
            // What is told goes over the serial line, which takes as long as a step of a call.
            if self.sharing && self.tell_sharing() {
                self.pause();
            }
            while let Some(summary) = self.state.take_summary() {
                self.domain_gone(&summary);
                self.pause();
            }
            let next = self.state.choose(&mut self.machine, busy);
            match next {
                Next::Run(slot) => {
                    if self.observe {
                        self.observer.stretches.resumes(slot);
                    }
                    let context = self.contexts[slot.index()];
                    self.switch_to(context);
                    // SAFETY: every slot that the core runs was loaded with a context, which
                    // nobody else borrows while the lock is held.
                    let registers = unsafe { &mut (*context).registers };
                    let Hypervisor { state, machine, .. } = self;
                    let outcome = state.resume(machine, slot, registers);
                    match outcome {
                        Outcome::Return => {
                            if self.observe {
                                self.observer.after_call(slot, registers);
                                self.observer.stretches.answered(slot);
                            }
                            return context;
                        }
                        Outcome::Reschedule => self.tell_if_ended(slot),
                    }
                    // Not when the guest goes on: an audit may outlast its slice, and it would
                    // never get anywhere.
                    if self.observe {
                        self.audit();
                    }
                }
                // Nobody types, so that nothing can wake a domain but another and its timer.
                // The sample goes on when nobody runs.
                Next::Idle if sampling => self.interrupt(),
                Next::Idle
                    if self.focus == NOBODY && self.state.end_if_stuck(&mut self.machine) => {}
                Next::Busy => self.interrupt(),
                Next::Idle
                    if self.sharing
                        && (self.move_pages(State::reclaim_step)
                            || self.move_pages(State::share_step)) => {}
                Next::Idle => {
                    self.observer.stretches.end();
                    let latest = if self.sharing {
                        let ticks = self.state.config.ticks_per_second / SCANS_PER_SECOND;
                        arch::now().saturating_add(ticks)
                    } else {
                        u64::MAX
                    };
                    self.machine.sleep(latest);
                    self.interrupt();
                }
                Next::Finished => self.finish(),
            }
        }
    }

    /// A bounded piece of moving pages, and a look at what came meanwhile. False when there was
    /// nothing to do.
    #[cold]
    #[inline(never)]
    fn move_pages(&mut self, step: MovingStep) -> bool {
        if self.observe {
            self.observer.stretches.begin(What::Sharing);
        }
        let worked = step(&mut self.state, &mut self.machine);
        if worked {
            self.interrupt();
        }
        worked
    }

    /// Tells what is shared, four times a second. Whether it did: that takes long.
    fn tell_sharing(&mut self) -> bool {
        let now = arch::now();
        let is_due = now >= self.sharing_told;
        if is_due {
            let per_second = self.state.config.ticks_per_second;
            let since = now.saturating_sub(self.totals.ticks);
            report::shared(&self.state, since / (per_second / 1000).max(1));
            self.sharing_told = now + per_second / 4;
        }
        is_due
    }

    fn tell_if_ended(&mut self, slot: Slot) {
        // SAFETY: as in `reschedule`.
        let context = unsafe { &mut *self.contexts[slot.index()] };
        let domain = self.state.domain(slot);
        if let Life::Ending { reason, .. } = &domain.life
            && !context.told
        {
            context.told = true;
            tell_end(domain.id, &domain.name, reason, context);
        }
    }

    /// Gives the processor to a vCPU: its registers and nobody else's.
    fn switch_to(&mut self, context: *mut Context) {
        if self.current == context {
            return;
        }
        // SAFETY: `current` is null or a context; contexts are never freed.
        if let Some(before) = unsafe { self.current.as_mut() } {
            before.floating_point.save();
        }
        // SAFETY: a context, as above; the lock is held, so that nobody enters from it.
        unsafe {
            (*context).floating_point.load();
            arch::prepare_context(context);
        }
        self.current = context;
        self.totals.switches += 1;
    }

    fn domain_gone(&mut self, summary: &DomainSummary) {
        if let Some(slot) = Slot::of(summary.id)
            // SAFETY: null or a context, as in `switch_to`.
            && let Some(context) = unsafe { self.contexts[slot.index()].as_mut() }
            && !context.told
        {
            context.told = true;
            tell_end(summary.id, &summary.name, &summary.reason, context);
        }
        self.all_well &= summary.reason.is_success();
        report::domain(summary);
    }

    /// Nothing is left: the totals, and the switch.
    fn finish(&mut self) -> ! {
        self.observer.stretches.end();
        self.observer.stretches.rows().for_each(report::stretch);
        self.totals.frames_after = self.state.frames.unowned();
        self.totals.ticks = arch::now().saturating_sub(self.totals.ticks);
        let complete = self.totals.frames_after == self.totals.frames_before;
        if self.sharing {
            report::sharing(&self.state);
            report::away(&self.state);
        }
        if self.state.config.features.contains(Features::SPARE) {
            report::spare(&self.state);
        }
        report::totals(&self.totals);
        arch::power_off(self.all_well && complete)
    }
}

/// Says that a domain has ended, and why; with its registers, unless it ended as it should.
fn tell_end(id: DomainId, name: &str, reason: &EndReason, context: &Context) {
    if reason.is_success() {
        defmt::info!("domain {=u16} {=str}: powered off", id.0, name);
    } else {
        say!(
            "domain {} '{name}' ended: {reason}. Its registers:\n{}",
            id.0,
            Shown(&context.registers)
        );
    }
}
