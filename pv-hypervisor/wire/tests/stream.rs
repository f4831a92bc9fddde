//! Frames through a serial stream: whole, cut, damaged, among firmware text.

use proptest::prelude::*;
use pv_wire::{
    BenchRow, DomainReport, ENCODE_BYTES, EncodeError, Item, Kind, MAX_PAYLOAD, Message,
    OwnedMessage, ReportRecord, RunTotals, Source, Splitter, TraceRecord, encode, record,
};

fn frame(source: u16, kind: Kind, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = [0xaa; ENCODE_BYTES];
    encode(&Message { source: Source(source), kind, bytes }, &mut buffer).expect("fits").to_vec()
}

fn message(source: u16, kind: Kind, bytes: &[u8]) -> Item {
    Item::Message(OwnedMessage { source: Source(source), kind, bytes: bytes.to_vec() })
}

#[test]
fn frames_and_firmware_text_come_apart() {
    let mut stream = b"OpenSBI v1.1\n".to_vec();
    stream.extend(frame(0, Kind::Text, b"hello\n"));
    stream.extend(frame(2, Kind::Log, &[0, 1, 0, 255]));
    stream.extend(b"reset\n");
    stream.extend(frame(1, Kind::GuestReport, b""));
    let items = Splitter::new().feed(&stream);
    assert_eq!(
        items,
        [
            Item::Outside(b"OpenSBI v1.1\n".to_vec()),
            message(0, Kind::Text, b"hello\n"),
            message(2, Kind::Log, &[0, 1, 0, 255]),
            Item::Outside(b"reset\n".to_vec()),
            message(1, Kind::GuestReport, b""),
        ]
    );
}

#[test]
fn a_damaged_frame_costs_no_other() {
    let mut stream = frame(1, Kind::Text, b"first");
    let middle = frame(1, Kind::Text, b"second");
    stream.extend(&middle[..middle.len() - 3]);
    stream.extend(frame(1, Kind::Text, b"third"));
    let items = Splitter::new().feed(&stream);
    assert_eq!(items.first(), Some(&message(1, Kind::Text, b"first")));
    assert_eq!(items.last(), Some(&message(1, Kind::Text, b"third")));
    assert_eq!(items.len(), 3);
}

/// Clauses: CONSOLE_WRITE.4
#[test]
fn a_message_cannot_hold_another() {
    // What a domain would write to speak as the hypervisor, or as another domain.
    for source in [0, 2] {
        let mut bytes = vec![0];
        bytes.extend(frame(source, Kind::Report, b"all is well"));
        let items = Splitter::new().feed(&frame(1, Kind::Text, &bytes));
        assert_eq!(items, [message(1, Kind::Text, &bytes)]);
    }
}

#[test]
fn an_unfinished_frame_is_returned_at_the_end() {
    let mut splitter = Splitter::new();
    assert!(splitter.feed(&frame(1, Kind::Text, b"cut")[..5]).is_empty());
    assert!(matches!(splitter.finish().as_slice(), [Item::Outside(bytes)] if bytes.len() == 4));
}

#[test]
fn the_largest_message_fits_and_a_larger_one_is_refused() {
    for byte in [0, 1, 255] {
        let bytes = [byte; MAX_PAYLOAD];
        let stream = frame(u16::MAX, Kind::Text, &bytes);
        assert_eq!(Splitter::new().feed(&stream), [message(u16::MAX, Kind::Text, &bytes)]);
    }
    let mut buffer = [0; ENCODE_BYTES];
    let long = Message { source: Source(1), kind: Kind::Text, bytes: &[7; MAX_PAYLOAD + 1] };
    assert_eq!(encode(&long, &mut buffer), Err(EncodeError::TooLong));
    let short = Message { source: Source(1), kind: Kind::Text, bytes: b"ab" };
    assert_eq!(encode(&short, &mut buffer[..4]), Err(EncodeError::BufferTooShort));
    assert_eq!(encode(&short, &mut []), Err(EncodeError::BufferTooShort));
}

#[test]
fn the_largest_records_fit_one_message() {
    let mut buffer = [0; MAX_PAYLOAD];
    let mut domain = DomainReport {
        id: u16::MAX,
        name: "n".repeat(32).as_str().try_into().expect("32 bytes"),
        end: "e".repeat(160).as_str().try_into().expect("160 bytes"),
        frames_start: u64::MAX,
        frames_peak: u64::MAX,
        table_frames_peak: u64::MAX,
        unknown_calls: u64::MAX,
        traps: u64::MAX,
        ticks: u64::MAX,
        ..DomainReport::default()
    };
    domain.calls.resize(64, u64::MAX).expect("64 counts");
    domain.refusals.resize(64, u64::MAX).expect("64 counts");
    let report = ReportRecord::Domain(domain);
    let bytes = record::encode(&report, &mut buffer).expect("fits");
    assert_eq!(record::decode::<ReportRecord>(bytes), Some(report));
}

#[test]
fn records_of_another_version_or_length_are_refused() {
    let mut buffer = [0; 256];
    let row =
        BenchRow { name: "null_hypercall".try_into().expect("short"), instructions: 1, per: 1 };
    let bytes = record::encode(&row, &mut buffer).expect("fits").to_vec();
    assert_eq!(record::decode::<BenchRow>(&bytes), Some(row));
    let mut other = bytes.clone();
    other[0] += 1;
    assert_eq!(record::decode::<BenchRow>(&other), None);
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(record::decode::<BenchRow>(&longer), None);
    assert_eq!(record::decode::<BenchRow>(&bytes[..bytes.len() - 1]), None);
}

proptest! {
    #[test]
    fn whatever_is_fed_comes_out(
        stream in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..600),
        cut in 1usize..64,
    ) {
        let mut splitter = Splitter::new();
        let mut outside = 0;
        for piece in stream.chunks(cut) {
            for item in splitter.feed(piece) {
                if let Item::Outside(bytes) = item { outside += bytes.len(); }
            }
        }
        for item in splitter.finish() {
            if let Item::Outside(bytes) = item { outside += bytes.len(); }
        }
        prop_assert!(outside <= stream.len());
    }

    #[test]
    fn messages_survive_any_cutting(
        messages in prop::collection::vec(
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..700)), 1..8),
        cut in 1usize..900,
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (source, bytes) in &messages {
            stream.extend(frame(*source, Kind::Text, bytes));
            expected.push(message(*source, Kind::Text, bytes));
        }
        let mut splitter = Splitter::new();
        let mut items = Vec::new();
        for piece in stream.chunks(cut) {
            items.extend(splitter.feed(piece));
        }
        prop_assert_eq!(items, expected);
    }

    #[test]
    fn records_are_read_from_garbage_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = record::decode::<ReportRecord>(&bytes);
        let _ = record::decode::<TraceRecord>(&bytes);
        let _ = record::decode::<RunTotals>(&bytes);
    }
}
