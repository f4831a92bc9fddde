//! Which vCPU runs: round robin, one slice each, the timer's deadlines, and the background
//! work that is done between slices.

use crate::domain::{EndReason, MAX_DOMAINS, Slot, Trap};
use crate::event;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::{Platform, Registers};
use crate::state::State;
use crate::vcpu::{Mode, RunState, Vcpu};
use alloc::collections::VecDeque;
use hypercall_abi::trap::{Cause, FaultAccess};
use hypercall_abi::{Port, VirtAddr};

/// What the processor is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Next {
    /// Run this vCPU: [`State::resume`] it.
    Run(Slot),
    /// Nothing is runnable, and a bounded piece of background work was done: look for interrupts
    /// and ask again.
    Busy,
    /// Nothing is runnable: wait for an interrupt.
    Idle,
    /// No domain is left, and everything they had has been taken back.
    Finished,
}

/// The run queue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scheduler {
    pub(crate) queue: VecDeque<Slot>,
    pub(crate) current: Option<Slot>,
    pub(crate) slice_end: u64,
    pub(crate) slice_ticks: u64,
    pub(crate) started: u64,
    pub(crate) alarm: u64,
}

impl Scheduler {
    pub(crate) fn new(slice_ticks: u64) -> Option<Scheduler> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(MAX_DOMAINS).ok()?;
        let slice_ticks = slice_ticks.max(1);
        Some(Scheduler {
            queue,
            current: None,
            slice_end: 0,
            slice_ticks,
            started: 0,
            alarm: u64::MAX,
        })
    }

    /// The vCPU that has the processor.
    pub fn current(&self) -> Option<Slot> {
        self.current
    }

    /// vCPUs that wait for the processor, in the order of their turns.
    pub fn waiting(&self) -> impl Iterator<Item = Slot> {
        self.queue.iter().copied()
    }

    pub(crate) fn enqueue(&mut self, slot: Slot) {
        if self.current != Some(slot) && !self.queue.contains(&slot) {
            self.queue.push_back(slot);
        }
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        self.queue.retain(|waiting| *waiting != slot);
    }

    /// Ends the current slice now.
    pub(crate) fn end_slice(&mut self) {
        self.slice_end = 0;
    }
}

impl<P: Platform> State<P> {
    /// Chooses what the processor does next, after a bounded piece of background work.
    pub fn schedule<M: Machine>(&mut self, machine: &mut M) -> Next {
        let busy = self.clear_away(machine);
        self.choose(machine, busy)
    }

    /// The first half of [`schedule`](Self::schedule): a bounded piece of taking apart what has
    /// ended. True when there was something: then an image looks for interrupts before it
    /// goes on, as what is chosen may be a call that wants as much time again.
    #[inline(always)]
    pub fn clear_away<M: Machine>(&mut self, machine: &mut M) -> bool {
        let busy = self.teardown_step(machine);
        self.look_who_waits(machine);
        busy
    }

    /// Wakes who waits for a frame, and ends what the swap device has done.
    #[inline(always)]
    pub(crate) fn look_who_waits<M: Machine>(&mut self, machine: &mut M) {
        if self.sharing.waiting {
            self.end_transfers(machine);
            self.wake_for_frames();
        }
    }

    /// The second half of [`schedule`](Self::schedule), which is told what the first has returned.
    #[inline(always)]
    pub fn choose<M: Machine>(&mut self, machine: &mut M, busy: bool) -> Next {
        let now = machine.now();
        self.expire_timers(machine, now);
        self.leave_current(machine, now);
        if self.scheduler.current.is_none() {
            while let Some(slot) = self.scheduler.queue.pop_front() {
                if self.is_runnable(slot) {
                    self.scheduler.current = Some(slot);
                    self.scheduler.slice_end = now.saturating_add(self.scheduler.slice_ticks);
                    self.scheduler.started = now;
                    break;
                }
            }
        }
        let next = match self.scheduler.current {
            Some(slot) => {
                let root = self.vcpu(slot).root();
                self.tlb.load_root(machine, root);
                Next::Run(slot)
            }
            None => {
                self.tlb.load_root(machine, None);
                if busy {
                    Next::Busy
                } else if self.domains().next().is_none() {
                    Next::Finished
                } else if self.frames.scrub_one(machine, &mut self.tlb) {
                    Next::Busy
                } else {
                    Next::Idle
                }
            }
        };
        self.arm_alarm(machine);
        next
    }

    /// Ends every domain if all of them wait and nothing can wake any: no timer is set, and no
    /// input will come, which the caller knows. False when that is not so.
    pub fn end_if_stuck<M: Machine>(&mut self, machine: &mut M) -> bool {
        let waits = |vcpu: &Vcpu| vcpu.state == RunState::Blocked && vcpu.deadline.is_none();
        let stuck = self.vcpus().next().is_some()
            && self.ending == 0
            && self.vcpus().all(|(_, vcpu)| waits(vcpu));
        if stuck {
            for index in 0..MAX_DOMAINS {
                if self.vcpus[index].is_some() {
                    self.end(machine, Slot(index as u16), EndReason::Stuck);
                }
            }
        }
        stuck
    }

    fn is_runnable(&self, slot: Slot) -> bool {
        self.vcpus[slot.index()].as_ref().is_some_and(|vcpu| vcpu.state == RunState::Runnable)
    }

    /// Takes the processor from a vCPU that no longer wants it or has had its slice.
    fn leave_current<M: Machine>(&mut self, machine: &mut M, now: u64) {
        let Some(slot) = self.scheduler.current else { return };
        let runnable = self.is_runnable(slot);
        if runnable && now < self.scheduler.slice_end {
            return;
        }
        let ran = now.saturating_sub(self.scheduler.started);
        self.scheduler.current = None;
        self.count_ticks(machine, slot, ran);
        if self.is_runnable(slot) {
            self.scheduler.queue.push_back(slot);
        }
    }

    /// Counts the time that a vCPU had, and ends a domain that has spun for too long.
    fn count_ticks<M: Machine>(&mut self, machine: &mut M, slot: Slot, ran: u64) {
        let Some(domain) = self.domains[slot.index()].as_mut() else { return };
        domain.counters.ticks = domain.counters.ticks.saturating_add(ran);
        let limit = domain.watchdog_ticks;
        if self.vcpus[slot.index()].is_none() {
            return;
        }
        let calls = self.total_calls(slot);
        let vcpu = self.vcpu_mut(slot);
        let quiet = vcpu.calls_before == calls;
        vcpu.quiet_ticks = if quiet { vcpu.quiet_ticks.saturating_add(ran) } else { 0 };
        vcpu.calls_before = calls;
        if limit != 0 && vcpu.quiet_ticks > limit {
            self.end(machine, slot, EndReason::Watchdog);
        }
    }

    /// Makes the timer port of each vCPU pending whose deadline has come.
    pub(crate) fn expire_timers<M: Machine>(&mut self, machine: &mut M, now: u64) {
        if now < self.earliest_deadline {
            return;
        }
        let mut earliest = u64::MAX;
        for index in 0..self.vcpus.len() {
            let Some(vcpu) = self.vcpus[index].as_mut() else { continue };
            match vcpu.deadline {
                Some(deadline) if deadline <= now => {
                    vcpu.deadline = None;
                    self.raise(machine, Slot(index as u16), Port::TIMER);
                }
                Some(deadline) => earliest = earliest.min(deadline),
                None => {}
            }
        }
        self.earliest_deadline = earliest;
    }

    /// Makes a port of a domain pending, and wakes its vCPU if the port is not masked.
    #[inline(always)]
    pub(crate) fn raise<M: Machine>(&mut self, machine: &mut M, slot: Slot, port: Port) {
        let page = self.vcpu(slot).page;
        if event::make_pending(machine, page, port) && !self.planted.has(Bug::WakeUpLost) {
            self.wake(slot);
        }
    }

    #[inline(always)]
    pub(crate) fn wake(&mut self, slot: Slot) {
        let vcpu = self.vcpu_mut(slot);
        if vcpu.state == RunState::Blocked {
            vcpu.state = RunState::Runnable;
            self.scheduler.enqueue(slot);
        }
    }

    /// Asks for the interrupt that comes next: a deadline, or the end of the slice.
    pub(crate) fn arm_alarm<M: Machine>(&mut self, machine: &mut M) {
        let slice = match self.scheduler.current {
            Some(_) => self.scheduler.slice_end,
            None => u64::MAX,
        };
        let alarm = slice.min(self.earliest_deadline);
        if alarm != self.scheduler.alarm {
            self.scheduler.alarm = alarm;
            machine.set_alarm(alarm);
        }
    }

    /// The alarm's interrupt came.
    pub fn alarm<M: Machine>(&mut self, machine: &mut M) {
        self.scheduler.alarm = u64::MAX;
        let now = machine.now();
        self.expire_timers(machine, now);
    }

    /// Runs a vCPU that [`schedule`](Self::schedule) chose: goes on with the call that it is
    /// in, delivers the events that are due.
    pub fn resume<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> crate::Outcome {
        if let Some(work) = self.vcpu_mut(slot).work.take() {
            let outcome = self.continue_call(machine, slot, registers, work);
            return self.before_return(machine, slot, registers, outcome);
        }
        self.before_return(machine, slot, registers, crate::Outcome::Return)
    }

    /// The last thing before a guest runs: events that are due, and a program counter that
    /// the processor can return to (XSA-7). A process that ran off the end of the range is its
    /// kernel's to deal with (XSA-170); a kernel that did so ends.
    #[inline(always)]
    pub(crate) fn before_return<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        outcome: crate::Outcome,
    ) -> crate::Outcome {
        match outcome {
            crate::Outcome::Return => {
                if registers.pc() >= <P::Format as crate::format::Format>::GUEST_END {
                    let address = registers.pc();
                    if self.vcpu(slot).mode == Mode::Kernel {
                        let address = VirtAddr(address);
                        return self.end(machine, slot, EndReason::BadReturnAddress(address));
                    }
                    let code = FaultAccess::EXECUTE.bits();
                    let trap = Trap { cause: Cause::PageFault, code, address };
                    return self.deliver_trap(machine, slot, registers, trap);
                }
                self.deliver_events(machine, slot, registers)
            }
            other => other,
        }
    }
}
