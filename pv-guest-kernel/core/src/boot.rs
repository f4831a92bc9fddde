//! The start: from a machine, its pages and a first file system to the first process.

use crate::{
    Platform,
    balloon::Stalled,
    calls::{Clock, HostName, Stop},
    fs::{At, Caller, Errno, Fd, FileSystem, OpenFlags, Pid, cpio},
    kernel::{Kernel, Store},
    memory::{Backing, Frames, Memory, MemoryBacking},
    process::{Execution, INIT, LoadAverage, Process, ProcessTable, ResourceLimits, Scheduler},
    settings::Settings,
    terminal::Terminal,
};
use alloc::{boxed::Box, collections::BTreeSet, string::String, vec, vec::Vec};
use core::fmt;

/// The programs that can be the first process, if the command line says none: the first of them
/// that can be executed is it.
const INIT_PATHS: [&[u8]; 3] = [b"/init", b"/sbin/init", b"/bin/sh"];

/// Why a kernel does not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BootError {
    /// There is not enough memory, even for the swap area.
    NoMemory,
    /// `swap=` is not followed by a number of pages.
    Swap(Vec<u8>),
    /// `time=` is not followed by a number of seconds.
    Time(Vec<u8>),
    /// The first file system is not as it should be.
    Archive(cpio::Refused),
    /// `/dev`, `/proc` or the console cannot be made.
    SetUp(Errno),
    /// The first process cannot be.
    Init {
        /// Its program.
        path: Vec<u8>,
        /// Why.
        errno: Errno,
    },
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::NoMemory => {
                write!(f, "not enough memory: give the kernel more, or `swap=` fewer pages")
            }
            BootError::Swap(text) => {
                let text = String::from_utf8_lossy(text);
                write!(f, "swap={text}: not a number of pages; write one, such as swap=1024")
            }
            BootError::Time(text) => {
                let text = String::from_utf8_lossy(text);
                write!(f, "time={text}: not a number of seconds since 1970; write one, or omit it")
            }
            BootError::Archive(refused) => refused.fmt(f),
            BootError::SetUp(errno) => {
                write!(f, "/dev and /proc cannot be set up ({errno}): make room in the archive")
            }
            BootError::Init { path, errno } => {
                let path = String::from_utf8_lossy(path);
                write!(f, "{path} cannot be the first process ({errno}): name one by init=PATH")
            }
        }
    }
}

impl core::error::Error for BootError {}

/// What the command line says. Words that are not the kernel's are for the first process, as
/// Linux has it: its environment if they have a `=`, its arguments otherwise.
#[derive(Default)]
struct CommandLine {
    init: Option<Vec<u8>>,
    swap: u32,
    /// Nanoseconds since 1970 when the machine started.
    time: Option<u64>,
    arguments: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
}

impl CommandLine {
    fn parse(text: &[u8]) -> Result<CommandLine, BootError> {
        let mut line = CommandLine::default();
        for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            if let Some(path) = word.strip_prefix(b"init=") {
                line.init = Some(path.to_vec());
            } else if let Some(pages) = word.strip_prefix(b"swap=") {
                let number = core::str::from_utf8(pages).ok().and_then(|text| text.parse().ok());
                line.swap = number.ok_or_else(|| BootError::Swap(pages.to_vec()))?;
            } else if let Some(seconds) = word.strip_prefix(b"time=") {
                let number = core::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok());
                let time = number.and_then(|seconds: u64| seconds.checked_mul(1_000_000_000));
                line.time = Some(time.ok_or_else(|| BootError::Time(seconds.to_vec()))?);
            } else if word == b"quiet" {
                // How much is told at the start is the platform's affair.
            } else if word.contains(&b'=') {
                line.environment.push(word.to_vec());
            } else {
                line.arguments.push(word.to_vec());
            }
        }
        Ok(line)
    }
}

impl<P: Platform> Kernel<P> {
    /// A kernel whose first process is ready to run.
    ///
    /// The archive (`newc` cpio) is the first file system; an empty one is an empty one. The
    /// command line says `init=PATH`, otherwise it is `/init`, `/sbin/init` or `/bin/sh`;
    /// `swap=PAGES` for a swap area in memory; and `time=SECONDS` since 1970 when the machine
    /// started, if that is known.
    ///
    /// # Errors
    /// [`BootError`].
    pub fn new(
        mut platform: P,
        mut frames: Frames,
        archive: &[u8],
        command_line: &[u8],
        settings: Settings,
    ) -> Result<Kernel<P>, BootError> {
        let line = CommandLine::parse(command_line)?;
        let backing = match line.swap {
            0 => None,
            slots => {
                let backing = MemoryBacking::new(&mut frames, slots);
                let backing = backing.map_err(|_| BootError::NoMemory)?;
                Some(Box::new(backing) as Box<dyn Backing<P>>)
            }
        };
        let memory = Memory::new(&mut platform, frames, settings.memory, backing);
        let mut memory = memory.map_err(|_| BootError::NoMemory)?;
        let mut store = Store { platform: &mut platform, frames: &mut memory.frames };
        let fs = match archive {
            [] => FileSystem::new(settings.files),
            archive => {
                cpio::unpack(archive, settings.files, &mut store).map_err(BootError::Archive)?
            }
        };
        let mut kernel = Kernel {
            platform,
            memory,
            fs,
            processes: ProcessTable::default(),
            terminal: Terminal::default(),
            clock: Clock { start: line.time.unwrap_or(settings.wall_clock) },
            scheduler: Scheduler::default(),
            settings,
            command_line: command_line.to_vec(),
            end: None,
            idle_time: 0,
            switches: 0,
            interrupts: 0,
            oom_kills: 0,
            faults: 0,
            stalled: Stalled::default(),
            balloon_busy: false,
            balloon_due: 0,
            host_name: HostName::default(),
            load: LoadAverage::default(),
            missing: BTreeSet::new(),
            trampoline: None,
            exhausted: false,
            current: None,
            float_owner: None,
            slice_end: 0,
            alarm: None,
            left: 0,
        };
        kernel.fs.set_up().map_err(BootError::SetUp)?;
        kernel.make_trampoline().map_err(BootError::SetUp)?;
        kernel.start_init(line)?;
        Ok(kernel)
    }

    fn start_init(&mut self, line: CommandLine) -> Result<(), BootError> {
        let root = self.fs.root();
        let limits = ResourceLimits::new(self.settings.processes as u64);
        let mut init = Process::empty(INIT, root, limits);
        // As in Linux it is in no group and no session, until it makes one.
        (init.group, init.session) = (Pid(0), Pid(0));
        self.fs.hold(root);
        self.processes.insert(Box::new(init));
        self.open_console().map_err(BootError::SetUp)?;
        let paths = match &line.init {
            Some(path) => vec![path.clone()],
            None => INIT_PATHS.map(<[u8]>::to_vec).to_vec(),
        };
        let mut environment = vec![b"HOME=/".to_vec(), b"TERM=linux".to_vec()];
        environment.extend(line.environment);
        let mut why = Errno::ENOENT;
        let mut last = Vec::new();
        for path in paths {
            let mut arguments = vec![path.clone()];
            arguments.extend(line.arguments.iter().cloned());
            let environment = environment.clone();
            let wanted = Execution { path: path.clone(), arguments, environment };
            match self.execute(INIT, wanted) {
                Ok(()) => {
                    self.scheduler.add_last(INIT);
                    return Ok(());
                }
                Err(Stop::NoMemory) => return Err(BootError::NoMemory),
                Err(Stop::Errno(errno)) => (why, last) = (errno, path),
                Err(_) => (),
            }
            if why != Errno::ENOENT {
                break;
            }
        }
        Err(BootError::Init { path: last, errno: why })
    }

    /// Descriptors 0, 1 and 2 of the first process are the console.
    fn open_console(&mut self) -> Result<(), Errno> {
        let at = At { start: self.fs.root(), path: b"/dev/console" };
        let mut store = Store { platform: &mut self.platform, frames: &mut self.memory.frames };
        let flags = OpenFlags::RDWR | OpenFlags::NOCTTY;
        let opened = self.fs.open(&Caller::KERNEL, at, flags, 0, &mut store)?;
        let Some(process) = self.processes.get_mut(INIT) else { return Err(Errno::ESRCH) };
        process.descriptors.insert(opened.description, false)?;
        for _ in 0..2 {
            process.descriptors.dup(&mut self.fs, Fd(0), 0, false)?;
        }
        Ok(())
    }

    /// Ends all processes and gives back all that is left: for who wants to see that nothing was
    /// lost. What remains is the machine, and memory without a use.
    #[cfg(any(test, feature = "model"))]
    pub fn dispose(mut self) -> (P, Memory<P>) {
        for pid in self.processes.which(|_| true) {
            self.terminate(pid, 0);
        }
        assert!(self.scheduler.is_empty(), "nobody is left, and somebody is queued");
        if let Some(ino) = self.trampoline {
            let crate::kernel::Files { fs, mut store, .. } = self.files(INIT);
            fs.release(crate::fs::Node::Inode(ino), &mut store);
        }
        assert_eq!(self.fs.usage().open_files, 0, "files are open when all processes have ended");
        let mut store = Store { platform: &mut self.platform, frames: &mut self.memory.frames };
        self.fs.dispose(&mut store);
        (self.platform, self.memory)
    }
}
