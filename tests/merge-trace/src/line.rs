//! What is told, a line of JSON each.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Something happened.
    Event(Event),
    /// What the scanner remembers at some time.
    Records {
        /// At what time.
        when: String,
        /// Bytes that a record takes.
        bytes_each: usize,
        /// The records.
        records: Vec<RecordLine>,
    },
    /// What backs the pages at some time, and whether each holds what its domain wrote.
    Pages {
        /// At what time.
        when: String,
        /// The pages.
        pages: Vec<PageLine>,
        /// Frames on the free list.
        free: u64,
    },
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// In the course of what.
    pub stage: String,
    /// In which step of the core. Nothing else runs in the middle of one.
    pub step: u64,
    /// What.
    pub what: What,
    /// To which page.
    pub page: Option<Page>,
    /// To which frame.
    pub frame: Option<u64>,
    /// How many there are now.
    pub count: Option<u64>,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The scanner came to the page.
    LookedAt,
    /// The page is not as it was when it was looked at last, or was not looked at before.
    NotSteady,
    /// All of the page was read, and a hash made of it.
    Hashed,
    /// The page that a hint tells of was read and hashed again.
    Rehashed,
    /// The hash is one that the table knows.
    HintMet,
    /// A hint was put into the table.
    HintRecorded,
    /// A hint, or the record of a shared frame, was taken from the table.
    Forgotten,
    /// The table knows a shared frame, of so many pages.
    FrameRecorded,
    /// An entry of the page became read-only.
    Protected,
    /// Processors forgot what they had cached.
    Flushed,
    /// All of the frame was read, in turn with another.
    Compared,
    /// An entry of the page names this frame, for reading.
    Redirected,
    /// An entry of the page names this frame, and permits writing.
    Permitted,
    /// The slot of the page in its domain's P2M names this frame.
    SlotWritten,
    /// So many pages share the frame.
    References,
    /// The frame is nobody's: so many wait to be scrubbed.
    Released,
    /// The frame was filled with zeros.
    Scrubbed,
    /// So many frames are free.
    FreeList,
    /// The page's content was copied into this frame.
    Copied,
    /// The guest wrote the page, and the processor let it.
    Written,
    /// The guest wrote the page, and the processor trapped.
    Faulted,
    /// Two pages were compared and differ.
    Differed,
}

/// A page of a domain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The domain.
    pub domain: u16,
    /// The page, by its number there.
    pub page: u64,
}

/// A record of the scanner's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordLine {
    /// Where it lies.
    pub place: usize,
    /// Of what kind it is.
    pub kind: RecordKind,
    /// The upper half of the hash.
    pub tag: u32,
    /// Of which page it tells.
    pub page: Option<Page>,
    /// And of which frame.
    pub frame: Option<u64>,
    /// Pages that share the frame, as the record has it.
    pub references: Option<u16>,
    /// The same as the frame table has it.
    pub sharers: Option<u32>,
}

/// Of what kind a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A page that was hashed.
    Hint,
    /// A frame that pages share.
    Shared,
    /// A page that its guest has named.
    Content,
}

/// What backs a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PageLine {
    /// The page.
    pub page: Page,
    /// Its frame.
    pub frame: u64,
    /// Whether each word is what the domain wrote last.
    pub is_right: bool,
}
