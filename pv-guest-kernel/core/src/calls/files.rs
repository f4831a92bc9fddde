//! Calls that open files, and read and write what is open.

use super::{
    Answer, Stop, Waiting,
    arguments::CWD,
    transfer::{self, MOST, PIECE},
};
use crate::{
    Access, Platform,
    fs::{DescriptionId, Device, Errno, FileType, Node, OpenFlags, Pid, Seek},
    kernel::{Files, Kernel},
};
use alloc::vec;

/// `open`.
pub(super) fn open<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, flags, mode, ..]: [u64; 6],
) -> Answer {
    open_file(kernel, who, CWD, path, flags, mode)
}

/// `creat`.
pub(super) fn creat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, mode, ..]: [u64; 6],
) -> Answer {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open_file(kernel, who, CWD, path, flags.bits().into(), mode)
}

/// `openat`.
pub(super) fn openat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, flags, mode, ..]: [u64; 6],
) -> Answer {
    open_file(kernel, who, directory, path, flags, mode)
}

fn open_file<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    directory: u64,
    path: u64,
    flags: u64,
    mode: u64,
) -> Answer {
    let flags = OpenFlags::from_bits_retain(flags as u32);
    let id = match kernel.caller(who).progress.opening {
        Some(id) => id,
        None => {
            let path = kernel.path(who, directory, path)?;
            let Files { fs, ids, view, mut store } = kernel.files(who);
            view.processes.get(who).ok_or(Errno::ESRCH)?.descriptors.room_for(1)?;
            let (at, mode) = (path.at(fs, &view)?, mode as u32 & 0o7777);
            let opened = fs.open(&ids.caller(&view), at, flags, mode, &mut store)?;
            if let Some(detached) = opened.detached {
                kernel.give_back(detached);
            }
            opened.description
        }
    };
    if let Err(wait) = kernel.fs.opened(id) {
        kernel.caller_mut(who).progress.opening = Some(id);
        return Err(Stop::Wait(Waiting { files: vec![wait], ..Waiting::default() }));
    }
    kernel.caller_mut(who).progress.opening = None;
    let done = attach(kernel, who, id, flags).and_then(|()| kernel.fill_in(id));
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let done =
        done.and_then(|()| Ok(kernel.caller_mut(who).descriptors.insert(id, close_on_exec)?));
    if done.is_err() {
        let (fs, mut store) = kernel.storage();
        fs.close(id, &mut store);
    }
    done.map(|fd| fd.0.into())
}

/// Opening the terminal: `/dev/tty` is for those who have it, and the leader of a session that
/// has none gets it with the console. (Linux spares its console so, but here it is the terminal.)
fn attach<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    id: DescriptionId,
    flags: OpenFlags,
) -> Result<(), Stop> {
    let device = kernel.fs.device(kernel.fs.node_of(id));
    let (pid, group, session) = {
        let caller = kernel.caller(who);
        (caller.pid, caller.group, caller.session)
    };
    match device {
        _ if flags.contains(OpenFlags::PATH) => {}
        Some(Device::Tty) if kernel.terminal.session != Some(session) => {
            return Err(Errno::ENXIO.into());
        }
        Some(Device::Console)
            if !flags.contains(OpenFlags::NOCTTY)
                && kernel.terminal.session.is_none()
                && session == pid =>
        {
            kernel.terminal.acquire(session, group);
        }
        _ => {}
    }
    Ok(())
}

/// `read`.
pub(super) fn read<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    transfer::read(kernel, who, id, None, &[(address, length.min(MOST))])
}

/// `write`.
pub(super) fn write<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    transfer::write(kernel, who, id, None, &[(address, length.min(MOST))])
}

/// `pread64`.
pub(super) fn pread64<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, offset, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    transfer::read(kernel, who, id, Some(offset as i64), &[(address, length.min(MOST))])
}

/// `pwrite64`.
pub(super) fn pwrite64<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, offset, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    transfer::write(kernel, who, id, Some(offset as i64), &[(address, length.min(MOST))])
}

/// `readv`.
pub(super) fn readv<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, count, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let parts = transfer::parts(kernel, who, address, count)?;
    transfer::read(kernel, who, id, None, &parts)
}

/// `writev`.
pub(super) fn writev<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, count, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let parts = transfer::parts(kernel, who, address, count)?;
    transfer::write(kernel, who, id, None, &parts)
}

/// `preadv`.
pub(super) fn preadv<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, count, offset, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let parts = transfer::parts(kernel, who, address, count)?;
    transfer::read(kernel, who, id, Some(offset as i64), &parts)
}

/// `pwritev`.
pub(super) fn pwritev<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, count, offset, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let parts = transfer::parts(kernel, who, address, count)?;
    transfer::write(kernel, who, id, Some(offset as i64), &parts)
}

/// `lseek`.
pub(super) fn lseek<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, offset, whence, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let from = Seek::with_number(whence & 0xffff_ffff).ok_or(Errno::EINVAL)?;
    Ok(kernel.fs.seek(id, offset as i64, from)?)
}

/// One end of a copy within the kernel: what is open, and the offset that the caller keeps, or
/// none where the description's counts.
struct End {
    id: DescriptionId,
    pointer: u64,
    offset: i64,
}

/// `sendfile`. It copies from a file, and what it copies to may be anything.
pub(super) fn sendfile<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [to, from, pointer, count, ..]: [u64; 6],
) -> Answer {
    let from = end(kernel, who, from, pointer)?;
    let to = kernel.description(who, to)?;
    if kernel.fs.flags(to).contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL.into());
    }
    copy(kernel, who, from, End { id: to, pointer: 0, offset: -1 }, count)
}

/// `copy_file_range`, between files.
pub(super) fn copy_file_range<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from, from_pointer, to, to_pointer, count, flags]: [u64; 6],
) -> Answer {
    if flags as u32 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let from = end(kernel, who, from, from_pointer)?;
    let to = end(kernel, who, to, to_pointer)?;
    if kernel.fs.flags(to.id).contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF.into());
    }
    let overlap = from.offset.abs_diff(to.offset) < count;
    if kernel.fs.node_of(from.id) == kernel.fs.node_of(to.id) && overlap {
        return Err(Errno::EINVAL.into());
    }
    copy(kernel, who, from, to, count)
}

/// An end that is a file.
fn end<P: Platform>(kernel: &mut Kernel<P>, who: Pid, fd: u64, pointer: u64) -> Result<End, Stop> {
    let id = kernel.description(who, fd)?;
    let node = kernel.fs.node_of(id);
    match kernel.fs.kind(node) {
        FileType::File => {}
        FileType::Directory => return Err(Errno::EISDIR.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    let offset = match pointer {
        0 => kernel.fs.seek(id, 0, Seek::Current)? as i64,
        pointer => {
            kernel.touch(who, pointer, 8, Access::Write)?;
            i64::from_le_bytes(kernel.read_bytes(who, pointer)?)
        }
    };
    if offset < 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(End { id, pointer, offset })
}

/// Copies until an end has no more. Fewer bytes than asked for are an answer, so that what has
/// been copied is told before it waits.
fn copy<P: Platform>(kernel: &mut Kernel<P>, who: Pid, from: End, to: End, count: u64) -> Answer {
    let count = count.min(MOST) as i64;
    let mut buffer = vec![0; PIECE.min(count as usize)];
    let at = (to.offset >= 0).then_some(to.offset);
    let mut done = 0;
    let mut end = Ok(());
    while done < count {
        let wanted = PIECE.min((count - done) as usize);
        let (fs, mut store) = kernel.storage();
        let offset = from.offset.saturating_add(done);
        let piece = match fs.read_at(from.id, offset, &mut buffer[..wanted], &mut store) {
            Ok(0) => break,
            Ok(there) => &buffer[..there],
            Err(stop) => {
                end = Err(transfer::stopped(stop));
                break;
            }
        };
        match transfer::put(kernel, who, to.id, at.map(|at| at.saturating_add(done)), piece) {
            Ok(put) => {
                done += put as i64;
                if put < piece.len() {
                    break;
                }
            }
            Err(stop) => {
                end = Err(stop);
                break;
            }
        }
    }
    if done == 0 {
        end?;
    }
    for End { id, pointer, offset } in [from, to] {
        let now = offset.saturating_add(done);
        if pointer != 0 {
            kernel.write_bytes(who, pointer, &now.to_le_bytes())?;
        } else if offset >= 0 {
            kernel.fs.seek(id, now, Seek::Start)?;
        }
    }
    Ok(done as u64)
}

impl<P: Platform> Kernel<P> {
    /// Whether a description is of the terminal.
    pub(super) fn is_terminal(&self, id: DescriptionId) -> bool {
        self.fs.device(self.fs.node_of(id)).is_some_and(Device::is_terminal)
    }

    /// Fills in what only the memory of a process says of it, when its file of `/proc` is opened.
    fn fill_in(&mut self, id: DescriptionId) -> Result<(), Stop> {
        use crate::fs::{ProcFile, ProcNode, ProcessFile};
        /// Bytes that are shown at most.
        const SHOWN: u64 = 64 * 1024;
        let Node::Proc(ProcNode::File(ProcFile::Process(pid, file))) = self.fs.node_of(id) else {
            return Ok(());
        };
        let Some(process) = self.processes.get(pid) else { return Ok(()) };
        let range = match file {
            ProcessFile::Cmdline => process.image.arguments.clone(),
            ProcessFile::Environ => process.image.environment.clone(),
            _ => return Ok(()),
        };
        if process.space.is_none() {
            return Ok(());
        }
        let mut text = vec![0; range.end.saturating_sub(range.start).min(SHOWN) as usize];
        let (there, end) = self.user(pid).read_some(range.start, &mut text);
        if end == Err(crate::memory::Fault::NoMemory) {
            return Err(Stop::NoMemory);
        }
        text.truncate(there);
        Ok(self.fs.set_snapshot(id, text)?)
    }
}
