//! What each fuzz target does with the bytes that it is given.
//!
//! There is a target for each call, for sequences of all calls, and for everything else that
//! reads bytes which nobody vouches for. `fuzz/` hands them libFuzzer's bytes; the binary
//! `replay` those of a file; `tests/corpora.rs` those of the corpora that are kept. What is
//! found wrong is an error or a panic, whoever runs it.

#![forbid(unsafe_code)]

mod bundle;
mod calls;
mod decode;
mod device_tree;
mod elf;
mod manifest;
mod target;
mod wire;

pub use target::Target;

/// What is wrong, in words.
pub type Found = Result<(), String>;

/// Whether what is done is also told as it is done: for whoever looks at one input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Telling {
    /// It is not.
    Nothing,
    /// Each call goes to the error output before it is made.
    Calls,
}

/// Gives a target its bytes.
///
/// # Errors
/// What is wrong. What is worse is a panic.
pub fn run(target: Target, bytes: &[u8], telling: Telling) -> Found {
    match target {
        Target::Call(call) => calls::run(Some(call), bytes, telling),
        Target::Sequence => calls::run(None, bytes, telling),
        Target::Decode => decode::run(bytes),
        Target::Bundle => bundle::run(bytes),
        Target::Manifest => manifest::run(bytes),
        Target::Elf => elf::run(bytes),
        Target::DeviceTree => device_tree::run(bytes),
        Target::Wire => wire::run(bytes),
    }
}

/// What a file in `fuzz/fuzz_targets/` does with libFuzzer's bytes.
///
/// # Panics
/// When anything is wrong: so libFuzzer learns of it.
pub fn fuzz(target: Target, bytes: &[u8]) {
    if let Err(found) = run(target, bytes, Telling::Nothing) {
        panic!("{found}");
    }
}

/// Fails unless that holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Found {
    if holds { Ok(()) } else { Err(what()) }
}
