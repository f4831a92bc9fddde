//! A serial stream taken apart on the host, as its bytes come in.

use crate::{FRAME_BYTES, Kind, Source, decode};
use alloc::vec::Vec;

/// A message that owns its bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OwnedMessage {
    /// Who speaks.
    pub source: Source,
    /// What the bytes are.
    pub kind: Kind,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What the stream holds next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Item {
    /// A message in its frame.
    Message(OwnedMessage),
    /// Bytes outside frames: what firmware printed, or a frame that was damaged.
    Outside(Vec<u8>),
}

/// The splitter. Whatever it is fed, it returns every byte as part of a message or as
/// outside, never fails, and finds the next whole frame after any damage.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// Bytes after an opening zero; `None` outside.
    body: Option<Vec<u8>>,
    outside: Vec<u8>,
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub fn new() -> Splitter {
        Splitter::default()
    }

    /// Takes the next bytes of the stream in; returns what they complete. Text outside
    /// frames is returned at once, as far as it has come.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        for &byte in bytes {
            match (&mut self.body, byte) {
                (None, 0) => self.body = Some(Vec::new()),
                (None, _) => self.outside.push(byte),
                (Some(body), 0) if body.is_empty() => {}
                (Some(_), 0) => self.close(&mut items),
                (Some(body), _) => {
                    body.push(byte);
                    if body.len() > FRAME_BYTES {
                        self.outside.append(body);
                        self.body = None;
                    }
                }
            }
        }
        self.flush_outside(&mut items);
        items
    }

    /// The end of the stream: what is left of it, an unfinished frame included.
    pub fn finish(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        if let Some(mut body) = self.body.take() {
            self.outside.append(&mut body);
        }
        self.flush_outside(&mut items);
        items
    }

    /// A zero after a body: a frame's end, or else perhaps the start of the next.
    fn close(&mut self, items: &mut Vec<Item>) {
        let body = self.body.take().unwrap_or_default();
        let mut copy = body.clone();
        if let Some(message) = decode(&mut copy) {
            let message = OwnedMessage {
                source: message.source,
                kind: message.kind,
                bytes: message.bytes.to_vec(),
            };
            self.flush_outside(items);
            items.push(Item::Message(message));
        } else {
            self.outside.extend(body);
            self.body = Some(Vec::new());
        }
    }

    fn flush_outside(&mut self, items: &mut Vec<Item>) {
        if !self.outside.is_empty() {
            items.push(Item::Outside(core::mem::take(&mut self.outside)));
        }
    }
}
