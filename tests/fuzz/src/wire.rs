//! The stream from the machine, and the records in its messages: nothing that a machine sends
//! stops the reader, and it does not matter in which pieces the stream comes.

use crate::{Found, ensure};
use pv_wire::{
    BenchRow, ENCODE_BYTES, Item, Kind, MAX_PAYLOAD, Message, OwnedMessage, ReportRecord, Source,
    Splitter, TraceRecord, encode, record,
};

pub(crate) fn run(bytes: &[u8]) -> Found {
    let whole = messages(bytes, bytes.len().max(1));
    for piece in [1, 7] {
        ensure(messages(bytes, piece) == whole, || format!("pieces of {piece} bytes differ"))?;
    }
    for message in &whole {
        again(message)?;
        let _ = record::decode::<ReportRecord>(&message.bytes);
        let _ = record::decode::<TraceRecord>(&message.bytes);
        let _ = record::decode::<BenchRow>(&message.bytes);
    }
    let _ = record::decode::<ReportRecord>(bytes);
    // Any bytes can be sent.
    let bytes = bytes[..bytes.len().min(MAX_PAYLOAD)].to_vec();
    again(&OwnedMessage { source: Source(bytes.len() as u16), kind: Kind::Text, bytes })
}

fn messages(bytes: &[u8], piece: usize) -> Vec<OwnedMessage> {
    let mut splitter = Splitter::new();
    let mut items: Vec<Item> = bytes.chunks(piece).flat_map(|piece| splitter.feed(piece)).collect();
    items.extend(splitter.finish());
    let message = |item| match item {
        Item::Message(message) => Some(message),
        Item::Outside(_) => None,
    };
    items.into_iter().filter_map(message).collect()
}

/// A message that was read is written as a frame that is read as the same.
fn again(message: &OwnedMessage) -> Found {
    let (source, kind) = (message.source, message.kind);
    let mut buffer = [0; ENCODE_BYTES];
    let frame = encode(&Message { source, kind, bytes: &message.bytes }, &mut buffer)
        .map_err(|error| error.to_string())?;
    let read = messages(frame, frame.len());
    ensure(read == [message.clone()], || format!("{message:?} is read again as {read:?}"))
}
