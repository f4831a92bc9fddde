//! `fork` and its kin: a process like another.
//!
//! A process has one thread: what makes another one (`CLONE_THREAD`) is refused, and so is a
//! child that shares memory, files or handlers while its parent goes on. A child of `vfork` has
//! its parent's memory, which the parent lends it and waits for.

use super::{Image, Process, Progress, ResourceLimits, Signals, State, Times};
use crate::{
    Platform, Registers,
    calls::Stop,
    fs::{Descriptors, Errno, Pid},
    kernel::{Ids, Kernel},
    memory::{AddressSpace, UserMemory},
};
use alloc::{boxed::Box, vec::Vec};
use bitflags::bitflags;

bitflags! {
    /// Flags of `clone` that there is something for.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) struct CloneFlags: u64 {
        /// The child has the parent's memory.
        const VM = 0x100;
        /// The parent waits until the child executes or ends.
        const VFORK = 0x4000;
        /// The child has another base of thread-local storage.
        const SETTLS = 0x8_0000;
        /// The parent's memory gets the child's number.
        const PARENT_SETTID = 0x10_0000;
        /// A word of the child's memory is cleared at its end.
        const CHILD_CLEARTID = 0x20_0000;
        /// It means nothing any more.
        const DETACHED = 0x40_0000;
        /// The child's memory gets its number.
        const CHILD_SETTID = 0x100_0000;
    }
}

/// What a child is to be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Birth {
    pub flags: CloneFlags,
    /// The signal that the parent gets at its end; 0 for none.
    pub end_signal: u32,
    /// Its stack pointer; 0 for that of the parent.
    pub stack: u64,
    pub parent_tid: u64,
    pub child_tid: u64,
    pub tls: u64,
}

impl<P: Platform> Process<P> {
    /// A process of which nothing is set but its number.
    pub(crate) fn empty(pid: Pid, working: crate::fs::Node, limits: ResourceLimits) -> Self {
        Process {
            pid,
            parent: Pid(0),
            group: pid,
            session: pid,
            name: Vec::new(),
            state: State::Ready,
            calling: false,
            progress: Progress::default(),
            space: None,
            borrowed_from: None,
            registers: P::Registers::start(0, 0),
            float: crate::FloatState([0; crate::FLOAT_BYTES]),
            descriptors: Descriptors::default(),
            working,
            program: None,
            image: Image::default(),
            ids: Ids { uid: 0, gid: 0, umask: 0o022 },
            credentials: super::Credentials::default(),
            limits,
            signals: Signals::default(),
            end_signal: super::Signal::CHLD.number(),
            change: None,
            times: Times::default(),
            alarm: None,
            nice: 0,
            thread_base: 0,
            clear_tid: 0,
            executed: false,
            slice: 0,
        }
    }
}

impl<P: Platform> Kernel<P> {
    /// Makes a child of a process. The number of it.
    ///
    /// # Errors
    /// `EAGAIN`: there are too many processes; `EINVAL`: flags that are not for processes.
    pub(crate) fn fork(&mut self, who: Pid, birth: &Birth) -> Result<Pid, Stop> {
        let flags = birth.flags;
        let pid = self.room_for_child(who)?;
        if self.float_owner == Some(who) {
            self.save_float();
        }
        if flags.contains(CloneFlags::PARENT_SETTID) {
            // Before there is a child: it may have to wait for memory. A bad address is the
            // caller's loss, as in Linux.
            let written = self.user(who).write_u32(birth.parent_tid, pid.0);
            no_page(written)?;
        }
        let space = self.space_of_child(who, pid, birth)?;
        let now = self.platform.now();
        let parent = self.processes.get_mut(who).ok_or(Errno::ESRCH)?;
        let mut registers = parent.registers.clone();
        registers.answer(0);
        if birth.stack != 0 {
            registers.set_sp(birth.stack);
        }
        let mut thread_base = parent.thread_base;
        if flags.contains(CloneFlags::SETTLS) {
            thread_base = birth.tls;
            registers.set_thread_base(birth.tls);
        }
        let vfork = flags.contains(CloneFlags::VFORK);
        let signals = parent.signals.fork();
        let clear = flags.contains(CloneFlags::CHILD_CLEARTID);
        let child = Process {
            parent: who,
            group: parent.group,
            session: parent.session,
            name: parent.name.clone(),
            space: space.or_else(|| parent.space.take()),
            borrowed_from: vfork.then_some(who),
            registers,
            float: parent.float.clone(),
            descriptors: parent.descriptors.fork(&mut self.fs),
            program: parent.program,
            image: parent.image.clone(),
            ids: parent.ids,
            credentials: parent.credentials.clone(),
            signals,
            end_signal: birth.end_signal,
            times: Times { started: now, ..Times::default() },
            nice: parent.nice,
            thread_base,
            clear_tid: if clear { birth.child_tid } else { 0 },
            ..Process::empty(pid, parent.working, parent.limits.clone())
        };
        self.fs.hold(child.working);
        if let Some(program) = child.program {
            self.fs.hold(program);
        }
        self.processes.insert(Box::new(child));
        self.scheduler.add_last(pid);
        Ok(pid)
    }

    /// The parent's memory, copied on write; `None` if the child gets that itself.
    fn space_of_child(
        &mut self,
        who: Pid,
        pid: Pid,
        birth: &Birth,
    ) -> Result<Option<AddressSpace<P>>, Stop> {
        let set = birth.flags.contains(CloneFlags::CHILD_SETTID);
        if birth.flags.contains(CloneFlags::VM) {
            if set {
                no_page(self.user(who).write_u32(birth.child_tid, pid.0))?;
            }
            return Ok(None);
        }
        let registers = &self.process(who).registers;
        let (pc, sp) = (registers.pc(), registers.sp());
        let mut user = self.user(who);
        let forked = user.space.fork(&mut user.parts.lend(), pc, sp);
        let mut space = forked.map_err(|_| Stop::NoMemory)?;
        if set {
            let mut parts = self.parts();
            let written =
                UserMemory::new(&mut space, parts.lend()).write_u32(birth.child_tid, pid.0);
            if let Err(stop) = no_page(written) {
                space.destroy(&mut parts);
                return Err(stop);
            }
        }
        Ok(Some(space))
    }

    /// A number for a child of a process, if it may have one.
    fn room_for_child(&self, who: Pid) -> Result<Pid, Errno> {
        let process = self.processes.get(who).ok_or(Errno::ESRCH)?;
        let limit = process.limits.get(super::Resource::Processes).soft;
        let uid = process.credentials.user.real;
        let areas = process.space.as_ref().map_or(0, |space| space.areas().len());
        // The superuser has no limit of its own, and leaves no more than others do.
        let full = self.processes.len() >= self.settings.processes
            || !self.memory.has_room_for_areas(areas)
            || (uid != 0 && self.processes.count_of(uid) as u64 >= limit);
        if full { Err(Errno::EAGAIN) } else { Ok(self.processes.free_pid()) }
    }

    /// The parent waits until its child has executed or ended.
    pub(crate) fn lend(&mut self, who: Pid) {
        if let Some(process) = self.processes.get_mut(who) {
            process.state = State::Lending;
        }
        self.leave(who);
    }
}

/// What could not be written for want of a page is to be tried again.
fn no_page(written: Result<(), crate::memory::Fault>) -> Result<(), Stop> {
    match written {
        Err(crate::memory::Fault::NoMemory) => Err(Stop::NoMemory),
        _ => Ok(()),
    }
}
