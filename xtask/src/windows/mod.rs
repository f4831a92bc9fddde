//! The consoles of a machine's guests in one terminal: a window for each, of which one is seen,
//! and a line that says which. What is typed goes to the guest whose window is seen; the keys
//! behind [`keys::PREFIX`] change windows and leave.
//!
//! Each window is a terminal of its own (the crate `vt100`), so that a program of a guest that
//! draws, such as `vi`, is as it was when one comes back to it.

mod keys;
mod raw;
mod session;

use raw::Raw;
pub use session::{guest_words, session};

use crate::screen::{Look, Screen};
use keys::{Action, Keys};
use pv_wire::{Item, Kind, Source, input};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// Lines that a window keeps above what is seen.
const SCROLLBACK: usize = 2000;

/// What the line at the bottom says of keys.
const HINT: &str = "Ctrl-A then 0-9, n, p: window; x: leave; ?: help";

/// The window of what is no guest's text: the hypervisor, and every log.
const LOGS: usize = 0;

/// One window.
struct Window {
    label: String,
    terminal: vt100::Parser,
    /// Lines that came since it was last seen.
    unseen: usize,
    ended: bool,
}

/// All windows.
pub struct Windows {
    line: Line,
    out: Box<dyn Write>,
    windows: Vec<Window>,
    /// Which is seen.
    seen: usize,
    /// What the terminal shows of it.
    shown: Option<vt100::Screen>,
    keys: Keys,
    /// Turns what is for the first window into text.
    logs: Screen,
    text: Shared,
    help: bool,
}

/// Text on its way to the first window.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How what is typed travels to the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// To one of many guests: see [`input`].
    Framed,
    /// To the one kernel that there is, as it is.
    Plain,
}

/// What typing came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// Bytes for the machine.
    Send(Vec<u8>),
    /// The user leaves.
    Leave,
}

/// Rows of a window on a terminal with that many: the last is the line that says which it is.
const fn rows_of_a_window(rows: u16) -> u16 {
    if rows > 1 { rows - 1 } else { 1 }
}

impl Windows {
    /// Windows for guests of those names, on a terminal of so many rows and columns. `screen`
    /// makes the text of the first window.
    pub fn new(
        out: Box<dyn Write>,
        line: Line,
        (rows, columns): (u16, u16),
        names: &[String],
        look: Look,
        screen: impl FnOnce(Box<dyn Write>, Look) -> Screen,
    ) -> Windows {
        let text = Shared::default();
        let logs = screen(Box::new(text.clone()), look);
        let labels = std::iter::once("hypervisor").chain(names.iter().map(String::as_str));
        let windows = labels.map(|label| Window {
            label: label.to_owned(),
            terminal: vt100::Parser::new(rows_of_a_window(rows), columns, SCROLLBACK),
            unseen: 0,
            ended: false,
        });
        let windows: Vec<Window> = windows.collect();
        let seen = windows.len().min(2) - 1;
        let keys = Keys::default();
        Windows { line, out, windows, seen, shown: None, keys, logs, text, help: false }
    }

    /// The bytes that tell the machine whose window is seen.
    pub fn selection(&self) -> Vec<u8> {
        match self.line {
            Line::Framed if self.seen != LOGS => input::select(Source(self.seen as u16)).to_vec(),
            Line::Framed | Line::Plain => Vec::new(),
        }
    }

    /// Shows what came in.
    pub fn show(&mut self, item: &Item) {
        match item {
            Item::Message(message) if message.kind == Kind::Text && message.source.0 != 0 => {
                let window = usize::from(message.source.0);
                self.write(window, &message.bytes);
            }
            // Without a hypervisor there are no messages.
            Item::Outside(bytes) if self.line == Line::Plain => self.write(1, bytes),
            _ => {
                self.logs.show(item);
                let text = std::mem::take(&mut *self.text.0.borrow_mut());
                self.write(LOGS, &text);
            }
        }
        self.draw();
    }

    /// Notes that a guest has ended.
    pub fn ended(&mut self, guest: u16) {
        if let Some(window) = self.windows.get_mut(usize::from(guest)) {
            window.ended = true;
            window.terminal.process(b"\r\n\x1b[7m[it has ended]\x1b[0m\r\n");
        }
        self.draw();
    }

    /// Takes what was typed.
    pub fn typed(&mut self, bytes: &[u8]) -> Typed {
        let mut send = Vec::new();
        for byte in bytes {
            match self.keys.feed(*byte) {
                None => {}
                // There is nobody to type to in the first window.
                Some(Action::Type(_)) if self.seen == LOGS => {}
                Some(Action::Type(byte)) if self.line == Line::Plain => send.push(byte),
                Some(Action::Type(byte)) => send.extend(input::typed(byte)),
                // A plain line has no hypervisor at its end, and the first window no guest.
                Some(Action::Memory(_)) if self.seen == LOGS || self.line == Line::Plain => {}
                Some(Action::Memory(pages)) => {
                    send.extend(input::change(Source(self.seen as u16), pages));
                }
                Some(Action::Leave) => return Typed::Leave,
                Some(Action::Help) => {
                    self.help = !self.help;
                    self.shown = None;
                }
                Some(Action::Window(number)) => self.see(number, &mut send),
                Some(Action::Next) => self.see((self.seen + 1) % self.windows.len(), &mut send),
                Some(Action::Previous) => {
                    self.see((self.seen + self.windows.len() - 1) % self.windows.len(), &mut send);
                }
            }
        }
        self.draw();
        Typed::Send(send)
    }

    fn see(&mut self, number: usize, send: &mut Vec<u8>) {
        if number < self.windows.len() {
            self.seen = number;
            self.windows[number].unseen = 0;
            self.shown = None;
            self.help = false;
            send.extend(self.selection());
        }
    }

    /// Bytes for a window. A line that ends without a carriage return begins at the left, too:
    /// not every kernel has a terminal.
    fn write(&mut self, number: usize, bytes: &[u8]) {
        let Some(window) = self.windows.get_mut(number) else { return };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) => {
                    window.terminal.process(line);
                    window.terminal.process(b"\r\n");
                    window.unseen += usize::from(number != self.seen);
                }
                None => window.terminal.process(piece),
            }
        }
    }

    /// Brings the terminal up to date. Nobody minds when it is gone.
    fn draw(&mut self) {
        let mut bytes = Vec::new();
        if self.help {
            bytes.extend(b"\x1b[?25l\x1b[H\x1b[2J");
            bytes.extend(keys::HELP.replace('\n', "\r\n").bytes());
        } else {
            let screen = self.windows[self.seen].terminal.screen();
            match &self.shown {
                Some(shown) => bytes.extend(screen.state_diff(shown)),
                None => {
                    bytes.extend(b"\x1b[H\x1b[2J");
                    bytes.extend(screen.state_formatted());
                }
            }
            self.shown = Some(screen.clone());
        }
        bytes.extend(self.bar());
        let _ = self.out.write_all(&bytes).and_then(|()| self.out.flush());
    }

    /// The line at the bottom; the cursor stays where it is.
    fn bar(&self) -> Vec<u8> {
        let (rows, columns) = self.windows[self.seen].terminal.screen().size();
        let mut text = String::new();
        for (number, window) in self.windows.iter().enumerate() {
            let name = format!(" {number} {}", window.label);
            let mark = match window {
                Window { ended: true, .. } => " ended ".to_owned(),
                Window { unseen: 0, .. } => " ".to_owned(),
                Window { unseen, .. } => format!(" +{unseen} "),
            };
            let (on, off) =
                if number == self.seen { ("\x1b[1;4m", "\x1b[22;24m") } else { ("", "") };
            text.push_str(&format!("{on}{name}{off}{mark}"));
        }
        let used = console::measure_text_width(&text);
        let room = usize::from(columns).saturating_sub(used);
        if room > HINT.len() {
            text.push_str(&" ".repeat(room - HINT.len()));
            text.push_str(HINT);
        }
        let text = console::truncate_str(&text, usize::from(columns), "");
        format!("\x1b7\x1b[{};1H\x1b[0;7m\x1b[2K{text}\x1b[0m\x1b8", rows + 1).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Level, Logs};
    use pv_wire::OwnedMessage;

    fn windows(line: Line) -> (Windows, Shared) {
        let out = Shared::default();
        let look = Look { level: Level::Info, plain: false, on_error_output: false };
        let names = ["red".to_owned(), "blue".to_owned()];
        let screen = |out, look| Screen::to(out, false, look, &[], Logs::default());
        (Windows::new(Box::new(out.clone()), line, (6, 60), &names, look, screen), out)
    }

    fn says(source: u16, text: &str) -> Item {
        Item::Message(OwnedMessage {
            source: Source(source),
            kind: Kind::Text,
            bytes: text.as_bytes().to_vec(),
        })
    }

    /// What a terminal shows that got these bytes.
    fn seen(out: &Shared) -> String {
        let mut terminal = vt100::Parser::new(6, 60, 0);
        terminal.process(&out.0.borrow());
        terminal.screen().contents()
    }

    #[test]
    fn each_guest_has_its_window() {
        let (mut windows, out) = windows(Line::Framed);
        windows.show(&says(1, "one\nprompt# "));
        windows.show(&says(2, "two\nlines\n"));
        windows.show(&says(0, "up\n"));
        let first = seen(&out);
        assert!(first.starts_with("one\nprompt#"), "{first}");
        assert!(first.contains("0 hypervisor +1  1 red  2 blue +2"), "{first}");
        assert_eq!(windows.typed(b"\x012"), Typed::Send(vec![0, 2, 0]));
        let second = seen(&out);
        assert!(second.starts_with("two\nlines\n"), "{second}");
        assert!(second.contains("1 red  2 blue "), "{second}");
        assert_eq!(windows.typed(b"\x01p"), Typed::Send(vec![0, 1, 0]));
        assert!(seen(&out).starts_with("one\nprompt#"));
        assert!(windows.windows[0].terminal.screen().contents().contains("[hypervisor] up"));
    }

    #[test]
    fn what_is_typed_goes_to_the_guest_that_is_seen() {
        let (mut windows, _) = windows(Line::Framed);
        assert_eq!(windows.selection(), [0, 1, 0]);
        assert_eq!(windows.typed(b"ls\r\x03"), Typed::Send(b"ls\r\x03".to_vec()));
        assert_eq!(windows.typed(b"\0"), Typed::Send(vec![0, 0, 0]));
        assert_eq!(windows.typed(b"a\x01nb"), Typed::Send(b"a\0\x02\0b".to_vec()));
        assert_eq!(windows.typed(b"\x010nobody"), Typed::Send(vec![]));
        assert_eq!(windows.typed(b"\x019"), Typed::Send(vec![]));
        assert_eq!(windows.typed(b"\x011"), Typed::Send(vec![0, 1, 0]));
        assert_eq!(windows.typed(b"\x01\x01"), Typed::Send(vec![1]));
        assert_eq!(windows.typed(b"\x01x"), Typed::Leave);
    }

    #[test]
    fn a_kernel_without_a_hypervisor_has_a_plain_line() {
        let (mut windows, out) = windows(Line::Plain);
        windows.show(&Item::Outside(b"prompt# ".to_vec()));
        assert!(seen(&out).starts_with("prompt#"));
        assert_eq!(windows.selection(), [0; 0]);
        assert_eq!(windows.typed(b"a\0\x01\x01"), Typed::Send(b"a\0\x01".to_vec()));
    }

    #[test]
    fn help_covers_the_window_and_goes_again() {
        let (mut windows, out) = windows(Line::Framed);
        windows.show(&says(1, "here\n"));
        windows.typed(b"\x01?");
        assert!(seen(&out).contains("leave"), "{}", seen(&out));
        assert!(!seen(&out).contains("here"));
        windows.typed(b"\x01?");
        assert!(seen(&out).starts_with("here"));
    }

    #[test]
    fn a_guest_that_has_ended_is_marked() {
        let (mut windows, out) = windows(Line::Framed);
        windows.ended(2);
        assert!(seen(&out).contains("2 blue ended"), "{}", seen(&out));
        windows.show(&says(77, "from nobody"));
    }
}
