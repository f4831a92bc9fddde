//! `exec`: another program in a process. The old one stays until the new one is all there.

use super::{
    Image,
    elf::{HEADER, Program, Segment, segment_headers},
    script::interpreter,
    stack::{Aux, Given, StackImage},
};
use crate::{
    Machine, PAGE, Platform, Registers,
    calls::Stop,
    fs::{At, Errno, Follow, Ino, Node, Pid},
    kernel::{Files, Kernel, Store},
    memory::{AddressSpace, Limits, Mapping, Place, Rights, SpaceError, UserMemory},
};
use alloc::{vec, vec::Vec};

/// Scripts whose interpreter is a script, at most.
const SCRIPTS_MAX: usize = 4;
/// The mode bits that make a program run as its owner, and its group.
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
/// Bytes of a process's name.
const NAME: usize = 15;
/// A process at 100 clock ticks a second: what `times` counts.
const TICKS: u64 = 100;

/// What a process wants to execute.
pub(crate) struct Execution {
    /// The path.
    pub path: Vec<u8>,
    /// Its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment.
    pub environment: Vec<Vec<u8>>,
}

/// A program that was found, and all that is known of it.
struct Found {
    ino: Ino,
    program: Program,
    arguments: Vec<Vec<u8>>,
}

/// A new address space, and where things are in it.
struct Loaded<P: Platform> {
    space: AddressSpace<P>,
    image: Image,
}

impl<P: Platform> Kernel<P> {
    /// Executes a program in a process.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`, `ENOEXEC`, `ELOOP`, ... of the file; `ENOMEM`, `E2BIG`. The process
    /// is as before.
    pub(crate) fn execute(&mut self, who: Pid, mut wanted: Execution) -> Result<(), Stop> {
        let found = self.find_program(who, &mut wanted)?;
        let credentials = self.credentials_for(who, found.ino);
        let process = self.processes.get(who).ok_or(Errno::ESRCH)?;
        let limits = process.limits.of_memory();
        let (user, group) = (credentials.user, credentials.group);
        let secure = user.real != user.effective || group.real != group.effective;
        let mut random = [0; 16];
        self.platform.random(&mut random);
        let program = &found.program;
        let auxiliary = [
            (Aux::Headers, program.headers),
            (Aux::HeaderSize, 56),
            (Aux::HeaderCount, program.header_count),
            (Aux::PageSize, PAGE as u64),
            (Aux::Base, 0),
            (Aux::Flags, 0),
            (Aux::Entry, program.entry),
            (Aux::User, user.real.into()),
            (Aux::EffectiveUser, user.effective.into()),
            (Aux::Group, group.real.into()),
            (Aux::EffectiveGroup, group.effective.into()),
            (Aux::Hardware, hardware(P::MACHINE)),
            (Aux::ClockTick, TICKS),
            (Aux::Secure, secure.into()),
        ];
        let given = Given {
            arguments: &found.arguments,
            environment: &wanted.environment,
            path: &wanted.path,
            random,
            auxiliary: &auxiliary,
        };
        let top = self.settings.layout.end;
        let stack = StackImage::new(P::MACHINE, top, &given).ok_or(Errno::E2BIG)?;
        let loaded = self.load(&found, &stack, limits)?;

        // All is there: from here on nothing fails.
        self.release_memory(who);
        let name = wanted.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if self.float_owner == Some(who) {
            self.float_owner = None;
        }
        let clean = self.platform.clean_float();
        let program_node = Node::Inode(found.ino);
        self.fs.hold(program_node);
        let process = self.processes.get_mut(who).ok_or(Errno::ESRCH)?;
        process.space = Some(loaded.space);
        process.image = loaded.image;
        process.registers = P::Registers::start(found.program.entry, stack.sp);
        process.float = clean;
        process.name = name[..name.len().min(NAME)].to_vec();
        process.ids.uid = user.effective;
        process.ids.gid = group.effective;
        process.credentials = credentials;
        process.signals.reset_handlers();
        process.executed = true;
        let old = process.program.replace(program_node);
        let mut descriptors = core::mem::take(&mut process.descriptors);
        let Files { fs, mut store, .. } = self.files(who);
        descriptors.exec(fs, &mut store);
        if let Some(old) = old {
            fs.release(old, &mut store);
        }
        if let Some(process) = self.processes.get_mut(who) {
            process.descriptors = descriptors;
        }
        Ok(())
    }

    /// Finds the program, by way of the interpreters of scripts. It takes the arguments.
    fn find_program(&mut self, who: Pid, wanted: &mut Execution) -> Result<Found, Errno> {
        let layout = self.settings.layout;
        let working = self.processes.get(who).ok_or(Errno::ESRCH)?.working;
        let mut path = wanted.path.clone();
        let mut arguments = core::mem::take(&mut wanted.arguments);
        for _ in 0..=SCRIPTS_MAX {
            let Files { fs, ids, view, store } = self.files(who);
            let caller = ids.caller(&view);
            let at = At { start: working, path: &path };
            let node = fs.find(&caller, at, Follow::Yes)?;
            let ino = fs.program(&caller, node)?;
            let mut head = [0; 256];
            let count = fs.read_file(ino, 0, &mut head, &store);
            if head.starts_with(b"#!") {
                let script = interpreter(&head[..count])?;
                let rest = arguments.into_iter().skip(1);
                arguments = [script.path.to_vec()]
                    .into_iter()
                    .chain(script.argument.map(<[u8]>::to_vec))
                    .chain([path])
                    .chain(rest)
                    .collect();
                path = script.path.to_vec();
                continue;
            }
            let size = fs.size_of(ino);
            let header: &[u8; HEADER] = head.first_chunk().ok_or(Errno::ENOEXEC)?;
            if count < HEADER {
                return Err(Errno::ENOEXEC);
            }
            let (offset, length) = segment_headers(header, P::MACHINE, size)?;
            let mut headers = vec![0; length];
            fs.read_file(ino, offset, &mut headers, &store);
            let program = Program::new(header, &headers, P::MACHINE, size, layout)?;
            return Ok(Found { ino, program, arguments });
        }
        Err(Errno::ELOOP)
    }

    /// Who the process is with a program that may belong to somebody who lends his rights.
    fn credentials_for(&mut self, who: Pid, ino: Ino) -> super::Credentials {
        let Files { fs, ids, view, .. } = self.files(who);
        let stat = fs.stat(&ids.caller(&view), Node::Inode(ino));
        let process = self.processes.get(who);
        let mut new = process.map(|process| process.credentials.clone()).unwrap_or_default();
        if stat.mode & SET_UID != 0 {
            new.user.effective = stat.uid;
        }
        if stat.mode & SET_GID != 0 {
            new.group.effective = stat.gid;
        }
        (new.user.saved, new.group.saved) = (new.user.effective, new.group.effective);
        new
    }

    /// Makes the address space of a program.
    fn load(
        &mut self,
        found: &Found,
        stack: &StackImage,
        limits: Limits,
    ) -> Result<Loaded<P>, Stop> {
        let layout = self.settings.layout;
        if found.program.pages() > limits.pages {
            return Err(Errno::ENOMEM.into());
        }
        let space = AddressSpace::new(&mut self.platform, &mut self.memory, layout, limits);
        let mut space = space.map_err(|_| Stop::NoMemory)?;
        let result = self.fill(&mut space, found, stack);
        match result {
            Ok(image) => Ok(Loaded { space, image }),
            Err(stop) => {
                space.destroy(&mut self.parts());
                Err(stop)
            }
        }
    }

    fn fill(
        &mut self,
        space: &mut AddressSpace<P>,
        found: &Found,
        stack: &StackImage,
    ) -> Result<Image, Stop> {
        let program = &found.program;
        for segment in &program.segments {
            self.map_segment(space, found.ino, segment)?;
        }
        space.start_heap(program.heap());

        let top = self.settings.layout.end;
        let length = (stack.bytes.len() as u64 + 2 * PAGE as u64).next_multiple_of(PAGE as u64);
        let mut rights = Rights::READ | Rights::WRITE;
        rights.set(Rights::EXECUTE, program.executable_stack);
        let place = Place::Free(top.saturating_sub(length));
        space.map(&mut self.parts(), place, length, rights, Mapping::Stack).map_err(no_room)?;
        UserMemory::new(space, self.parts()).write(stack.sp, &stack.bytes)?;

        let trampoline = match self.trampoline {
            Some(ino) => {
                let mapping = file(ino, 0);
                let rights = Rights::READ | Rights::EXECUTE;
                space
                    .map(&mut self.parts(), Place::Anywhere, PAGE as u64, rights, mapping)
                    .map_err(no_room)?
            }
            None => 0,
        };
        Ok(Image {
            code: program.range(|segment| segment.rights.contains(Rights::EXECUTE)),
            data: program.range(|segment| segment.rights.contains(Rights::WRITE)),
            heap: program.heap(),
            stack: stack.sp,
            arguments: stack.arguments.clone(),
            environment: stack.environment.clone(),
            trampoline,
        })
    }

    /// Maps a segment: its content from the file when it is touched, and zeros behind.
    fn map_segment(
        &mut self,
        space: &mut AddressSpace<P>,
        ino: Ino,
        segment: &Segment,
    ) -> Result<(), Stop> {
        let page = PAGE as u64;
        let first = segment.start / page * page;
        let skipped = segment.start - first;
        let file_end = segment.start + segment.in_file;
        let end = segment.end().next_multiple_of(page);
        let mut zeros = first;
        if segment.in_file > 0 {
            zeros = file_end.next_multiple_of(page);
            let tail = if segment.in_memory > segment.in_file { zeros - file_end } else { 0 };
            // What the file has behind the segment's content in its last page is not the
            // program's.
            let rights = if tail > 0 { segment.rights | Rights::WRITE } else { segment.rights };
            let length = file_end - first;
            let mapping = file(ino, segment.offset - skipped);
            space
                .map(&mut self.parts(), Place::Free(first), length, rights, mapping)
                .map_err(no_room)?;
            if tail > 0 {
                UserMemory::new(space, self.parts()).clear(file_end, tail)?;
            }
            if rights != segment.rights {
                space.protect(&mut self.parts(), first, length, segment.rights).map_err(no_room)?;
            }
        }
        if zeros < end {
            let place = Place::Free(zeros);
            space
                .map(&mut self.parts(), place, end - zeros, segment.rights, Mapping::Private)
                .map_err(no_room)?;
        }
        Ok(())
    }

    /// A file that nobody can name, with the code that signal handlers return to, if the
    /// machine's handlers need the kernel's.
    pub(crate) fn make_trampoline(&mut self) -> Result<(), Errno> {
        use crate::fs::{Caller, OpenFlags};
        if P::SIGNAL_RETURN.is_empty() {
            return Ok(());
        }
        let at = At { start: self.fs.root(), path: b"/[sigreturn]" };
        let flags = OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::WRONLY;
        let mut store = Store { platform: &mut self.platform, frames: &mut self.memory.frames };
        let opened = self.fs.open(&Caller::KERNEL, at, flags, 0o555, &mut store)?;
        let description = opened.description;
        let written = self.fs.write(description, P::SIGNAL_RETURN, &mut store);
        let node = self.fs.node_of(description);
        self.fs.hold(node);
        self.fs.close(description, &mut store);
        // It goes with its name; pages of it that are mapped cannot, and nothing is mapped yet.
        self.fs.unlink(&Caller::KERNEL, at, &mut store)?;
        match (written, node) {
            (Ok(_), Node::Inode(ino)) => {
                self.trampoline = Some(ino);
                Ok(())
            }
            _ => Err(Errno::ENOMEM),
        }
    }
}

/// A part of a file for the process alone.
fn file(ino: Ino, offset: u64) -> Mapping {
    Mapping::File { file: ino.into(), offset, shared: false, writable: false }
}

fn no_room(_: SpaceError) -> Stop {
    Errno::ENOMEM.into()
}

/// What the machine can, as its Linux says (`AT_HWCAP`): of riscv64 the letters of its
/// extensions, I, M, A, F, D and C; of x86-64 nothing that programs look at.
const fn hardware(machine: Machine) -> u64 {
    const fn letter(letter: u8) -> u64 {
        1 << (letter - b'A')
    }
    match machine {
        Machine::X86_64 => 0,
        Machine::Riscv64 => {
            letter(b'I') | letter(b'M') | letter(b'A') | letter(b'F') | letter(b'D') | letter(b'C')
        }
    }
}
