//! The parts of the core that are searched, each as deep as it can be.

use crate::menu::Menu;
use crate::world::Size;
use pv_core::model::canonical::Merge;

/// What is searched together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What is in the machine.
    pub size: Size,
    /// What may be done.
    pub menu: Menu,
    /// Which states are taken for one.
    pub merge: Merge,
    /// How far from the start an ordinary run looks; without a bound, until nothing is new.
    pub depth: Option<u32>,
    /// When it is searched.
    pub run: Run,
}

/// When a scope is searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// In every run.
    Always,
    /// In deep runs.
    Deep,
}

const NOTHING: Menu = Menu {
    tables: false,
    entries: false,
    lists: false,
    roots: false,
    flush: false,
    writes: false,
    scribbles: false,
    grants: false,
    balloon: false,
    events: false,
    sleep: false,
    timer: false,
    traps: false,
    batch: false,
    alone: false,
    ends: 0,
};

/// Frames and domains are interchangeable: no domain ends.
const BOTH: Merge = Merge { domains: true, frames: true };

/// The two domains are interchangeable: at most one of them ends, and they are built alike.
const DOMAINS: Merge = Merge { domains: true, frames: false };

/// Two domains with a root, a table and a page each.
const PAGES: Size = Size { pages: [1, 1], free: 0 };
/// Two domains with a root and a table each, and two frames of nobody.
const TABLES: Size = Size { pages: [0, 0], free: 2 };

/// Every scope. An ordinary run takes about a minute; each depth is what fits into it.
pub const SCOPES: [Scope; 13] = [
    Scope {
        name: "trees",
        about: "trees of tables are made, pinned, linked and let go",
        size: Size { pages: [1, 0], free: 1 },
        menu: Menu { tables: true, ..NOTHING },
        merge: Merge { domains: false, frames: true },
        depth: None,
        run: Run::Always,
    },
    Scope {
        name: "tables",
        about: "entries too, and guests write what is to become a table",
        size: PAGES,
        menu: Menu { tables: true, entries: true, writes: true, flush: true, ..NOTHING },
        merge: BOTH,
        depth: Some(4),
        run: Run::Always,
    },
    Scope {
        name: "lists",
        about: "lists of updates and batches are under way, and are rewritten meanwhile",
        size: PAGES,
        menu: Menu { tables: true, lists: true, scribbles: true, batch: true, ..NOTHING },
        merge: DOMAINS,
        depth: Some(3),
        run: Run::Always,
    },
    Scope {
        name: "roots",
        about: "roots change, processes run on their own, traps come and return",
        size: PAGES,
        menu: Menu { tables: true, roots: true, traps: true, ..NOTHING },
        merge: Merge::NONE,
        depth: Some(4),
        run: Run::Always,
    },
    Scope {
        name: "grants",
        about: "frames are granted, mapped, named by entries, taken back",
        size: PAGES,
        menu: Menu { entries: true, grants: true, ..NOTHING },
        merge: BOTH,
        depth: Some(5),
        run: Run::Always,
    },
    Scope {
        name: "balloon",
        about: "frames change hands: given back, scrubbed, taken, until none is left",
        size: Size { pages: [1, 1], free: 2 },
        menu: Menu { entries: true, balloon: true, writes: true, ..NOTHING },
        merge: BOTH,
        depth: Some(4),
        run: Run::Always,
    },
    Scope {
        name: "events",
        about: "channels, masks, sleep and the timer",
        size: TABLES,
        menu: Menu { events: true, sleep: true, timer: true, ..NOTHING },
        merge: BOTH,
        depth: Some(8),
        run: Run::Always,
    },
    Scope {
        name: "end-trees",
        about: "a domain ends at any point of a call that validates or takes apart",
        size: TABLES,
        menu: Menu { tables: true, ends: 1, ..NOTHING },
        merge: DOMAINS,
        depth: None,
        run: Run::Always,
    },
    Scope {
        name: "end-grants",
        about: "a domain ends while its frames are granted, mapped and named by entries",
        size: PAGES,
        menu: Menu { entries: true, grants: true, ends: 1, ..NOTHING },
        merge: DOMAINS,
        depth: Some(4),
        run: Run::Always,
    },
    Scope {
        name: "everything",
        about: "every group of calls, and both domains may end",
        size: Size { pages: [1, 1], free: 1 },
        menu: Menu {
            tables: true,
            entries: true,
            lists: true,
            roots: true,
            flush: true,
            writes: true,
            scribbles: true,
            grants: true,
            balloon: true,
            events: true,
            sleep: true,
            timer: true,
            traps: true,
            batch: true,
            alone: false,
            ends: 2,
        },
        merge: Merge::NONE,
        depth: Some(2),
        run: Run::Always,
    },
    Scope {
        name: "entries",
        about: "trees and their entries, of frames that are all tables at the start",
        size: TABLES,
        menu: Menu { tables: true, entries: true, ..NOTHING },
        merge: BOTH,
        depth: None,
        run: Run::Deep,
    },
    Scope {
        name: "trees-of-three",
        about: "as trees, with three frames of each domain",
        size: PAGES,
        menu: Menu { tables: true, ..NOTHING },
        merge: BOTH,
        depth: None,
        run: Run::Deep,
    },
    Scope {
        name: "roots-alone",
        about: "as roots, but the second domain only watches",
        size: Size { pages: [1, 0], free: 1 },
        menu: Menu { tables: true, roots: true, traps: true, alone: true, ..NOTHING },
        merge: Merge::NONE,
        depth: None,
        run: Run::Deep,
    },
];

/// The scope of that name.
pub fn named(name: &str) -> Option<&'static Scope> {
    SCOPES.iter().find(|scope| scope.name == name)
}
