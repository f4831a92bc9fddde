//! A machine while it runs: QEMU as a child process, its serial line taken apart as it comes.

use crate::process;
use anyhow::{Context, Result};
use pv_wire::{Item, Splitter};
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
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
    /// Whoever watched it had enough, and it was ended.
    Left,
}

/// What comes in while a machine runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The machine said something.
    Said(Item),
    /// Somebody typed.
    Typed(Vec<u8>),
}

/// What the receiver of events wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wants {
    /// More.
    More,
    /// More, and these bytes as the machine's input.
    Send(Vec<u8>),
    /// Nothing: that was the last word.
    NoMore,
    /// Nothing, and the end of the machine.
    Leave,
}

/// Where a machine's input comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// From nobody, or as the command says.
    None,
    /// From who receives its events, by [`Wants::Send`].
    Receiver,
    /// The same; what is typed at our own input is an event.
    Keyboard,
}

/// Ends the child when it goes out of scope, whatever happens.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the threads that read hand over.
enum Chunk {
    Said(Vec<u8>),
    Typed(Vec<u8>),
    /// The machine has no more to say.
    Closed,
}

/// Boots a machine and hands over what it says, and what is typed, until it ends or `limit` is
/// over.
pub fn boot(
    command: &mut Command,
    limit: Option<Duration>,
    input: Input,
    mut receive: impl FnMut(Event) -> Wants,
) -> Result<Ending> {
    if input != Input::None {
        command.stdin(Stdio::piped());
    }
    let child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", process::show(command)))?;
    let mut guard = Guard(child);
    let mut line = guard.0.stdin.take();
    let output = guard.0.stdout.take().context("QEMU has no output")?;
    let (sender, chunks) = channel();
    if input == Input::Keyboard {
        read(io::stdin(), sender.clone(), Chunk::Typed, None);
    }
    read(output, sender, Chunk::Said, Some(Chunk::Closed));
    let mut splitter = Splitter::new();
    let mut deadline = limit.map(|limit| Instant::now() + limit);
    let mut last_word = false;
    loop {
        let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        let events: Vec<Event> = match chunks.recv_timeout(left) {
            Ok(Chunk::Said(chunk)) => splitter.feed(&chunk).into_iter().map(Event::Said).collect(),
            Ok(Chunk::Typed(bytes)) => vec![Event::Typed(bytes)],
            Err(RecvTimeoutError::Timeout) if deadline.is_none() => continue,
            Err(RecvTimeoutError::Timeout) => {
                splitter.finish().into_iter().for_each(|item| {
                    receive(Event::Said(item));
                });
                return Ok(if last_word { Ending::Lingered } else { Ending::TimedOut });
            }
            Ok(Chunk::Closed) | Err(RecvTimeoutError::Disconnected) => break,
        };
        for event in events {
            match receive(event) {
                Wants::More => {}
                // A machine that ends just now reads no more.
                Wants::Send(bytes) => {
                    if let Some(line) = &mut line {
                        let _ = line.write_all(&bytes).and_then(|()| line.flush());
                    }
                }
                Wants::NoMore if last_word => {}
                Wants::NoMore => {
                    last_word = true;
                    deadline = Some(Instant::now() + GRACE);
                }
                Wants::Leave => return Ok(Ending::Left),
            }
        }
    }
    for item in splitter.finish() {
        receive(Event::Said(item));
    }
    Ok(Ending::Exited(guard.0.wait().context("cannot wait for QEMU")?))
}

/// A thread that reads in chunks, as they come, and says at the end that it is the end.
fn read(
    mut from: impl Read + Send + 'static,
    to: Sender<Chunk>,
    chunk: fn(Vec<u8>) -> Chunk,
    end: Option<Chunk>,
) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || to.send(chunk(buffer[..length].to_vec())).is_err() {
                break;
            }
        }
        if let Some(end) = end {
            let _ = to.send(end);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> (Ending, Vec<u8>) {
        let mut said = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let limit = Some(Duration::from_millis(limit));
        let ending = boot(&mut command, limit, Input::Receiver, |event| {
            let Event::Said(Item::Outside(bytes)) = event else {
                panic!("no frames, nobody types")
            };
            said.extend(bytes);
            match said.as_slice() {
                said if said.ends_with(b"done\n") => Wants::NoMore,
                said if said.ends_with(b"name? ") => Wants::Send(b"Xen\n".to_vec()),
                said if said.ends_with(b"enough\n") => Wants::Leave,
                _ => Wants::More,
            }
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
    fn a_machine_that_asks() {
        let (ending, said) = shell("printf 'name? '; read name; echo hello $name", 60_000);
        assert!(matches!(ending, Ending::Exited(status) if status.success()));
        assert_eq!(said, b"name? hello Xen\n");
    }

    #[test]
    fn a_machine_that_is_left() {
        let (ending, _) = shell("echo enough; exec sleep 60", 60_000);
        assert_eq!(ending, Ending::Left);
    }

    #[test]
    fn a_machine_that_is_not_there() {
        let error = boot(&mut Command::new("/no/such/qemu"), None, Input::None, |_| Wants::More);
        assert!(error.expect_err("missing").to_string().contains("/no/such/qemu"));
    }
}
