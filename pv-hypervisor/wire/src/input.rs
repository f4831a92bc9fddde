//! What travels the other way: bytes that somebody types, and for whom.
//!
//! ```text
//! b              a byte that is not 0: typed for the selected domain
//! 0x00 lo hi     selects the domain of that identity, low byte first
//! 0x00 0x00 0x00 types a zero byte, as no domain has the identity 0
//! 0x00 0xfe 0xff and six bytes: a domain, low byte first, and a target in pages, likewise
//! 0x00 0xfd 0xff and six bytes: a domain, and by how many pages its target changes, signed
//! 0x00 0xff 0xff asks for the census of page tables, as no domain has that identity either
//! ```
//!
//! So a plain terminal can be used as it is, for one domain. Nothing is lost when a selection is
//! cut short: the next three bytes are one.

use crate::Source;

/// What an input byte came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A byte for the selected domain.
    Typed(u8),
    /// From here on bytes are for this domain.
    Select(Source),
    /// The hypervisor is to report its census of page tables.
    Census,
    /// A domain is to own so many pages.
    Target(Source, u32),
    /// A domain is to own so many pages more, or fewer.
    Change(Source, i32),
}

/// What stands in the place of a domain to ask for the census.
const CENSUS: u16 = u16::MAX;

/// And for a target.
const TARGET: u16 = u16::MAX - 1;

/// And for the change of one.
const CHANGE: u16 = u16::MAX - 2;

/// Takes an input line apart, byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct InputDecoder {
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum State {
    /// Outside a selection.
    #[default]
    Plain,
    /// Behind its zero.
    Begun,
    /// Behind its low byte.
    Low(u8),
    /// In the bytes of a target, of which so many have come.
    Target([u8; 6], u8),
    /// In those of a change.
    Change([u8; 6], u8),
}

impl InputDecoder {
    /// A decoder at the beginning of a line.
    pub const fn new() -> InputDecoder {
        InputDecoder { state: State::Plain }
    }

    /// Takes one byte; what it came to, if it came to something.
    pub fn feed(&mut self, byte: u8) -> Option<Input> {
        let (state, input) = match (self.state, byte) {
            (State::Plain, 0) => (State::Begun, None),
            (State::Plain, typed) => (State::Plain, Some(Input::Typed(typed))),
            (State::Begun, low) => (State::Low(low), None),
            (State::Low(0), 0) => (State::Plain, Some(Input::Typed(0))),
            (State::Low(low), high) => match u16::from_le_bytes([low, high]) {
                CENSUS => (State::Plain, Some(Input::Census)),
                TARGET => (State::Target([0; 6], 0), None),
                CHANGE => (State::Change([0; 6], 0), None),
                domain => (State::Plain, Some(Input::Select(Source(domain)))),
            },
            (State::Change(mut bytes, count), byte) => {
                bytes[usize::from(count)] = byte;
                let [low, high, pages @ ..] = bytes;
                if count < 5 {
                    (State::Change(bytes, count + 1), None)
                } else {
                    let domain = Source(u16::from_le_bytes([low, high]));
                    (State::Plain, Some(Input::Change(domain, i32::from_le_bytes(pages))))
                }
            }
            (State::Target(mut bytes, count), byte) => {
                bytes[usize::from(count)] = byte;
                let [low, high, pages @ ..] = bytes;
                if count < 5 {
                    (State::Target(bytes, count + 1), None)
                } else {
                    let domain = Source(u16::from_le_bytes([low, high]));
                    (State::Plain, Some(Input::Target(domain, u32::from_le_bytes(pages))))
                }
            }
        };
        self.state = state;
        input
    }
}

/// The bytes that select a domain.
pub const fn select(domain: Source) -> [u8; 3] {
    let [low, high] = domain.0.to_le_bytes();
    [0, low, high]
}

/// The bytes that ask for the census of page tables.
pub const fn census() -> [u8; 3] {
    select(Source(CENSUS))
}

/// The bytes that set a domain's target, in pages.
pub fn target(domain: Source, pages: u32) -> impl Iterator<Item = u8> {
    let domain = domain.0.to_le_bytes();
    select(Source(TARGET)).into_iter().chain(domain).chain(pages.to_le_bytes())
}

/// The bytes that change a domain's target by so many pages.
pub fn change(domain: Source, pages: i32) -> impl Iterator<Item = u8> {
    let domain = domain.0.to_le_bytes();
    select(Source(CHANGE)).into_iter().chain(domain).chain(pages.to_le_bytes())
}

/// The bytes that type a byte.
pub fn typed(byte: u8) -> impl Iterator<Item = u8> {
    let bytes = [byte, 0, 0];
    bytes.into_iter().take(if byte == 0 { 3 } else { 1 })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn decode(bytes: &[u8]) -> Vec<Input> {
        let mut decoder = InputDecoder::new();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    }

    #[test]
    fn what_is_sent_arrives() {
        let mut line: Vec<u8> = b"ls".to_vec();
        line.extend(select(Source(2)));
        line.extend((0..=255).flat_map(typed));
        line.extend(select(Source(0x0201)));
        line.extend(census());
        line.extend(target(Source(0x0102), 0x0a00_0b0c));
        line.extend(change(Source(3), -2048));
        line.push(b'\r');
        let mut expected = std::vec![Input::Typed(b'l'), Input::Typed(b's')];
        expected.push(Input::Select(Source(2)));
        expected.extend((0..=255).map(Input::Typed));
        expected.push(Input::Select(Source(0x0201)));
        expected.push(Input::Census);
        expected.push(Input::Target(Source(0x0102), 0x0a00_0b0c));
        expected.push(Input::Change(Source(3), -2048));
        expected.push(Input::Typed(b'\r'));
        assert_eq!(decode(&line), expected);
    }

    #[test]
    fn any_bytes_are_taken() {
        for high in 0..=255 {
            for low in 0..=255 {
                let select = Input::Select(Source(u16::from_le_bytes([low, high])));
                let one = match (low, high) {
                    (0, 0) => Input::Typed(0),
                    (0xff, 0xff) => Input::Census,
                    // It takes six bytes more.
                    (0xfd | 0xfe, 0xff) => continue,
                    _ => select,
                };
                assert_eq!(decode(&[0, low, high, 7]), [one, Input::Typed(7)]);
            }
        }
    }
}
