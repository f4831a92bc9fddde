//! Who types at the console of the guest kernel: a shell with job control, on both kernels.
//!
//! Each step waits for text and then types; a step that does not come ends the test. What a step
//! waits for is never the echo of what was typed before: it says that a program is there to have
//! what is typed next.

use super::count::{Count, one};
use crate::arch::Arch;
use crate::build::read;
use crate::machine::Wants;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::rootfs;
use crate::script::{Kernel, Machine, Typist};
use anyhow::{Result, anyhow, ensure};
use std::time::Duration;

/// Bytes of memory of the kernel.
const MEMORY: u64 = 64 << 20;

/// Real time that a conversation may take.
const LIMIT: Duration = Duration::from_secs(90);

/// What is waited for, and what is typed then.
type Step = (&'static str, &'static [u8]);

const PROMPT: &str = ":~# ";

/// Keys that mean signals, and the shell's jobs.
const JOBS: &[Step] = &[
    (PROMPT, b"echo $((6 * 7)) is the answer\n"),
    ("\n42 is the answer\r\n", b""),
    (PROMPT, b"echo 'one '$$; while true; do :; done\n"),
    ("\none ", b"\x03"),
    ("^C", b""),
    (PROMPT, b"echo ok $?\n"),
    ("\nok 130\r\n", b""),
    // A job is stopped, goes on behind, comes back and is ended.
    (PROMPT, b"sh -c 'echo \"two \"$$; while :; do :; done'\n"),
    ("\ntwo ", b"\x1a"),
    ("Stopped", b""),
    (PROMPT, b"bg\n"),
    (PROMPT, b"echo go on; jobs\n"),
    ("\ngo on\r\n", b""),
    ("Running", b""),
    (PROMPT, b"fg\n"),
    ("sh -c", b"\x03"),
    (PROMPT, b"echo it was $?\n"),
    ("\nit was 130\r\n", b""),
    // What reads from behind is stopped.
    (PROMPT, b"head -n 1 &\n"),
    (PROMPT, b"sleep 0.2; jobs; echo seen\n"),
    ("Stopped (tty input)", b""),
    ("\nseen\r\n", b""),
    (PROMPT, b"fg\n"),
    ("head", b"in front\n"),
    ("in front\r\nin front\r\n", b""),
    // A line can be edited, and a file ends.
    (PROMPT, b"sh -c 'echo \"three \"$$; cat'\n"),
    ("\nthree ", b"wronh\x7fg\n\x04"),
    ("\nwrong\r\n", b""),
    // The shell ends, and with it the machine.
    (PROMPT, b"\x04"),
];

/// A key that is pressed before the kernel runs is not lost.
const EARLY: &[u8] = b"e";
const EARLY_STEPS: &[Step] = &[
    (PROMPT, b""),
    ("e", b"cho the first key $((40 + 2))\n"),
    ("\nthe first key 42\r\n", b""),
    (PROMPT, b"exit 7\n"),
];

/// Programs that take the whole screen: an editor and a picture of the system. Their output has
/// sequences of the terminal in it, and what they write is looked at by another program.
const SCREENS: &[Step] = &[
    (PROMPT, b"stty rows 24 columns 80; echo $((5 * 5)) rows set\n"),
    ("\n25 rows set\r\n", b""),
    (PROMPT, b"vi poem\n"),
    // The last line says where it is once it is ready.
    ("poem", b""),
    ("1/1", b"ione\rtwo\rthree\x1b"),
    ("- poem [Modified] 3/3", b"kdd:%s/e/E/g\r"),
    ("3 substitutions on 2 lines", b":wq\r"),
    (PROMPT, b"tr '\\n' '|' < poem; echo\n"),
    ("\nonE|thrEE|\r\n", b""),
    (PROMPT, b"top -d 1\n"),
    ("Load average:", b""),
    ("COMMAND", b""),
    ("top -d 1", b"q"),
    (PROMPT, b"seq 300 | less\n"),
    ("standard input", b"G"),
    ("K300", b"q"),
    (PROMPT, b"echo \"left with $?\"\n"),
    ("\nleft with 0\r\n", b""),
    (PROMPT, b"exit\n"),
];

/// The tests of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let mut count = Count::default();
    for kernel in Kernel::ALL {
        let machine = Machine { arch, kernel, may, memory: MEMORY, words: "", limit: LIMIT };
        let what = format!("the console, {kernel}, {arch}");
        count += one(&format!("jobs and keys at {what}"), |progress| {
            talk(&machine, Typist::Receiver, JOBS, progress)
        });
        count += one(&format!("vi, top and less at {what}"), |progress| {
            talk(&machine, Typist::Receiver, SCREENS, progress)
        });
        count += one(&format!("a key that is pressed early at {what}"), |progress| {
            talk(&machine, Typist::Early(EARLY), EARLY_STEPS, progress)
        });
    }
    count
}

fn talk(
    machine: &Machine<'_>,
    typist: Typist<'_>,
    steps: &[Step],
    progress: &Progress,
) -> Result<()> {
    let archive = read(&rootfs::archive(machine.arch, machine.may)?)?;
    let mut talk = Talk { steps: steps.iter(), said: Vec::new(), from: 0, waits: None };
    talk.next();
    progress.at("talking");
    let ended = machine.run(archive, typist, |bytes| match talk.hear(bytes) {
        typed if typed.is_empty() => Wants::More,
        typed => Wants::Send(typed),
    })?;
    let said = String::from_utf8_lossy(&talk.said).into_owned();
    if let Some((waits, _)) = talk.waits {
        return Err(anyhow!("{waits:?} was not said; it said\n{said}"));
    }
    ended.map_err(|why| anyhow!("{why}; it said\n{said}"))?;
    ensure!(!said.contains("job control turned off"), "there is no job control; it said\n{said}");
    Ok(())
}

/// A conversation.
struct Talk<'a> {
    steps: std::slice::Iter<'a, Step>,
    said: Vec<u8>,
    /// From here on what was said answers nothing yet.
    from: usize,
    waits: Option<Step>,
}

impl Talk<'_> {
    fn next(&mut self) {
        self.waits = self.steps.next().copied();
    }

    /// Takes what is said; what is typed then.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.said.extend_from_slice(bytes);
        let mut typed = Vec::new();
        while let Some((text, answer)) = self.waits
            && let Some(at) = find(&self.said[self.from..], text.as_bytes())
        {
            self.from += at + text.len();
            typed.extend_from_slice(answer);
            self.next();
        }
        typed
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    bytes.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_waits_for_its_text() {
        let steps: &[Step] = &[("? ", b"one\n"), ("b", b""), ("? ", b"two\n"), ("x", b"")];
        let mut talk = Talk { steps: steps.iter(), said: Vec::new(), from: 0, waits: None };
        talk.next();
        assert_eq!(talk.hear(b"a?"), b"");
        assert_eq!(talk.hear(b" a"), b"one\n");
        assert_eq!(talk.hear(b"b? "), b"two\n");
        assert_eq!(talk.hear(b"y"), b"");
        assert_eq!(talk.waits.map(|(text, _)| text), Some("x"));
    }
}
