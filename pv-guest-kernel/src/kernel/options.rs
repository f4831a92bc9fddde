//! The command line.

use super::surprise::{Surprise, surprise};
use pv_guest::abi::DomainId;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The domain to share with.
    pub peer: Option<DomainId>,
    /// How to misbehave.
    pub crash: Option<Crash>,
    /// Whether to test the machine under the kernel, and no more.
    pub machine_test: bool,
    /// Whether to run programs only.
    pub quiet: bool,
}

/// Ways to misbehave, for the tests of containment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// A page fault while no trap entry is registered.
    Null,
    /// An endless loop without a call.
    Spin,
    /// Calls with arbitrary numbers and arguments, then an illegal instruction.
    Garbage,
    /// Returns to addresses that are not the guest's.
    BadPc,
    /// A panic.
    Panic,
    /// Recursion until the stack is used up.
    Stack,
    /// A trap handler that traps.
    Depth,
    /// A wait for an event that cannot come.
    Block,
}

const CRASHES: [(&str, Crash); 8] = [
    ("null", Crash::Null),
    ("spin", Crash::Spin),
    ("garbage", Crash::Garbage),
    ("badpc", Crash::BadPc),
    ("panic", Crash::Panic),
    ("stack", Crash::Stack),
    ("depth", Crash::Depth),
    ("block", Crash::Block),
];

impl Options {
    /// Reads a command line.
    pub fn parse(line: &str, has_programs: bool) -> Result<Options, Surprise> {
        let mut options = Options::default();
        for word in line.split_ascii_whitespace() {
            match word.split_once('=') {
                None if word == "machine-test" => options.machine_test = true,
                None if word == "quiet" => options.quiet = true,
                Some(("peer", number)) => {
                    let peer = number.parse().map(DomainId).ok().filter(|peer| peer.is_guest());
                    let peer = peer.ok_or_else(|| surprise!("`{word}`: peer=N names a domain"))?;
                    options.peer = Some(peer);
                }
                Some(("crash", how)) => {
                    let found = CRASHES.iter().find(|(name, _)| *name == how);
                    let (_, crash) = found.ok_or_else(|| {
                        surprise!(
                            "`{word}`: crash= takes null spin garbage badpc panic stack depth block"
                        )
                    })?;
                    options.crash = Some(*crash);
                }
                // For the first process, as Linux has it.
                _ if has_programs => {}
                _ => {
                    return Err(surprise!(
                        "`{word}`: this kernel knows peer=N, crash=HOW, quiet and machine-test"
                    ));
                }
            }
        }
        if options.quiet && !has_programs {
            return Err(surprise!("`quiet`: there are no programs; give the domain a module"));
        }
        Ok(options)
    }
}
