//! The kernel: all its state, and how its parts are lent to one another.

use crate::{
    PAGE, Pfn, Platform,
    balloon::Stalled,
    calls::{Clock, HostName},
    fs::{Caller, FileSystem, Ino, Pid, Storage},
    memory::{Frames, Kind, Memory, Parts, UserMemory, Watermarks},
    process::{LoadAverage, Process, ProcessTable, Scheduler, System, View},
    settings::Settings,
    terminal::Terminal,
};
use alloc::{collections::BTreeSet, vec::Vec};
use core::fmt;

/// The kernel of one machine.
#[derive(Debug)]
pub struct Kernel<P: Platform> {
    /// The machine.
    pub platform: P,
    /// Pages, and what is known of them.
    pub memory: Memory<P>,
    /// Files.
    pub fs: FileSystem,
    /// Processes.
    pub processes: ProcessTable<P>,
    /// The console as processes know it.
    pub terminal: Terminal,
    /// What time it is.
    pub clock: Clock,
    /// Who runs next.
    pub scheduler: Scheduler,
    /// How it was set up.
    pub settings: Settings,
    /// Its command line.
    pub command_line: Vec<u8>,
    /// Set to end the kernel: by `reboot`, or when the first process has ended.
    pub end: Option<End>,
    /// Nanoseconds in which nobody wanted to run.
    pub idle_time: u64,
    /// Times that another process ran than before.
    pub switches: u64,
    /// Exits of processes for the alarm, the console and the like.
    pub interrupts: u64,
    /// What the machine is called.
    pub host_name: HostName,
    /// How many processes wanted to run of late.
    pub load: LoadAverage,
    /// Processes that were ended for their memory.
    pub oom_kills: u64,
    /// Calls that it did not have and has complained about.
    pub(crate) missing: BTreeSet<u64>,
    /// The file with the code that signal handlers return to; held.
    pub(crate) trampoline: Option<Ino>,
    /// Fewer pages could be reclaimed than were wanted: only the next tick tries again.
    pub(crate) exhausted: bool,
    /// Page faults of processes.
    pub faults: u64,
    /// For how long processes waited for memory.
    pub stalled: Stalled,
    /// The balloon has more to do, and when it is asked at the latest.
    pub(crate) balloon_busy: bool,
    pub(crate) balloon_due: u64,
    /// Who runs.
    pub(crate) current: Option<Pid>,
    /// Whose floating-point registers the processor has.
    pub(crate) float_owner: Option<Pid>,
    /// When the time slice of who runs ends.
    pub(crate) slice_end: u64,
    /// What the platform's alarm is set to.
    pub(crate) alarm: Option<u64>,
    /// When who runs left the processor last, or was chosen.
    pub(crate) left: u64,
}

/// How the kernel ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Somebody asked for it (`reboot`).
    PowerOff,
    /// Somebody asked for another start.
    Restart,
    /// The first process ended, with a status as `wait4` gives it.
    Init(i32),
}

impl End {
    /// Whether it is the end that was meant.
    pub fn is_good(self) -> bool {
        matches!(self, End::PowerOff | End::Init(0))
    }
}

/// What a platform says last, in a line that begins with `kernel: `. Who started the machine
/// reads the first process's status there.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::PowerOff => f.write_str("switching off, as it was asked to"),
            End::Restart => f.write_str("a restart was asked for: there is none here"),
            End::Init(status) if status & 0x7f == 0 => {
                write!(f, "the first process ended with status {}", status >> 8 & 0xff)
            }
            End::Init(status) => {
                write!(f, "the first process was ended by signal {}", status & 0x7f)
            }
        }
    }
}

/// Pages for the content of files: the frame allocator and the machine, as [`Storage`].
#[derive(Debug)]
pub struct Store<'a, P: Platform> {
    /// The machine.
    pub platform: &'a mut P,
    /// The pages.
    pub frames: &'a mut Frames,
}

impl<P: Platform> Storage for Store<'_, P> {
    fn take(&mut self) -> Option<Pfn> {
        self.frames.take(Kind::File).ok()
    }
    fn give(&mut self, page: Pfn) {
        self.frames.give(page);
    }
    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        self.platform.read(page, offset, to);
    }
    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        self.platform.write(page, offset, from);
    }
    fn clear(&mut self, page: Pfn) {
        self.platform.clear(page);
    }
    fn names_content(&self) -> bool {
        self.platform.names_content()
    }
    fn name_content(&mut self, page: Pfn, content: u64) {
        self.platform.name_content(page, content);
    }
    fn spare_put(&mut self, number: u64, from: &[u8; PAGE]) -> bool {
        self.platform.spare_put(number, from)
    }
    fn spare_get(&mut self, number: u64, to: &mut [u8; PAGE]) -> bool {
        self.platform.spare_get(number, to)
    }
    fn random(&mut self, to: &mut [u8]) {
        self.platform.random(to);
    }
}

/// What a call on files works with: take it apart, and make the [`Caller`] of the view.
///
/// ```ignore
/// let Files { fs, ids, view, mut store } = kernel.files(who);
/// fs.mkdir(&ids.caller(&view), at, mode)?;
/// ```
pub struct Files<'a, P: Platform> {
    /// The file system.
    pub fs: &'a mut FileSystem,
    /// Who calls.
    pub ids: Ids,
    /// The processes, as `/proc` shows them.
    pub view: View<'a, P>,
    /// Pages for content.
    pub store: Store<'a, P>,
}

/// Who a process is to the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions that a new file does not get.
    pub umask: u32,
}

impl Ids {
    /// The caller of a call on files.
    pub fn caller<'a, P: Platform>(&self, view: &'a View<'a, P>) -> Caller<'a> {
        Caller { uid: self.uid, gid: self.gid, umask: self.umask, processes: view }
    }
}

impl<P: Platform> Kernel<P> {
    /// Pages more for everybody: those of what the kernel was started from, once that is unpacked.
    pub fn add_pages(&mut self, pages: impl IntoIterator<Item = Pfn>) {
        let frames = &mut self.memory.frames;
        pages.into_iter().for_each(|page| frames.add(page));
        frames.set_watermarks(Watermarks::for_pages(frames.total()));
    }

    /// What address spaces work with.
    pub fn parts(&mut self) -> Parts<'_, P> {
        Parts { platform: &mut self.platform, memory: &mut self.memory, files: &mut self.fs }
    }

    /// The process that makes a call.
    ///
    /// # Panics
    /// If there is no such process: a bug of the kernel's.
    pub fn process(&mut self, who: Pid) -> &mut Process<P> {
        self.processes.get_mut(who).expect("the caller exists")
    }

    /// The memory of a process that runs or waits.
    ///
    /// # Panics
    /// If there is no such process, or it has ended: a bug of the kernel's.
    pub fn user(&mut self, who: Pid) -> UserMemory<'_, P> {
        let process = self.processes.get_mut(who).expect("the caller exists");
        let space = process.space.as_mut().expect("the caller has memory");
        let parts =
            Parts { platform: &mut self.platform, memory: &mut self.memory, files: &mut self.fs };
        UserMemory::new(space, parts)
    }

    /// What a call of a process on files works with.
    ///
    /// # Panics
    /// If there is no such process: a bug of the kernel's.
    pub fn files(&mut self, who: Pid) -> Files<'_, P> {
        let info = self.memory.info();
        let swapping = self.memory.swap.counts();
        let ids = self.processes.get(who).expect("the caller exists").ids;
        let now = self.platform.now();
        let system = System {
            terminal: &self.terminal,
            command_line: &self.command_line,
            clock: self.clock,
            load: self.load,
            idle_time: self.idle_time,
            switches: self.switches,
            interrupts: self.interrupts,
        };
        Files {
            fs: &mut self.fs,
            ids,
            view: View { processes: &self.processes, current: who, info, swapping, now, system },
            store: Store { platform: &mut self.platform, frames: &mut self.memory.frames },
        }
    }
}
