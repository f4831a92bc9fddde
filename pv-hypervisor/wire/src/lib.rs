//! What travels over the serial line of a Paravane machine, from the image to `cargo xtask`, and
//! what is typed the other way ([`input`]).
//!
//! After boot every byte from the hypervisor is part of a frame:
//!
//! ```text
//! 0x00  COBS( version byte, postcard(Message) )  0x00
//! ```
//!
//! A frame begins with a zero of its own, so that it never merges with what firmware wrote
//! before it; bytes outside frames are firmware text. Frames are written whole: the image
//! fills a buffer with [`encode`] and sends that.
//!
//! [`Message`] says who speaks ([`Source`]) and what the bytes are ([`Kind`]). The bytes of
//! traces and reports are [`record`]s: a version byte and postcard again. The version byte
//! is what may change when a type here changes; both ends are built from the same tree.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod bench;
mod frame;
pub mod input;
pub mod record;
mod report;
#[cfg(feature = "alloc")]
mod splitter;
mod trace;

pub use bench::BenchRow;
pub use frame::{
    ENCODE_BYTES, EncodeError, FRAME_BYTES, Kind, MAX_PAYLOAD, Message, Source, VERSION, decode,
    encode,
};
pub use input::{Input, InputDecoder};
#[cfg(feature = "alloc")]
pub use report::RunReport;
pub use report::{
    Away, Census, Counts, DomainReport, EndText, MemorySample, Name, Owners, ReportRecord,
    RunTotals, Sharing, SharingSample, Spare, Stretch,
};
#[cfg(feature = "alloc")]
pub use splitter::{Item, OwnedMessage, Splitter};
pub use trace::TraceRecord;
