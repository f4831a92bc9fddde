//! Progress on the error output: a line that changes on a terminal, lines that stay elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// The progress of one piece of work.
pub struct Progress {
    bar: Option<ProgressBar>,
    title: String,
    began: Instant,
}

impl Progress {
    /// Begins a piece of work.
    pub fn new(title: &str) -> Progress {
        let bar = console::user_attended_stderr().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("{title} ...");
        }
        Progress { bar, title: title.to_owned(), began: Instant::now() }
    }

    /// Where it is now: shown on a terminal only, as it changes often.
    pub fn at(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// A line that stays, such as a failure.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// The end, with what came of it.
    pub fn done(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: {result} ({:.1} s)", self.title, self.began.elapsed().as_secs_f64());
    }
}
