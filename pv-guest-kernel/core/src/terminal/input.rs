//! What is typed: control characters, editing of the line, echo.

use super::{
    CAPACITY, Control, InputFlags, Key, LocalFlags, Terminal,
    output::{is_continuation, is_control, next_stop, width},
};
use alloc::vec::Vec;

/// How much is erased.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Terminal {
    /// Takes bytes that were typed at a time, no more than there is [`room`](Self::room) for, and
    /// appends the echo. The keys that mean signals are returned in order.
    pub fn receive(&mut self, bytes: &[u8], now: u64, echo: &mut Vec<u8>) -> Vec<Key> {
        self.typed = now;
        bytes.iter().filter_map(|byte| self.receive_byte(*byte, echo)).collect()
    }

    fn receive_byte(&mut self, byte: u8, echo: &mut Vec<u8>) -> Option<Key> {
        let (input, local) = (self.settings.input, self.settings.local);
        let byte = if input.contains(InputFlags::ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.literal) {
            self.keep(byte, echo);
            return None;
        }
        if local.contains(LocalFlags::ISIG)
            && let Some(key) = self.key(byte)
        {
            if !local.contains(LocalFlags::NOFLSH) {
                self.flush_input();
            }
            if local.contains(LocalFlags::ECHO) {
                self.show(byte, echo);
            }
            return Some(key);
        }
        let byte = match byte {
            b'\r' if input.contains(InputFlags::IGNCR) => return None,
            b'\r' if input.contains(InputFlags::ICRNL) => b'\n',
            b'\n' if input.contains(InputFlags::INLCR) => b'\r',
            byte => byte,
        };
        if self.settings.has_lines() {
            self.edit(byte, echo);
        } else {
            self.keep(byte, echo);
        }
        None
    }

    fn key(&self, byte: u8) -> Option<Key> {
        let keys = [
            (Control::INTR, Key::Interrupt),
            (Control::QUIT, Key::Quit),
            (Control::SUSP, Key::Suspend),
        ];
        let mut keys = keys.into_iter();
        keys.find_map(|(control, key)| self.settings.is(byte, control).then_some(key))
    }

    /// A byte of a line that is edited.
    fn edit(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let settings = &self.settings;
        let (local, extended) = (settings.local, settings.local.contains(LocalFlags::IEXTEN));
        if settings.is(byte, Control::ERASE) {
            self.erase(Erase::Character, byte, echo);
        } else if settings.is(byte, Control::KILL) {
            self.erase(Erase::Line, byte, echo);
        } else if extended && settings.is(byte, Control::WERASE) {
            self.erase(Erase::Word, byte, echo);
        } else if extended && settings.is(byte, Control::LNEXT) {
            self.literal = true;
            if local.contains(LocalFlags::ECHO) && local.contains(LocalFlags::ECHOCTL) {
                // It stands where the byte that it is for will be shown.
                self.put(b'^', echo);
                self.put(8, echo);
            }
        } else if extended
            && local.contains(LocalFlags::ECHO)
            && settings.is(byte, Control::REPRINT)
        {
            self.show(byte, echo);
            self.put(b'\n', echo);
            self.line_column = self.column;
            for byte in self.line.clone() {
                self.show(byte, echo);
            }
        } else if settings.is(byte, Control::EOF) {
            self.end_line();
        } else if byte == b'\n' {
            if local.intersects(LocalFlags::ECHO | LocalFlags::ECHONL) {
                self.put(b'\n', echo);
            }
            self.line.push(byte);
            self.end_line();
        } else if settings.is(byte, Control::EOL) || extended && settings.is(byte, Control::EOL2) {
            if local.contains(LocalFlags::ECHO) {
                self.show(byte, echo);
            }
            self.line.push(byte);
            self.end_line();
        } else {
            self.keep(byte, echo);
        }
    }

    fn end_line(&mut self) {
        let line = core::mem::take(&mut self.line);
        self.ready.push(&line);
    }

    /// A byte as it is, if there is room: one place is for the end of the line.
    fn keep(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let lines = self.settings.has_lines();
        let room = CAPACITY - usize::from(lines);
        if self.ready.len() + self.line.len() >= room {
            if self.settings.input.contains(InputFlags::IMAXBEL) {
                self.put(7, echo);
            }
            return;
        }
        if self.line.is_empty() {
            self.line_column = self.column;
        }
        if self.settings.local.contains(LocalFlags::ECHO) {
            // What is no command is shown as one, but a newline moves the cursor.
            if byte == b'\n' && !lines { self.put(byte, echo) } else { self.show(byte, echo) }
        }
        if lines {
            self.line.push(byte);
        } else {
            self.ready.append(&[byte]);
        }
    }

    /// Shows a byte: a control character as `^X`, except a tab.
    fn show(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let caret = self.settings.local.contains(LocalFlags::ECHOCTL);
        if caret && is_control(byte) && byte != b'\t' {
            self.put(b'^', echo);
            self.put(byte ^ 0x40, echo);
        } else {
            self.put(byte, echo);
        }
    }

    fn erase(&mut self, what: Erase, byte: u8, echo: &mut Vec<u8>) {
        if self.line.is_empty() {
            return;
        }
        let kept = self.kept(what);
        let local = self.settings.local;
        let silent = !local.contains(LocalFlags::ECHO);
        let visible = match what {
            Erase::Line => LocalFlags::ECHOE | LocalFlags::ECHOK | LocalFlags::ECHOKE,
            _ => LocalFlags::ECHOE,
        };
        if !silent && local.contains(visible) {
            let from = self.column_behind(kept);
            let columns = self.column_behind(self.line.len()).saturating_sub(from);
            let tab = self.line[kept..].contains(&b'\t');
            for _ in 0..columns {
                // A tab has shown nothing that is to be wiped out.
                let wipe: &[u8] =
                    if tab && what == Erase::Character { b"\x08" } else { b"\x08 \x08" };
                wipe.iter().for_each(|byte| self.put(*byte, echo));
            }
        } else if !silent {
            self.show(byte, echo);
            if what == Erase::Line && local.contains(LocalFlags::ECHOK) {
                self.put(b'\n', echo);
            }
        }
        self.line.truncate(kept);
    }

    /// Bytes of the line that stay.
    fn kept(&self, what: Erase) -> usize {
        let utf8 = self.settings.input.contains(InputFlags::IUTF8);
        let mut end = self.line.len();
        let mut word = false;
        while end > 0 {
            let mut start = end - 1;
            while utf8 && start > 0 && is_continuation(self.line[start]) {
                start -= 1;
            }
            let first = self.line[start];
            if what == Erase::Word {
                let of_word = first.is_ascii_alphanumeric() || first == b'_' || first >= 0x80;
                if word && !of_word {
                    break;
                }
                word |= of_word;
            }
            end = start;
            if what == Erase::Character {
                break;
            }
        }
        end
    }

    /// The column behind so many bytes of the line.
    fn column_behind(&self, count: usize) -> u32 {
        let utf8 = self.settings.input.contains(InputFlags::IUTF8);
        let caret = self.settings.local.contains(LocalFlags::ECHOCTL);
        self.line[..count].iter().fold(self.line_column, |column, byte| match *byte {
            b'\t' => next_stop(column),
            byte if is_control(byte) => column.saturating_add(if caret { 2 } else { 0 }),
            byte => column.saturating_add(width(byte, utf8)),
        })
    }
}
