//! What a script prints, out of all that its guest's console shows.
//!
//! `/init` of the first file system prints a line before the script and one after it; the kernel's
//! last line says how the first process ended, whose status is the script's.

use serde_json::{Value, json};

const BEGINS: &[u8] = b"[the script begins]\n";
const ENDED: &[u8] = b"\n[the script ended: ";
const KERNEL: &str = "kernel: the first process ";

/// A guest's console, while its script runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capture {
    said: Vec<u8>,
}

/// What came of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What it printed, to its output and its error output.
    pub output: Vec<u8>,
    /// Its exit status, as a shell has it: 128 and the number of a signal that ended it. None if
    /// the kernel did not come to an end.
    pub status: Option<u8>,
    /// All that the console showed.
    pub said: Vec<u8>,
}

impl Capture {
    /// Takes what the console shows.
    pub fn take(&mut self, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
    }

    /// What came of the script.
    pub fn finish(self) -> Outcome {
        let text = String::from_utf8_lossy(&self.said);
        let last = text.lines().rev().find_map(|line| line.strip_prefix(KERNEL));
        let number = |prefix| last?.strip_prefix(prefix)?.trim_end().parse::<u8>().ok();
        let signal = number("was ended by signal ").map(|signal| 128 | signal);
        let status = number("ended with status ").or(signal);
        let output = printed(&self.said).to_vec();
        Outcome { output, status, said: self.said }
    }
}

/// What the script has printed.
fn printed(said: &[u8]) -> &[u8] {
    let Some(begins) = said.windows(BEGINS.len()).position(|window| window == BEGINS) else {
        return &[];
    };
    let rest = &said[begins + BEGINS.len()..];
    // A script can print such a line too: the last one is of `/init`.
    let end = rest.windows(ENDED.len()).rposition(|window| window == ENDED);
    end.map_or(rest, |end| &rest[..end])
}

impl Outcome {
    /// For programs that read it.
    pub fn json(&self) -> Value {
        json!({ "status": self.status, "output": String::from_utf8_lossy(&self.output) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(said: &str) -> (String, Option<u8>) {
        let mut capture = Capture::default();
        for byte in said.as_bytes() {
            capture.take(&[*byte]);
        }
        let outcome = capture.finish();
        (String::from_utf8(outcome.output).expect("text"), outcome.status)
    }

    #[test]
    fn the_output_is_between_two_lines_and_the_status_in_the_last() {
        let said = "up\n[the script begins]\none\ntwo\n[the script ended: 3]\n\
                    kernel: the first process ended with status 3\r\nguest kernel: surprise\n";
        assert_eq!(captured(said), ("one\ntwo".into(), Some(3)));
        let said = "[the script begins]\n\n[the script ended: 0]\nyes\n\n[the script ended: 0]\n\
                    kernel: the first process ended with status 0\n";
        assert_eq!(captured(said), ("\n[the script ended: 0]\nyes\n".into(), Some(0)));
    }

    #[test]
    fn a_script_that_ends_everything_has_an_output_too() {
        let said =
            "[the script begins]\nlast words\nkernel: the first process was ended by signal 9\n";
        assert_eq!(captured(said).1, Some(137));
        assert!(captured(said).0.starts_with("last words\n"));
        assert_eq!(captured("nothing\n"), (String::new(), None));
        assert_eq!(captured("[the script begins]\nhalf"), ("half".into(), None));
    }
}
