//! The console as processes know it: [`Terminal`], with Linux's line discipline.
//!
//! It is a state machine. Bytes that are typed come in by [`Terminal::receive`], which says what
//! is echoed and which signals they mean; bytes that processes write come out of
//! [`Terminal::write`] as they go to the device. Who may read or write, and who gets a signal,
//! is the business of the calls: [`crate::calls`].

mod input;
mod output;
mod queue;
mod settings;

#[cfg(test)]
mod tests;

pub use settings::{
    CHARACTERS, Control, ControlFlags, InputFlags, LocalFlags, OutputFlags, Settings, WindowSize,
};

use crate::fs::Pid;
use alloc::vec::Vec;
use queue::Queue;

/// Bytes that wait to be read at most, with those of the line that is edited.
pub const CAPACITY: usize = 4096;

/// A key that means a signal, for the processes in the foreground.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    /// `SIGINT`.
    Interrupt,
    /// `SIGQUIT`.
    Quit,
    /// `SIGTSTP`.
    Suspend,
}

/// What a read finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// It gets something, or learns of the end.
    Now,
    /// It waits until more is typed, or that time has come.
    Later(Option<u64>),
}

/// The terminal.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    settings: Settings,
    /// Its size in characters.
    pub size: WindowSize,
    /// The session whose terminal it is.
    pub session: Option<Pid>,
    /// The process group in the foreground: it reads, and keys that mean signals mean it.
    pub foreground: Option<Pid>,
    /// What can be read.
    ready: Queue,
    /// The line that is edited.
    line: Vec<u8>,
    /// The column in which that line began.
    line_column: u32,
    /// The next byte is no command of the terminal.
    literal: bool,
    /// The column of the cursor.
    column: u32,
    /// When something was typed last.
    typed: u64,
}

impl Terminal {
    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes its settings. What has been typed stays; the line that is edited can be read when
    /// lines are no more.
    pub fn set_settings(&mut self, settings: Settings) {
        let (was, is) = (self.settings.has_lines(), settings.has_lines());
        self.settings = settings;
        if was && !is {
            let line = core::mem::take(&mut self.line);
            self.ready.join();
            self.ready.append(&line);
        }
        if was != is {
            self.literal = false;
        }
    }

    /// How many bytes it takes now. A line that grows too long is still ended, or acted upon.
    pub fn room(&self) -> usize {
        let waiting = self.ready.taken() + self.line.len();
        let least = usize::from(self.settings.has_lines() && self.ready.is_empty());
        CAPACITY.saturating_sub(waiting).max(least)
    }

    /// Bytes that a read would get (`FIONREAD`).
    pub fn available(&self) -> usize {
        if self.settings.has_lines() { self.ready.first() } else { self.ready.len() }
    }

    /// Whether a read gets something at once, for `poll`.
    pub fn is_readable(&self) -> bool {
        let least = match (self.settings.has_lines(), self.settings.control(Control::TIME)) {
            (false, 0) => usize::from(self.settings.control(Control::MIN)).max(1),
            _ => 1,
        };
        !self.ready.is_empty() && (self.settings.has_lines() || self.ready.len() >= least)
    }

    /// What a read of up to `wanted` bytes finds now. If it was told to come again by a time, it
    /// says that time.
    pub fn ready(&self, wanted: usize, until: Option<u64>, now: u64) -> Ready {
        /// What `VTIME` counts.
        const TENTH: u64 = 100_000_000;
        if self.settings.has_lines() || wanted == 0 {
            let waits = self.ready.is_empty() && wanted > 0;
            return if waits { Ready::Later(None) } else { Ready::Now };
        }
        let least = usize::from(self.settings.control(Control::MIN));
        let time = u64::from(self.settings.control(Control::TIME)) * TENTH;
        let there = self.ready.len();
        if there >= wanted.min(least.max(1)) {
            return Ready::Now;
        }
        let end = match (least, time) {
            (0, 0) => return Ready::Now,
            (_, 0) => return Ready::Later(None),
            (0, time) => until.unwrap_or(now.saturating_add(time)),
            // The time counts from the last byte, and not before the first.
            (_, time) if there > 0 => {
                until.unwrap_or(now.saturating_add(time)).max(self.typed.saturating_add(time))
            }
            _ => return Ready::Later(None),
        };
        if now >= end { Ready::Now } else { Ready::Later(Some(end)) }
    }

    /// Reads what is there, a line at most where there are lines: how many bytes.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        if self.settings.has_lines() { self.ready.take_line(to) } else { self.ready.take(to) }
    }

    /// Forgets what was typed and not yet read.
    pub fn flush_input(&mut self) {
        self.ready.clear();
        self.line.clear();
        self.literal = false;
    }

    /// It is the terminal of a session now, with its leader's group in the foreground.
    pub fn acquire(&mut self, session: Pid, group: Pid) {
        (self.session, self.foreground) = (Some(session), Some(group));
    }

    /// Its session has none any more: the group that was in the foreground.
    pub fn give_up(&mut self) -> Option<Pid> {
        self.session = None;
        self.foreground.take()
    }
}
