//! The targets, by name.

use hypercall_abi::Number;

/// A fuzz target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Sequences in which one call comes more often than others.
    Call(Number),
    /// Sequences of all calls.
    Sequence,
    /// Arguments of calls, and page-table entries.
    Decode,
    /// The bundle, and the guests in it.
    Bundle,
    /// The bundle's manifest alone.
    Manifest,
    /// A guest's file, up to a domain that is built of it.
    Elf,
    /// The device tree.
    DeviceTree,
    /// The stream that a machine sends.
    Wire,
}

impl Target {
    /// Those that are of no single call.
    const OTHERS: [Target; 7] = [
        Target::Sequence,
        Target::Decode,
        Target::Bundle,
        Target::Manifest,
        Target::Elf,
        Target::DeviceTree,
        Target::Wire,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Target> {
        Number::ALL.into_iter().map(Target::Call).chain(Target::OTHERS)
    }

    /// Its name: that of its file and of its corpus.
    pub fn name(self) -> &'static str {
        match self {
            Target::Call(call) => call.name(),
            Target::Sequence => "sequence",
            Target::Decode => "decode",
            Target::Bundle => "bundle",
            Target::Manifest => "manifest",
            Target::Elf => "elf",
            Target::DeviceTree => "device_tree",
            Target::Wire => "wire",
        }
    }

    /// The target of that name.
    pub fn of(name: &str) -> Option<Target> {
        Target::all().find(|target| target.name() == name)
    }
}
