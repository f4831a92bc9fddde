//! Records inside messages: a version byte, then postcard.

use crate::VERSION;
use serde::{Deserialize, Serialize};

/// Writes `record` into `buffer` and returns the part that holds it. `None`: the buffer is
/// too short; [`MAX_PAYLOAD`](crate::MAX_PAYLOAD) bytes hold every record of this crate.
pub fn encode<'b, T: Serialize>(record: &T, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    postcard::to_slice(&(VERSION, record), buffer).ok().map(|bytes| &*bytes)
}

/// Reads a record that takes up all of `bytes`. `None`: it is of another version, cut short,
/// or something else.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let ((version, record), rest) = postcard::take_from_bytes::<(u8, T)>(bytes).ok()?;
    (version == VERSION && rest.is_empty()).then_some(record)
}
