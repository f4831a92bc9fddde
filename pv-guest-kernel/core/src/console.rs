//! What is typed on the console goes to the terminal, and from there to processes.

use crate::{
    Platform,
    fs::Pid,
    kernel::Kernel,
    process::{Event, Signal},
    terminal::Key,
};
use alloc::vec::Vec;

impl<P: Platform> Kernel<P> {
    /// Takes what has been typed, as far as the terminal has room for it. To be called too when
    /// a process has read from the terminal.
    pub(crate) fn read_console(&mut self) {
        let mut typed = [0; 256];
        let mut echo = Vec::new();
        let mut some = false;
        loop {
            let room = self.terminal.room().min(typed.len());
            let count = self.platform.console_read(&mut typed[..room]);
            if count == 0 {
                break;
            }
            some = true;
            let now = self.platform.now();
            for key in self.terminal.receive(&typed[..count], now, &mut echo) {
                self.press(key);
            }
            self.platform.console_write(&echo);
            echo.clear();
        }
        if some {
            self.happened(Event::Terminal);
        }
    }

    /// A key that means a signal: the processes in the foreground get it.
    fn press(&mut self, key: Key) {
        let signal = match key {
            Key::Interrupt => Signal::INT,
            Key::Quit => Signal::QUIT,
            Key::Suspend => Signal::TSTP,
        };
        if let Some(group) = self.terminal.foreground {
            self.signal_group(group, signal);
        }
    }

    /// A process has ended: if it led the session of the terminal, the terminal is free, and who
    /// was in its foreground learns of it.
    pub(crate) fn terminal_loses(&mut self, leader: Pid) {
        if self.terminal.session != Some(leader) {
            return;
        }
        if let Some(group) = self.terminal.give_up() {
            self.signal_group(group, Signal::HUP);
            self.signal_group(group, Signal::CONT);
        }
    }
}
