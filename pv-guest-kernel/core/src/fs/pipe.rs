//! The bytes of a pipe, and who has it open. Pipes and FIFOs are the same.

use super::{
    Errno, Storage,
    space::{PIPE_ATOMIC, Space},
};
use crate::{PAGE, Pfn};
use alloc::collections::VecDeque;

/// Why a pipe moved nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stuck {
    /// It is empty, or has not enough room.
    Wait,
    /// It cannot go on.
    Errno(Errno),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    /// The bytes, from `start` in the first page. A page that is empty may be kept.
    pages: VecDeque<Pfn>,
    start: usize,
    length: usize,
    /// Bytes at most; none while nobody has the pipe open.
    capacity: usize,
    /// Open descriptions that may read, and that may write.
    pub readers: u32,
    pub writers: u32,
    /// How often it was opened so: who waits for a partner sees one that has gone again.
    pub reader_opens: u64,
    pub writer_opens: u64,
}

impl Pipe {
    pub fn length(&self) -> usize {
        self.length
    }

    pub fn room(&self) -> usize {
        self.capacity - self.length
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    #[cfg(test)]
    pub fn pages(&self) -> impl Iterator<Item = Pfn> {
        self.pages.iter().copied()
    }

    #[cfg(test)]
    pub fn promised_pages(&self) -> u32 {
        if self.capacity == 0 { 0 } else { super::space::pipe_pages(self.capacity) }
    }

    /// Counts one more who has it open.
    pub fn open(&mut self, read: bool, write: bool, space: &mut Space) {
        if self.readers == 0 && self.writers == 0 {
            self.capacity = space.take_pipe();
        }
        if read {
            self.readers += 1;
            self.reader_opens += 1;
        }
        if write {
            self.writers += 1;
            self.writer_opens += 1;
        }
    }

    /// Counts one less. With the last go the bytes.
    pub fn close(&mut self, read: bool, write: bool, storage: &mut dyn Storage, space: &mut Space) {
        self.readers -= u32::from(read);
        self.writers -= u32::from(write);
        if self.readers == 0 && self.writers == 0 {
            self.pages.drain(..).for_each(|page| storage.give(page));
            self.start = 0;
            self.length = 0;
            space.give_pipe(self.capacity);
            self.capacity = 0;
        }
    }

    /// Reads what is there: how many bytes. None are the end: nobody writes any more.
    pub fn read(&mut self, to: &mut [u8], storage: &mut dyn Storage) -> Result<usize, Stuck> {
        if to.is_empty() || (self.length == 0 && self.writers == 0) {
            return Ok(0);
        }
        if self.length == 0 {
            return Err(Stuck::Wait);
        }
        let length = to.len().min(self.length);
        let mut done = 0;
        while done < length {
            let part = &mut to[done..length.min(done + PAGE - self.start)];
            storage.read(self.pages[0], self.start, part);
            done += part.len();
            self.start += part.len();
            if self.start == PAGE {
                self.start = 0;
                self.pages.pop_front().into_iter().for_each(|page| storage.give(page));
            }
        }
        self.length -= length;
        if self.length == 0 {
            // The page it ended in is kept: the next bytes need not take one again.
            self.start = 0;
        }
        Ok(length)
    }

    /// Writes as much as there is room for: how many bytes. Up to [`PIPE_ATOMIC`] bytes go
    /// together or not at all.
    pub fn write(&mut self, from: &[u8], storage: &mut dyn Storage) -> Result<usize, Stuck> {
        if self.readers == 0 {
            return Err(Stuck::Errno(Errno::EPIPE));
        }
        if from.is_empty() {
            return Ok(0);
        }
        let least = if from.len() <= PIPE_ATOMIC { from.len() } else { 1 };
        if self.room() < least {
            return Err(Stuck::Wait);
        }
        let end = self.start + self.length;
        let wanted = from.len().min(self.room());
        while self.pages.len() * PAGE < end + wanted {
            match storage.take() {
                Some(page) => self.pages.push_back(page),
                None => break,
            }
        }
        let length = wanted.min(self.pages.len() * PAGE - end);
        if length < least {
            // No page came: one would have been enough for what goes together.
            return Err(Stuck::Errno(Errno::ENOMEM));
        }
        let mut done = 0;
        while done < length {
            let place = end + done;
            let part = &from[done..length.min(done + PAGE - place % PAGE)];
            storage.write(self.pages[place / PAGE], place % PAGE, part);
            done += part.len();
        }
        self.length += length;
        Ok(length)
    }
}
