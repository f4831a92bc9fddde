//! Progress on the error output: lines that change on a terminal, one for each piece of work that is
//! under way, and lines that stay elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The lines that change: they share the end of the terminal.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

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
            let bar = BARS.add(ProgressBar::new_spinner());
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
        if self.bar.is_some() {
            BARS.suspend(|| eprintln!("{text}"));
        } else {
            eprintln!("{text}");
        }
    }

    /// The end, with what came of it.
    pub fn done(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.line(&format!(
            "{}: {result} ({:.1} s)",
            self.title,
            self.began.elapsed().as_secs_f64()
        ));
    }
}
