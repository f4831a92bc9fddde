//! A machine while it runs: QEMU as a child process, its serial line taken apart as it comes.

use crate::process;
use anyhow::{Context, Result};
use pv_wire::{Item, Splitter};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Time that a machine has to switch itself off after its last word.
const GRACE: Duration = Duration::from_secs(5);

/// How a machine ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// QEMU ended by itself.
    Exited(ExitStatus),
    /// The time was up, and it was ended.
    TimedOut,
    /// It had said its last word, did not switch itself off, and was ended.
    Lingered,
}

/// What the receiver of a machine's output wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    /// More.
    More,
    /// Nothing: that was the last word.
    NoMore,
}

/// Ends the child when it goes out of scope, whatever happens.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots a machine and hands over what it says, until it ends or `limit` is over. What is typed
/// is the command's input.
pub fn boot(
    command: &mut Command,
    limit: Option<Duration>,
    mut receive: impl FnMut(Item) -> Wants,
) -> Result<Ending> {
    let child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", process::show(command)))?;
    let mut guard = Guard(child);
    let output = guard.0.stdout.take().context("QEMU has no output")?;
    let chunks = reader(output);
    let mut splitter = Splitter::new();
    let mut deadline = limit.map(|limit| Instant::now() + limit);
    let mut last_word = false;
    loop {
        let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        let items = match chunks.recv_timeout(left) {
            Ok(chunk) => splitter.feed(&chunk),
            Err(RecvTimeoutError::Timeout) if deadline.is_none() => continue,
            Err(RecvTimeoutError::Timeout) => {
                splitter.finish().into_iter().for_each(|item| {
                    receive(item);
                });
                return Ok(if last_word { Ending::Lingered } else { Ending::TimedOut });
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for item in items {
            if receive(item) == Wants::NoMore && !last_word {
                last_word = true;
                deadline = Some(Instant::now() + GRACE);
            }
        }
    }
    for item in splitter.finish() {
        receive(item);
    }
    Ok(Ending::Exited(guard.0.wait().context("cannot wait for QEMU")?))
}

/// A thread that reads the output in chunks, as they come.
fn reader(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length) = output.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> (Ending, Vec<u8>) {
        let mut said = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let ending = boot(&mut command, Some(Duration::from_millis(limit)), |item| {
            let Item::Outside(bytes) = item else { panic!("no frames here") };
            said.extend(bytes);
            if said.ends_with(b"done\n") { Wants::NoMore } else { Wants::More }
        });
        (ending.expect("runs"), said)
    }

    #[test]
    fn a_machine_that_ends_by_itself() {
        let (ending, said) = shell("echo hello; exit 3", 60_000);
        assert!(matches!(ending, Ending::Exited(status) if status.code() == Some(3)));
        assert_eq!(said, b"hello\n");
    }

    #[test]
    fn a_machine_that_does_not_end() {
        let (ending, said) = shell("echo hello; exec sleep 60", 300);
        assert_eq!(ending, Ending::TimedOut);
        assert_eq!(said, b"hello\n");
    }

    #[test]
    fn a_machine_that_is_not_there() {
        let error = boot(&mut Command::new("/no/such/qemu"), None, |_| Wants::More);
        assert!(error.expect_err("missing").to_string().contains("/no/such/qemu"));
    }
}
