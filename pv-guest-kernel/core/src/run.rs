//! The main loop: who runs, and what is done with why it stopped.

use crate::{
    Access, Exit, Platform, Registers,
    balloon::PERIOD,
    calls::{Stop, dispatch},
    fs::{Pid, Time},
    kernel::{End, Kernel},
    memory::{Fault, oom, reclaim},
    process::{Due, Event, Signal, signal_status},
};
use alloc::{format, vec::Vec};

/// Nanoseconds that nobody sleeps for without a look at the clock: what a process asks for is no
/// time that every machine's alarm can be set to.
const IDLE_MAX: u64 = 3_600_000_000_000;

/// What is said when memory is out and the first process is alone with it.
const NOBODY_ELSE: &[u8] =
    b"out of memory: ended the first process, which needs a page when nobody else is left to end\n";

/// Whether something could be done about a page that was wanted and not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    /// There are free pages now, or somebody has ended.
    Made,
    /// There are none, and nobody is left who could end for it.
    None,
}

impl<P: Platform> Kernel<P> {
    /// Runs processes until the kernel ends.
    pub fn run(&mut self) -> End {
        loop {
            if let Some(end) = self.turn() {
                return end;
            }
        }
    }

    /// Lets one process go on until it leaves the processor, or waits if none wants to run.
    pub fn turn(&mut self) -> Option<End> {
        if self.end.is_none() {
            match self.pick() {
                Some(who) => self.go(who),
                None => self.wait(),
            }
            if self.memory.frames.shortfall() != 0 && !self.exhausted && self.refill() == 0 {
                self.reclaim(self.memory.frames.shortfall());
            }
            if self.balloon_busy {
                self.serve_balloon();
            }
        }
        self.end
    }

    /// Who goes on: who ran before, as long as it can.
    #[inline]
    fn pick(&mut self) -> Option<Pid> {
        if self.current.is_none() {
            let who = self.scheduler.next()?;
            let process = self.processes.get_mut(who)?;
            if process.slice == 0 {
                process.slice = self.settings.slice;
            }
            let now = self.platform.now();
            self.slice_end = now + process.slice;
            self.left = now;
            self.switches += 1;
            self.current = Some(who);
            self.set_alarm(now);
        }
        self.current
    }

    /// Makes sure that the alarm rings at the end of the time slice or of a sleep at the
    /// latest. An earlier one stays: it costs less to be interrupted in vain once than to set
    /// the alarm each time that another process runs.
    pub(crate) fn set_alarm(&mut self, now: u64) {
        let wanted = self.slice_end.min(self.scheduler.next_time().unwrap_or(u64::MAX));
        if self.alarm.is_none_or(|alarm| alarm > wanted || alarm <= now) {
            self.platform.set_alarm(Some(wanted));
            self.alarm = Some(wanted);
        }
    }

    /// Lets a process go on: in its system call, or on the processor.
    fn go(&mut self, who: Pid) {
        let Some(process) = self.processes.get(who) else { return };
        if process.calling {
            self.call(who);
            return;
        }
        if process.signals.has_work() {
            // Whether it can run now, or there is more to do, the next turn sees.
            self.deliver(who, None);
            return;
        }
        match self.enter(who) {
            Exit::Call => self.call(who),
            Exit::Fault { address, access } => self.fault(who, address, access),
            Exit::Interrupt => {
                self.interrupts += 1;
                self.tick();
            }
            Exit::Illegal => self.trap(who, Signal::ILL, 1),
            Exit::Breakpoint => self.trap(who, Signal::TRAP, 1),
            Exit::Arithmetic => self.trap(who, Signal::FPE, 1),
            Exit::Misaligned => self.trap(who, Signal::BUS, 1),
        }
    }

    /// Lets a process run until it leaves the processor, and counts its time.
    #[inline]
    fn enter(&mut self, who: Pid) -> Exit {
        if self.float_owner != Some(who) {
            self.change_float(who);
        }
        let process = self.processes.get_mut(who).expect("who runs exists");
        let space = process.space.as_mut().expect("who runs has memory");
        let entered = self.platform.now();
        let exit = self.platform.run(space.tables(), &mut process.registers);
        let left = self.platform.now();
        process.times.system += entered.saturating_sub(self.left);
        process.times.user += left.saturating_sub(entered);
        self.left = left;
        exit
    }

    /// Gives the floating-point registers to a process.
    fn change_float(&mut self, who: Pid) {
        self.save_float();
        if let Some(process) = self.processes.get(who) {
            self.platform.load_float(&process.float);
            self.float_owner = Some(who);
        }
    }

    /// Brings what is known of the floating-point registers of who has them up to date.
    pub(crate) fn save_float(&mut self) {
        if let Some(owner) = self.float_owner
            && let Some(process) = self.processes.get_mut(owner)
        {
            self.platform.save_float(&mut process.float);
        }
    }

    /// Makes the system call of a process, for the first time or again.
    fn call(&mut self, who: Pid) {
        let Some(process) = self.processes.get_mut(who) else { return };
        process.calling = true;
        let (number, args) = (process.registers.call(), process.registers.args());
        match dispatch(self, who, number, args) {
            Ok(value) => self.answer(who, value as i64),
            Err(Stop::Errno(errno)) => self.answer(who, errno.answer()),
            Err(Stop::Replaced) => self.finish_call(who),
            Err(Stop::Wait(waiting)) => self.deliver(who, Some(waiting)),
            Err(Stop::NoMemory) => {
                if self.make_room() == Room::None {
                    self.answer(who, crate::fs::Errno::ENOMEM.answer());
                }
            }
            Err(Stop::Ended) => (),
        }
        self.serve_wakes();
    }

    fn answer(&mut self, who: Pid, value: i64) {
        if let Some(process) = self.processes.get_mut(who) {
            process.finish_call();
            process.registers.answer(value);
        }
    }

    /// The call of a process is over, with an answer or without.
    pub(crate) fn finish_call(&mut self, who: Pid) {
        if let Some(process) = self.processes.get_mut(who) {
            process.finish_call();
        }
    }

    /// Wakes who waits for what has happened to files.
    pub(crate) fn serve_wakes(&mut self) {
        while let Some(wait) = self.fs.next_wake() {
            self.happened(Event::File(wait));
        }
    }

    /// Serves a page fault.
    fn fault(&mut self, who: Pid, address: u64, access: Access) {
        self.faults += 1;
        let process = self.processes.get_mut(who).expect("who ran exists");
        let space = process.space.as_mut().expect("who ran has memory");
        let mut parts = crate::memory::Parts {
            platform: &mut self.platform,
            memory: &mut self.memory,
            files: &mut self.fs,
        };
        let served = space.fault(&mut parts, address, access);
        if let Some(nanoseconds) = self.memory.swap.take_waited() {
            self.waited(nanoseconds.get());
        }
        match served {
            Ok(()) => (),
            Err(Fault::NotMapped) => self.segment_fault(who, Signal::SEGV, 1, address),
            Err(Fault::NotAllowed) => self.segment_fault(who, Signal::SEGV, 2, address),
            Err(Fault::Bus) => self.segment_fault(who, Signal::BUS, 2, address),
            Err(Fault::NoMemory) => self.make_room_or_end(who),
        }
    }

    /// What the alarm and the console bring: sleeps that are over, alarms, what was typed, the
    /// end of a time slice.
    fn tick(&mut self) {
        let now = self.platform.now();
        self.exhausted = false;
        if self.platform.has_balloon() {
            self.balloon_busy = true;
            self.balloon_due = now + PERIOD;
        }
        if self.alarm.is_some_and(|alarm| alarm <= now) {
            self.alarm = None;
        }
        let wall = self.clock.start.saturating_add(now);
        self.fs.set_clock(Time {
            seconds: (wall / 1_000_000_000) as i64,
            nanoseconds: (wall % 1_000_000_000) as u32,
        });
        let active = self.scheduler.waiting() + usize::from(self.current.is_some());
        self.load.sample(now, active as u64);
        while let Some((who, what)) = self.scheduler.due(now) {
            match what {
                Due::Wake => self.wake(who),
                Due::Alarm => self.ring(who, now),
            }
        }
        let active = self.scheduler.waiting() as u64 + u64::from(self.current.is_some());
        self.load.sample(now, active);
        self.read_console();
        if let Some(who) = self.current {
            if now >= self.slice_end && self.scheduler.has_others() {
                self.suspend_turn(now);
                self.scheduler.add_last(who);
            } else if self.scheduler.has_woken() && now < self.slice_end {
                self.suspend_turn(now);
                self.scheduler.add_first(who);
            } else if now >= self.slice_end {
                self.slice_end = now + self.settings.slice;
            }
        }
        if self.current.is_some() {
            self.set_alarm(now);
        }
    }

    /// The processor is taken from who runs, who still wants it.
    fn suspend_turn(&mut self, now: u64) {
        if let Some(process) = self.current.and_then(|who| self.processes.get_mut(who)) {
            process.times.involuntary_switches += 1;
            process.times.system += now.saturating_sub(self.left);
            process.slice = self.slice_end.saturating_sub(now);
        }
        self.current = None;
    }

    /// Who runs gives the processor up: it waits, stops, ends.
    pub(crate) fn leave(&mut self, who: Pid) {
        if self.current != Some(who) {
            return;
        }
        self.current = None;
        let now = self.platform.now();
        if let Some(process) = self.processes.get_mut(who) {
            process.times.voluntary_switches += 1;
            process.times.system += now.saturating_sub(self.left);
            process.slice = self.slice_end.saturating_sub(now);
        }
    }

    /// Who runs lets the others go first (`sched_yield`).
    pub(crate) fn give_way(&mut self, who: Pid) {
        if self.current == Some(who) && self.scheduler.has_others() {
            self.leave(who);
            if let Some(process) = self.processes.get_mut(who) {
                process.slice = 0;
            }
            self.scheduler.add_last(who);
        }
    }

    /// Nobody wants to run: waits for the time that something is due, or for input.
    fn wait(&mut self) {
        let before = self.platform.now();
        if self.balloon_busy {
            // There is something to do: it is not the time to sleep.
            return;
        }
        let due = self.platform.has_balloon().then_some(self.balloon_due);
        let next = [self.scheduler.next_time(), due].into_iter().flatten().min();
        let next = next.map(|time| time.min(before + IDLE_MAX));
        if self.alarm != next {
            self.platform.set_alarm(next);
            self.alarm = next;
        }
        self.platform.idle();
        self.idle_time += self.platform.now().saturating_sub(before);
        self.tick();
        self.serve_wakes();
    }

    /// As [`make_room`](Self::make_room), for a process that cannot go on without.
    pub(crate) fn make_room_or_end(&mut self, who: Pid) {
        if self.make_room() == Room::None {
            self.platform.console_write(NOBODY_ELSE);
            self.terminate(who, signal_status(Signal::KILL));
        }
    }

    /// Who runs waited for memory for so many nanoseconds.
    fn waited(&mut self, nanoseconds: u64) {
        self.stalled.add(nanoseconds, self.scheduler.has_others());
    }

    /// Somebody needs a page and there is none: reclaims, or ends the largest process.
    fn make_room(&mut self) -> Room {
        let wanted = self.memory.frames.shortfall().max(1);
        if self.refill() > 0 {
            return Room::Made;
        }
        let began = self.platform.now();
        let freed = self.reclaim(wanted);
        self.waited(self.platform.now().saturating_sub(began));
        if freed > 0 || self.deflate_all() > 0 {
            return Room::Made;
        }
        let candidates = self.processes.iter().filter_map(|process| {
            let usage = process.space.as_ref()?.usage();
            Some(oom::Candidate { process: process.pid.0, usage })
        });
        let Some(chosen) = oom::choose(candidates) else { return Room::None };
        let name = self.processes.get(Pid(chosen.process)).map_or(&[][..], |ended| &ended.name);
        let line = format!("{}\n", oom::Ended::new(&self.memory, chosen, name));
        self.platform.console_write(line.as_bytes());
        self.oom_kills += 1;
        self.terminate(Pid(chosen.process), signal_status(Signal::KILL));
        Room::Made
    }

    /// Frees pages: how many. When there are not as many as wanted, it is not tried again
    /// before the next tick without need.
    pub(crate) fn reclaim(&mut self, wanted: u64) -> u64 {
        let mut spaces: Vec<_> =
            self.processes.iter_mut().filter_map(|process| process.space.as_mut()).collect();
        spaces.sort_by_key(|space| space.id());
        let freed = reclaim(&mut self.platform, &mut self.memory, &mut spaces, wanted);
        self.exhausted = freed < wanted;
        freed
    }
}
