//! Calls on files, pipes and descriptors.
#![allow(unsafe_code, reason = "system calls take addresses")]

use super::{Errno, result};
use crate::arch::{call, number};
use core::ffi::CStr;

/// Paths are from where the process is.
const AT_FDCWD: usize = -100_isize as usize;

/// Flags of [`open`] and [`pipe`]: write only, make the file, cut it, do not wait.
pub const O_WRONLY: usize = 1;
/// Read and write.
pub const O_RDWR: usize = 2;
/// Make the file if it is not there.
pub const O_CREAT: usize = 0o100;
/// Cut the file to nothing.
pub const O_TRUNC: usize = 0o1000;
/// Calls do not wait.
pub const O_NONBLOCK: usize = 0o4000;

/// Writes at most 4096 bytes to a pipe in one piece.
pub const PIPE_BUF: usize = 4096;

/// Opens a file.
pub fn open(path: &CStr, flags: usize, mode: usize) -> Result<i32, Errno> {
    let path = path.as_ptr() as usize;
    // SAFETY: the kernel reads a text that ends.
    result(unsafe { call(number::OPENAT, [AT_FDCWD, path, flags, mode, 0, 0]) })
        .map(|file| file as i32)
}

/// Removes a file.
pub fn unlink(path: &CStr) -> Result<(), Errno> {
    let path = path.as_ptr() as usize;
    // SAFETY: the kernel reads a text that ends.
    result(unsafe { call(number::UNLINKAT, [AT_FDCWD, path, 0, 0, 0, 0]) }).map(drop)
}

/// Closes a descriptor.
pub fn close(file: i32) -> Result<(), Errno> {
    // SAFETY: no memory is touched.
    result(unsafe { call(number::CLOSE, [file as usize, 0, 0, 0, 0, 0]) }).map(drop)
}

/// Reads: bytes that were there.
pub fn read(file: i32, to: &mut [u8]) -> Result<usize, Errno> {
    let (address, length) = (to.as_mut_ptr() as usize, to.len());
    // SAFETY: the kernel writes to a slice that is ours alone.
    result(unsafe { call(number::READ, [file as usize, address, length, 0, 0, 0]) })
}

/// Writes: bytes that were taken.
pub fn write(file: i32, from: &[u8]) -> Result<usize, Errno> {
    let (address, length) = (from.as_ptr() as usize, from.len());
    // SAFETY: the kernel reads a slice.
    result(unsafe { call(number::WRITE, [file as usize, address, length, 0, 0, 0]) })
}

/// Reads until the slice is full or nothing more comes: bytes read.
pub fn read_all(file: i32, to: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < to.len() {
        match read(file, &mut to[done..])? {
            0 => break,
            more => done += more,
        }
    }
    Ok(done)
}

/// Writes everything.
pub fn write_all(file: i32, from: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < from.len() {
        done += write(file, &from[done..])?;
    }
    Ok(())
}

/// Sets a file's position from its start.
pub fn seek(file: i32, position: usize) -> Result<usize, Errno> {
    // SAFETY: no memory is touched.
    result(unsafe { call(number::LSEEK, [file as usize, position, 0, 0, 0, 0]) })
}

/// A pipe: the end to read from, and the end to write to.
pub fn pipe(flags: usize) -> Result<[i32; 2], Errno> {
    let mut ends = [0; 2];
    let address = ends.as_mut_ptr() as usize;
    // SAFETY: the kernel writes two numbers to an array of two.
    result(unsafe { call(number::PIPE2, [address, flags, 0, 0, 0, 0]) })?;
    Ok(ends)
}

/// Makes `to` another descriptor of what `from` is one of.
pub fn duplicate(from: i32, to: i32) -> Result<(), Errno> {
    // SAFETY: no memory is touched.
    result(unsafe { call(number::DUP3, [from as usize, to as usize, 0, 0, 0, 0]) }).map(drop)
}

/// Sets whether calls on what a descriptor is of wait.
pub fn set_waiting(file: i32, waits: bool) -> Result<(), Errno> {
    const F_SETFL: usize = 4;
    let flags = if waits { 0 } else { O_NONBLOCK };
    // SAFETY: no memory is touched.
    result(unsafe { call(number::FCNTL, [file as usize, F_SETFL, flags, 0, 0, 0]) }).map(drop)
}

/// Whether the kernel can read the byte at an address: it is written to a pipe, and taken out.
pub fn can_read([from, to]: [i32; 2], address: usize) -> bool {
    // SAFETY: the kernel looks at the address itself, and says so if it cannot be read.
    let written = result(unsafe { call(number::WRITE, [to as usize, address, 1, 0, 0, 0]) });
    crate::check!(written == Ok(1) || written == Err(Errno::EFAULT), "a byte into a pipe");
    if written == Ok(1) {
        crate::check!(read(from, &mut [0]) == Ok(1), "a byte out of a pipe");
    }
    written == Ok(1)
}

/// Whether the kernel can write the byte at an address: `byte` comes there out of a pipe.
///
/// # Safety
/// The byte must be one that the program lets be written.
pub unsafe fn can_write([from, to]: [i32; 2], address: usize, byte: u8) -> bool {
    crate::check!(write(to, &[byte]) == Ok(1), "a byte into a pipe");
    // SAFETY: the caller answers for the byte.
    let read_there = result(unsafe { call(number::READ, [from as usize, address, 1, 0, 0, 0]) });
    crate::check!(read_there == Ok(1) || read_there == Err(Errno::EFAULT), "a byte out of a pipe");
    if read_there != Ok(1) {
        crate::check!(read(from, &mut [0]) == Ok(1), "the byte is still in the pipe");
    }
    read_there == Ok(1)
}
