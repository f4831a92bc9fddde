//! How signals reach a process: their default action, or a handler.

use super::{
    Action, ActionFlags, Cause, DefaultAction, Info, Signal, SignalSet, State, StateChange,
    frame::SignalFrame, signal_status, wake::is_protected,
};
use crate::{
    Platform, Registers,
    calls::Waiting,
    fs::{Errno, Pid},
    kernel::Kernel,
    memory::Fault,
};

/// What became of one signal.
enum Delivered {
    /// The next one can come.
    Next,
    /// A handler runs, or the process does not any more, or there is no page for the frame.
    Done,
}

impl<P: Platform> Kernel<P> {
    /// Delivers the signals of a process that is about to run, or whose call would wait:
    /// then it sleeps if none of them ends the wait.
    pub(crate) fn deliver(&mut self, who: Pid, waiting: Option<Waiting>) {
        let once = waiting.as_ref().is_some_and(|waiting| waiting.once);
        while let Some(signal) =
            self.processes.get(who).and_then(|process| process.signals.deliverable().first())
        {
            if let Delivered::Done = self.deliver_one(who, signal, once) {
                return;
            }
        }
        match waiting {
            Some(waiting) => {
                self.sleep(who, waiting);
                self.leave(who);
            }
            None => {
                // A call with another set of blocked signals is over, and no handler ran.
                if let Some(process) = self.processes.get_mut(who)
                    && let Some(blocked) = process.signals.saved.take()
                {
                    process.signals.blocked = blocked;
                }
            }
        }
    }

    fn deliver_one(&mut self, who: Pid, signal: Signal, once: bool) -> Delivered {
        let Some(process) = self.processes.get_mut(who) else { return Delivered::Done };
        let action = process.signals.action(signal);
        let protected = process
            .signals
            .peek(signal)
            .is_some_and(|info| is_protected(who, &process.signals, &info));
        if protected {
            process.signals.take(SignalSet::of(&[signal]));
            return Delivered::Next;
        }
        match (action.handler, signal.default_action()) {
            (Action::IGNORE, _) | (Action::DEFAULT, DefaultAction::Ignore) => {
                process.signals.take(SignalSet::of(&[signal]));
                Delivered::Next
            }
            (Action::DEFAULT, DefaultAction::Continue) => {
                process.signals.take(SignalSet::of(&[signal]));
                Delivered::Next
            }
            (Action::DEFAULT, DefaultAction::Stop) => {
                process.signals.take(SignalSet::of(&[signal]));
                let group = process.group;
                if signal != Signal::STOP && self.is_orphaned(group, None) {
                    return Delivered::Next;
                }
                self.stop(who, signal);
                Delivered::Done
            }
            (Action::DEFAULT, _) => {
                self.terminate(who, signal_status(signal));
                Delivered::Done
            }
            _ => {
                self.handle(who, signal, action, once);
                Delivered::Done
            }
        }
    }

    /// A signal stops a process.
    fn stop(&mut self, who: Pid, signal: Signal) {
        if let Some(process) = self.processes.get_mut(who) {
            process.state = State::Stopped;
            process.change = Some(StateChange::Stopped(signal));
        }
        self.leave(who);
        self.tell_parent(who);
    }

    /// Starts a handler. The signal waits on when there is no page for its frame: it is tried
    /// again.
    fn handle(&mut self, who: Pid, signal: Signal, action: Action, once: bool) {
        if self.float_owner == Some(who) {
            self.save_float();
        }
        let Some(process) = self.processes.get_mut(who) else { return };
        let Some(info) = process.signals.peek(signal) else { return };
        let mut registers = process.registers.clone();
        if process.calling {
            if once || !action.flags.contains(ActionFlags::RESTART) {
                registers.answer(Errno::EINTR.answer());
            } else {
                registers.again();
            }
        }
        let frame = SignalFrame {
            machine: P::MACHINE,
            registers: registers.signal_words(),
            float: &process.float,
            blocked: process.signals.saved.unwrap_or(process.signals.blocked),
            stack: process.signals.stack,
            info,
        };
        // Where there is code of the kernel's, programs bring none.
        let return_to = match process.image.trampoline {
            0 if action.flags.contains(ActionFlags::RESTORER) => action.restorer,
            trampoline => trampoline,
        };
        let on_stack = action.flags.contains(ActionFlags::ON_STACK);
        let sp = frame.place(registers.sp(), on_stack);
        let placed = sp.filter(|_| return_to != 0).map(|sp| (sp, frame.to_bytes(sp, return_to)));
        let written = match &placed {
            Some((sp, bytes)) => self.user(who).write(*sp, bytes),
            None => Err(Fault::NotMapped),
        };
        match (written, placed) {
            (Ok(()), Some((sp, _))) => {
                self.enter_handler(who, registers, info, action, sp, return_to);
            }
            (Err(Fault::NoMemory), _) => self.make_room_or_end(who),
            _ => self.lose_stack(who, signal),
        }
    }

    /// The frame of a handler is written: its process goes on there.
    fn enter_handler(
        &mut self,
        who: Pid,
        mut registers: P::Registers,
        info: Info,
        action: Action,
        sp: u64,
        return_to: u64,
    ) {
        let (info_at, context_at) = SignalFrame::parts(P::MACHINE, sp);
        registers.set_sp(sp);
        let number = info.signal.number().into();
        registers.enter_handler(action.handler, [number, info_at, context_at], return_to);
        self.finish_call_unanswered(who);
        let Some(process) = self.processes.get_mut(who) else { return };
        process.registers = registers;
        let signals = &mut process.signals;
        let this = SignalSet::of(&[info.signal]);
        signals.take(this);
        signals.saved = None;
        signals.blocked = signals.blocked.and(action.mask).without(SignalSet::ALWAYS);
        if !action.flags.contains(ActionFlags::NO_DEFER) {
            signals.blocked = signals.blocked.and(this);
        }
        if action.flags.contains(ActionFlags::RESET) {
            signals.set_action(info.signal, Action { handler: Action::DEFAULT, ..action });
        }
    }

    /// A handler cannot have its frame: the process gets SIGSEGV, or ends if that is the one.
    fn lose_stack(&mut self, who: Pid, signal: Signal) {
        if signal == Signal::SEGV {
            self.terminate(who, signal_status(Signal::SEGV));
            return;
        }
        if let Some(process) = self.processes.get_mut(who) {
            process.signals.take(SignalSet::of(&[signal]));
        }
        self.force(who, Info { signal: Signal::SEGV, cause: Cause::Kernel });
    }

    /// A call is given up for a handler: what it had begun is undone.
    fn finish_call_unanswered(&mut self, who: Pid) {
        self.close_opening(who);
        self.finish_call(who);
    }

    /// An instruction of a process brought a signal about, which cannot wait: a process that
    /// blocks or ignores it ends.
    pub(crate) fn force(&mut self, who: Pid, info: Info) {
        let Some(process) = self.processes.get_mut(who) else { return };
        let set = SignalSet::of(&[info.signal]);
        let signals = &mut process.signals;
        if signals.blocked.has(info.signal) || signals.is_ignored(info.signal) {
            signals.set_action(info.signal, Action::default());
            signals.blocked = signals.blocked.without(set);
        }
        signals.forget(set);
        // It does not queue.
        let _ = signals.add(info);
    }

    /// A process executed what it cannot.
    pub(crate) fn trap(&mut self, who: Pid, signal: Signal, code: i32) {
        let address = self.processes.get(who).map_or(0, |process| process.registers.pc());
        self.force(who, Info { signal, cause: Cause::Fault { code, address } });
    }

    /// A process touched what it cannot.
    pub(crate) fn segment_fault(&mut self, who: Pid, signal: Signal, code: i32, address: u64) {
        self.force(who, Info { signal, cause: Cause::Fault { code, address } });
    }
}
