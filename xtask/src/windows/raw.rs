//! The user's terminal while guests have it: every key comes at once and means nothing there.

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Write};

/// Rows and columns of a terminal that does not say.
const USUAL: (u16, u16) = (24, 80);

/// The terminal in raw mode, on its alternate screen. It is as it was when this goes.
pub struct Raw {
    was: Termios,
}

impl Raw {
    /// Takes the terminal.
    pub fn enter() -> Result<Raw> {
        let input = rustix::stdio::stdin();
        let was = tcgetattr(input).context("the input is no terminal")?;
        let mut raw = was.clone();
        raw.make_raw();
        tcsetattr(input, OptionalActions::Drain, &raw).context("cannot set the terminal")?;
        write("\x1b[?1049h");
        Ok(Raw { was })
    }

    /// Its rows and columns.
    pub fn size() -> (u16, u16) {
        match tcgetwinsize(rustix::stdio::stdout()) {
            Ok(size) if size.ws_row > 1 && size.ws_col > 1 => (size.ws_row, size.ws_col),
            _ => USUAL,
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The modes that a guest's program may have set, and the screen that was.
        write("\x1b[0m\x1b[?25h\x1b[?1l\x1b>\x1b[?2004l\x1b[?1000l\x1b[?1049l");
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.was);
    }
}

fn write(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
