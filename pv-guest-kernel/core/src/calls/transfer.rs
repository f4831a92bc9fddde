//! How `read`, `write` and their kin move bytes between files and the memory of processes:
//! through a bounded buffer of the kernel's, piece by piece.
//!
//! Before a piece has an effect, its memory is made sure of, so that a bad address loses no byte
//! of a pipe. A piece that cannot be had ends the call with what was moved before. A call that
//! is to be made again goes on where it was: how far that is lies in the process.

use super::{Answer, Stop, Waiting, layout::u64_at};
use crate::{
    Access, Platform,
    fs::{self, DescriptionId, Errno, FileType, PIPE_ATOMIC, Pid},
    kernel::Kernel,
    process::Signal,
};
use alloc::{vec, vec::Vec};

/// Bytes of the kernel's buffer.
pub(super) const PIECE: usize = 16 * 1024;
/// Bytes that a call moves at most. Linux allows more; but here nobody else runs meanwhile, and
/// a process may map the same pages as often as it likes.
pub(super) const MOST: u64 = 64 << 20;
/// Parts that a call's memory has at most (`UIO_MAXIOV`).
const PARTS: usize = 1024;

/// Memory of a process in parts: address and length of each.
pub(super) type Part = (u64, u64);

/// The parts that an array of `struct iovec` says, with no more than [`MOST`] bytes.
pub(super) fn parts<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    count: u64,
) -> Result<Vec<Part>, Stop> {
    let count = usize::try_from(count).ok().filter(|count| *count <= PARTS);
    let count = count.ok_or(Errno::EINVAL)?;
    let mut bytes = vec![0; count * 16];
    kernel.user(who).read(address, &mut bytes)?;
    let mut left = MOST;
    let mut parts = Vec::with_capacity(count);
    for part in bytes.chunks_exact(16) {
        let (address, length) = (u64_at(part, 0), u64_at(part, 8));
        if length > i64::MAX as u64 {
            return Err(Errno::EINVAL.into());
        }
        parts.push((address, length.min(left)));
        left -= length.min(left);
    }
    Ok(parts)
}

/// Where a transfer is in the memory of the process.
struct Place<'a> {
    parts: &'a [Part],
    done: u64,
}

impl Place<'_> {
    /// So many bytes further on.
    fn skip(&mut self, mut bytes: u64) {
        while let [(_, length), rest @ ..] = self.parts {
            let step = (length - self.done).min(bytes);
            bytes -= step;
            self.done += step;
            if self.done < *length {
                return;
            }
            (self.parts, self.done) = (rest, 0);
        }
    }

    fn left(&self) -> u64 {
        self.parts.iter().map(|(_, length)| length).sum::<u64>() - self.done
    }

    /// The pieces of memory that hold the next `bytes` bytes.
    fn pieces(&self, bytes: usize) -> impl Iterator<Item = (u64, usize)> {
        let (mut skip, mut left) = (self.done, bytes as u64);
        self.parts.iter().filter_map(move |(address, length)| {
            let (start, count) = (address.wrapping_add(skip), (length - skip).min(left));
            skip = 0;
            left -= count;
            (count > 0).then_some((start, count as usize))
        })
    }

    /// How many of the next `bytes` bytes can be reached, and why no more.
    fn reachable<P: Platform>(
        &self,
        kernel: &mut Kernel<P>,
        who: Pid,
        bytes: usize,
        access: Access,
    ) -> (usize, Result<(), Stop>) {
        let mut reached = 0;
        for (start, count) in self.pieces(bytes) {
            let (there, end) = kernel.reachable(who, start, count, access);
            reached += there;
            if end.is_err() {
                return (reached, end);
            }
        }
        (reached, Ok(()))
    }
}

/// What ends a transfer that has moved bytes before: their count, unless there are none. When
/// only a page is short it goes on from there.
fn ended<P: Platform>(kernel: &mut Kernel<P>, who: Pid, done: u64, stop: Stop) -> Answer {
    match stop {
        Stop::NoMemory => {
            kernel.caller_mut(who).progress.done = done;
            Err(Stop::NoMemory)
        }
        _ if done > 0 => Ok(done),
        stop => Err(stop),
    }
}

/// What a call says that a file stops.
pub(super) fn stopped(stop: fs::Stop) -> Stop {
    match stop {
        // No page was free: the file system has no other reason to say so here.
        fs::Stop::Errno(Errno::ENOMEM) => Stop::NoMemory,
        fs::Stop::Errno(errno) => Stop::Errno(errno),
        fs::Stop::Wait(wait) => Stop::Wait(Waiting { files: vec![wait], ..Waiting::default() }),
        fs::Stop::Terminal => Stop::Errno(Errno::EIO),
    }
}

/// Reads into the memory of a process, from an offset or from where the description is.
pub(super) fn read<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    id: DescriptionId,
    offset: Option<i64>,
    parts: &[Part],
) -> Answer {
    let mut place = Place { parts, done: 0 };
    let mut done = kernel.caller(who).progress.done;
    place.skip(done);
    let mut buffer = vec![0; place.left().min(PIECE as u64) as usize];
    loop {
        let wanted = place.left().min(PIECE as u64) as usize;
        let (there, end) = place.reachable(kernel, who, wanted, Access::Write);
        if let Err(stop) = end
            && there == 0
        {
            return ended(kernel, who, done, stop);
        }
        let piece = &mut buffer[..there];
        let (fs, mut store) = kernel.storage();
        let result = match offset {
            Some(offset) => fs.read_at(id, offset.saturating_add(done as i64), piece, &mut store),
            None => fs.read(id, piece, &mut store),
        };
        let count = match result {
            Ok(count) => count,
            Err(fs::Stop::Terminal) if done == 0 => super::terminal::read(kernel, who, id, piece)?,
            Err(stop) => return ended(kernel, who, done, stopped(stop)),
        };
        let mut from = &piece[..count];
        for (start, length) in place.pieces(count) {
            let (now, rest) = from.split_at(length);
            kernel.user(who).write(start, now)?;
            from = rest;
        }
        done += count as u64;
        place.skip(count as u64);
        // What gives less than it is asked for has no more now; a terminal gives a line at most.
        if count < there || place.left() == 0 || kernel.is_terminal(id) {
            return Ok(done);
        }
    }
}

/// Writes from the memory of a process, to an offset or where the description is.
///
/// A pipe that takes fewer and may wait gets the rest when it has room.
pub(super) fn write<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    id: DescriptionId,
    offset: Option<i64>,
    parts: &[Part],
) -> Answer {
    let mut place = Place { parts, done: 0 };
    let mut done = kernel.caller(who).progress.done;
    place.skip(done);
    let mut buffer = vec![0; place.left().min(PIECE as u64) as usize];
    loop {
        let wanted = place.left().min(PIECE as u64) as usize;
        let (there, end) = place.reachable(kernel, who, wanted, Access::Read);
        // What goes into a pipe together waits for all its pages.
        let together = end == Err(Stop::NoMemory) && done == 0 && wanted <= PIPE_ATOMIC;
        if let Err(stop) = end
            && (there == 0 || together)
        {
            return ended(kernel, who, done, stop);
        }
        let mut to = &mut buffer[..there];
        for (start, length) in place.pieces(there) {
            let (now, rest) = to.split_at_mut(length);
            kernel.user(who).read(start, now)?;
            to = rest;
        }
        let result =
            put(kernel, who, id, offset.map(|at| at.saturating_add(done as i64)), &buffer[..there]);
        let count = match result {
            Ok(count) => count,
            Err(Stop::Wait(_)) if done > 0 && kernel.is_interrupted(who) => return Ok(done),
            Err(Stop::Wait(waiting)) => {
                kernel.caller_mut(who).progress.done = done;
                return Err(Stop::Wait(waiting));
            }
            Err(stop) => return ended(kernel, who, done, stop),
        };
        done += count as u64;
        place.skip(count as u64);
        let short = count < there && !is_pipe(kernel, id);
        if short || place.left() == 0 {
            return Ok(done);
        }
    }
}

/// Writes bytes of the kernel's to an open file.
pub(super) fn put<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    id: DescriptionId,
    offset: Option<i64>,
    from: &[u8],
) -> Result<usize, Stop> {
    let (fs, mut store) = kernel.storage();
    let result = match offset {
        Some(offset) => fs.write_at(id, offset, from, &mut store),
        None => fs.write(id, from, &mut store),
    };
    match result {
        Err(fs::Stop::Terminal) => super::terminal::write(kernel, who, from),
        Err(fs::Stop::Errno(Errno::EPIPE)) => {
            kernel.signal(who, Signal::PIPE);
            Err(Errno::EPIPE.into())
        }
        other => other.map_err(stopped),
    }
}

fn is_pipe<P: Platform>(kernel: &Kernel<P>, id: DescriptionId) -> bool {
    kernel.fs.kind(kernel.fs.node_of(id)) == FileType::Fifo
}
