//! The faults that can be planted in the core, and the scope in which each shows.

use crate::search::End;
use pv_core::Bug;

/// A fault that is known from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planted {
    /// The fault.
    pub bug: Bug,
    /// A published advisory that tells of its like.
    pub advisory: &'static str,
    /// What is wrong with the core then.
    pub what: &'static str,
    /// Name of the scope in which it is looked for.
    pub scope: &'static str,
    /// The invariant that is found broken.
    pub breaks: &'static str,
}

impl Planted {
    /// Whether a search that ended so has found it: by the invariant that it is known to break.
    pub fn is_found_by(&self, end: &End) -> bool {
        matches!(end, End::Broken(trace) if trace.broken.invariant == self.breaks)
    }
}

/// Every fault.
pub const PLANTED: [Planted; 21] = [
    Planted {
        bug: Bug::ClaimWithoutFlush,
        advisory: "XSA-401",
        what: "a frame becomes a page table without the flush before",
        scope: "tables",
        breaks: "I16",
    },
    Planted {
        bug: Bug::WritableWithoutFlush,
        advisory: "XSA-408",
        what: "a former page table becomes writable without the flush before",
        scope: "tables",
        breaks: "I18",
    },
    Planted {
        bug: Bug::ClaimWhileWritable,
        advisory: "XSA-148",
        what: "a frame that is mapped writable is accepted as a page table",
        scope: "tables",
        breaks: "I44",
    },
    Planted {
        bug: Bug::LevelUnchecked,
        advisory: "XSA-240",
        what: "an entry may name a table of its own level",
        scope: "trees",
        breaks: "I12",
    },
    Planted {
        bug: Bug::SwitchWithoutLoad,
        advisory: "XSA-494",
        what: "a root is replaced and the processor stays on it",
        scope: "roots",
        breaks: "I13",
    },
    Planted {
        bug: Bug::FlagsInPlace,
        advisory: "XSA-182",
        what: "flags of an entry change in place, without validation",
        scope: "tables",
        breaks: "I4",
    },
    Planted {
        bug: Bug::RefusalKeepsReferences,
        advisory: "XSA-299",
        what: "a refused promotion keeps references of its last table",
        scope: "tables",
        breaks: "I3",
    },
    Planted {
        bug: Bug::RefusalDropsOneMore,
        advisory: "XSA-58",
        what: "a refused promotion drops a reference that it never took",
        scope: "tables",
        breaks: "I3",
    },
    Planted {
        bug: Bug::ContinuationTakesAgain,
        advisory: "XSA-299",
        what: "a continued promotion takes an entry's reference again",
        scope: "tables",
        breaks: "I3",
    },
    Planted {
        bug: Bug::ValueReadAgain,
        advisory: "XSA-155",
        what: "a validated entry is read again from the argument frame",
        scope: "lists",
        breaks: "I3",
    },
    Planted {
        bug: Bug::EndForgetsCall,
        advisory: "XSA-310",
        what: "a domain ends and the promotion it was in is not turned round",
        scope: "end-trees",
        breaks: "I3",
    },
    Planted {
        bug: Bug::EndFreesMapped,
        advisory: "XSA-222",
        what: "frames of an ended domain are freed while others map them",
        scope: "end-grants",
        breaks: "I44",
    },
    Planted {
        bug: Bug::InflateReferenced,
        advisory: "XSA-252",
        what: "the balloon takes a frame that something refers to",
        scope: "balloon",
        breaks: "I44",
    },
    Planted {
        bug: Bug::ScrubForgotten,
        advisory: "XSA-100",
        what: "a frame goes to the next owner with its old content",
        scope: "balloon",
        breaks: "I29",
    },
    Planted {
        bug: Bug::ScrubWithoutFlush,
        advisory: "XSA-511",
        what: "a frame is scrubbed and given away without the flush before",
        scope: "balloon",
        breaks: "I18",
    },
    Planted {
        bug: Bug::UnmapWhileMapped,
        advisory: "XSA-230",
        what: "a handle is closed while an entry names its frame",
        scope: "grants",
        breaks: "I21",
    },
    Planted {
        bug: Bug::UnmapByWrongFlag,
        advisory: "XSA-224, XSA-234",
        what: "a handle is closed by the flag of the grant, not its own",
        scope: "grants",
        breaks: "I4",
    },
    Planted {
        bug: Bug::UnmapWithoutFlush,
        advisory: "XSA-217",
        what: "a handle is closed and translations of its frame stay",
        scope: "grants",
        breaks: "I16",
    },
    Planted {
        bug: Bug::RevokeWhileMapped,
        advisory: "XSA-218",
        what: "a grant that is mapped is revoked",
        scope: "grants",
        breaks: "I20",
    },
    Planted {
        bug: Bug::CloseForgetsPeer,
        advisory: "XSA-338",
        what: "a port is closed and its other end stays bound",
        scope: "events",
        breaks: "I32",
    },
    Planted {
        bug: Bug::WakeUpLost,
        advisory: "XSA-331",
        what: "an event does not wake the vCPU that sleeps for it",
        scope: "events",
        breaks: "I34",
    },
];
