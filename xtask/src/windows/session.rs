//! A machine seen in windows, from its boot to its end.

use super::{Line, Raw, Typed, Windows};
use crate::machine::{self, Ending, Event, Input, Wants};
use crate::screen::{Look, Screen};
use crate::summary;
use anyhow::Result;
use pv_wire::RunReport;
use std::io::Write;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Words for the command lines of guests that somebody sees in windows: how large these are, which
/// the shell of our file system tells its terminal; and what time it is, as for once it passes.
pub fn guest_words() -> String {
    let (rows, columns) = Raw::size();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("time={} ROWS={} COLUMNS={columns}", now.as_secs(), super::rows_of_a_window(rows))
}

/// Boots a machine whose guests are seen in windows, until it ends or is left; its report, as far
/// as it came. The terminal is as it was then.
pub fn session(
    command: &mut Command,
    line: Line,
    names: &[String],
    look: Look,
    screen: impl FnOnce(Box<dyn Write>, Look) -> Screen,
) -> Result<(RunReport, Ending)> {
    let raw = Raw::enter()?;
    let out = Box::new(std::io::stdout());
    let mut windows = Windows::new(out, line, Raw::size(), names, look, screen);
    let mut report = RunReport::default();
    let ending = machine::boot(command, None, Input::Keyboard, |event| match event {
        Event::Typed(bytes) => match windows.typed(&bytes) {
            Typed::Send(bytes) => Wants::Send(bytes),
            Typed::Leave => Wants::Leave,
        },
        Event::Said(item) => {
            let gone = report.domains.len();
            windows.show(&item);
            let over = summary::collect(&mut report, &item);
            for domain in &report.domains[gone..] {
                windows.ended(domain.id);
            }
            if over { Wants::NoMore } else { Wants::More }
        }
    });
    drop(raw);
    Ok((report, ending?))
}
