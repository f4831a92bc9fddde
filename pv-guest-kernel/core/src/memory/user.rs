//! Memory of a process as the kernel reads and writes it on its behalf: [`UserMemory`].
//!
//! Every address and length comes from a process and is hostile. What the process could not
//! reach itself, the kernel does not reach for it; what is not there yet is faulted in. Each
//! byte is copied once: what is decided, is decided about the copy.

use super::{AddressSpace, Fault, Parts};
use crate::{Access, PAGE, Pfn, Platform};
use alloc::vec::Vec;

/// The memory of one process.
pub struct UserMemory<'a, P: Platform> {
    /// The process's address space.
    pub space: &'a mut AddressSpace<P>,
    /// The rest of the kernel.
    pub parts: Parts<'a, P>,
}

/// Why a string of a process cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StringError {
    /// Part of it cannot be reached.
    Fault(Fault),
    /// It does not end within the limit.
    TooLong,
}

impl From<Fault> for StringError {
    fn from(fault: Fault) -> StringError {
        StringError::Fault(fault)
    }
}

impl<'a, P: Platform> UserMemory<'a, P> {
    /// The memory of the process with that address space.
    pub fn new(space: &'a mut AddressSpace<P>, parts: Parts<'a, P>) -> UserMemory<'a, P> {
        UserMemory { space, parts }
    }

    /// The page behind an address, faulted in; where in it the address is, and how many bytes
    /// are from there to its end. The page stays until something else is asked of memory.
    ///
    /// # Errors
    /// [`Fault`].
    #[inline]
    pub fn page(&mut self, address: u64, access: Access) -> Result<(Pfn, usize, usize), Fault> {
        let page = address / PAGE as u64;
        let frame = match self.space.pages.get(page).reachable(access == Access::Write) {
            Some(frame) => frame,
            None => self.space.serve(&mut self.parts, page, access)?,
        };
        let offset = (address % PAGE as u64) as usize;
        Ok((frame, offset, PAGE - offset))
    }

    /// Copies from the process.
    ///
    /// # Errors
    /// [`Fault`]: not all of it can be reached. What could, is in `to`.
    pub fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        self.read_some(address, to).1
    }

    /// Copies to the process.
    ///
    /// # Errors
    /// [`Fault`]: not all of it can be reached. What could, is written.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), Fault> {
        self.write_some(address, from).1
    }

    /// Copies from the process as far as its memory goes: how many bytes, and why no more.
    pub fn read_some(&mut self, address: u64, to: &mut [u8]) -> (usize, Result<(), Fault>) {
        self.each(address, to.len(), Access::Read, |platform, frame, offset, done, count| {
            platform.read(frame, offset, &mut to[done..done + count]);
        })
    }

    /// Copies to the process as far as its memory goes: how many bytes, and why no more.
    pub fn write_some(&mut self, address: u64, from: &[u8]) -> (usize, Result<(), Fault>) {
        self.each(address, from.len(), Access::Write, |platform, frame, offset, done, count| {
            platform.write(frame, offset, &from[done..done + count]);
        })
    }

    /// Fills memory of the process with zeros.
    ///
    /// # Errors
    /// [`Fault`]: not all of it can be reached. What could, is written.
    pub fn clear(&mut self, address: u64, length: u64) -> Result<(), Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::NotMapped)?;
        let zeros = [0; 256];
        let (_, result) =
            self.each(address, length, Access::Write, |platform, frame, offset, _, count| {
                if count == PAGE {
                    platform.clear(frame);
                    return;
                }
                for at in (0..count).step_by(zeros.len()) {
                    platform.write(frame, offset + at, &zeros[..zeros.len().min(count - at)]);
                }
            });
        result
    }

    /// Faults memory in, so that it can be copied to or from without; unless so much is asked
    /// for that memory does not hold it.
    ///
    /// # Errors
    /// [`Fault`]: not all of it can be reached.
    pub fn touch(&mut self, address: u64, length: u64, access: Access) -> Result<(), Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::NotMapped)?;
        self.each(address, length, access, |_, _, _, _, _| ()).1
    }

    /// A number of the process's.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read_u32(&mut self, address: u64) -> Result<u32, Fault> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A word of the process's.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read_u64(&mut self, address: u64) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Gives the process a number.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn write_u32(&mut self, address: u64, value: u32) -> Result<(), Fault> {
        self.write(address, &value.to_le_bytes())
    }

    /// Gives the process a word.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn write_u64(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.write(address, &value.to_le_bytes())
    }

    /// Words of the process's that follow one another.
    ///
    /// # Errors
    /// [`Fault`]. What could be read is in `to`.
    pub fn read_words(&mut self, address: u64, to: &mut [u64]) -> Result<(), Fault> {
        for (index, word) in to.iter_mut().enumerate() {
            *word = self.read_u64(forward(address, index as u64 * 8)?)?;
        }
        Ok(())
    }

    /// Gives the process words that follow one another.
    ///
    /// # Errors
    /// [`Fault`]. What could be reached is written.
    pub fn write_words(&mut self, address: u64, from: &[u64]) -> Result<(), Fault> {
        for (index, word) in from.iter().enumerate() {
            self.write_u64(forward(address, index as u64 * 8)?, *word)?;
        }
        Ok(())
    }

    /// A string that ends with a zero byte, without it; `limit` counts the zero byte.
    ///
    /// # Errors
    /// [`StringError`].
    pub fn string(&mut self, address: u64, limit: usize) -> Result<Vec<u8>, StringError> {
        let mut string = Vec::new();
        let mut chunk = [0; 64];
        while string.len() < limit {
            let at = forward(address, string.len() as u64)?;
            let (frame, offset, there) = self.page(at, Access::Read)?;
            let count = there.min(chunk.len()).min(limit - string.len());
            self.parts.platform.read(frame, offset, &mut chunk[..count]);
            if let Some(end) = chunk[..count].iter().position(|byte| *byte == 0) {
                string.extend_from_slice(&chunk[..end]);
                return Ok(string);
            }
            string.extend_from_slice(&chunk[..count]);
        }
        Err(StringError::TooLong)
    }

    /// The strings that an array of addresses names, which ends with a zero; all together,
    /// with a zero byte and an address for each, are at most `limit` bytes. An array at address
    /// 0 has none.
    ///
    /// # Errors
    /// [`StringError`].
    pub fn strings(&mut self, address: u64, limit: usize) -> Result<Vec<Vec<u8>>, StringError> {
        let mut strings = Vec::new();
        let mut left = limit;
        if address == 0 {
            return Ok(strings);
        }
        loop {
            let at = self.read_u64(forward(address, strings.len() as u64 * 8)?)?;
            if at == 0 {
                return Ok(strings);
            }
            left = left.checked_sub(8).ok_or(StringError::TooLong)?;
            let string = self.string(at, left)?;
            left -= string.len() + 1;
            strings.push(string);
        }
    }

    /// Goes over memory page by page: platform, page, offset in it, bytes done, bytes now.
    #[inline]
    fn each(
        &mut self,
        address: u64,
        length: usize,
        access: Access,
        mut visit: impl FnMut(&mut P, Pfn, usize, usize, usize),
    ) -> (usize, Result<(), Fault>) {
        let mut done = 0;
        while done < length {
            let at = forward(address, done as u64);
            match at.and_then(|at| self.page(at, access)) {
                Ok((frame, offset, there)) => {
                    let count = there.min(length - done);
                    visit(self.parts.platform, frame, offset, done, count);
                    done += count;
                }
                Err(fault) => return (done, Err(fault)),
            }
        }
        (done, Ok(()))
    }
}

fn forward(address: u64, bytes: u64) -> Result<u64, Fault> {
    address.checked_add(bytes).ok_or(Fault::NotMapped)
}
