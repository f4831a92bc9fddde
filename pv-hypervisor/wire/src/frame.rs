//! One message as a frame: encoding into the image's buffer, decoding of one frame's body.

use serde::{Deserialize, Serialize, Serializer};

/// First byte of every frame's content.
pub const VERSION: u8 = 1;

/// Bytes that one message carries at most. Text and logs are cut into pieces of this size
/// or smaller; every record of this crate is below it.
pub const MAX_PAYLOAD: usize = 2048;

/// Bytes of what a frame holds: the payload, and at most 8 bytes of header (version, source,
/// kind, length).
const CONTENT_BYTES: usize = MAX_PAYLOAD + 8;

/// Bytes of a frame at most: its content, one byte of COBS for each 254, and the zeros at both
/// ends.
pub const FRAME_BYTES: usize = cobs_bytes(CONTENT_BYTES) + 2;

/// Bytes of the buffer that [`encode`] works in, for any message.
pub const ENCODE_BYTES: usize = CONTENT_BYTES + FRAME_BYTES;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(pub u16);

impl Source {
    /// The hypervisor itself; every other number is a domain's identity.
    pub const HYPERVISOR: Source = Source(0);
}

/// What the bytes of a message are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// Console text, UTF-8 as a rule.
    Text,
    /// One frame of a defmt log, `encoding-raw`.
    Log,
    /// One [`TraceRecord`](crate::TraceRecord).
    Trace,
    /// One [`ReportRecord`](crate::ReportRecord), from the hypervisor alone.
    Report,
    /// Bytes of a guest's report stream, in a format of its own.
    GuestReport,
}

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Message<'a> {
    /// Who speaks.
    pub source: Source,
    /// What the bytes are.
    pub kind: Kind,
    /// The bytes, at most [`MAX_PAYLOAD`].
    #[serde(serialize_with = "as_bytes")]
    pub bytes: &'a [u8],
}

/// The same encoding as that of a sequence of numbers, but copied at once.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Why a message was not encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// The message carries more than [`MAX_PAYLOAD`] bytes: cut it into pieces.
    TooLong,
    /// The buffer is too short: [`ENCODE_BYTES`] are enough for any message.
    BufferTooShort,
}

impl core::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            EncodeError::TooLong => {
                write!(f, "a message carries at most {MAX_PAYLOAD} bytes: cut it into pieces")
            }
            EncodeError::BufferTooShort => {
                write!(f, "the buffer is too short for the frame: {ENCODE_BYTES} bytes do for any")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// Writes `message` into `buffer` as a frame and returns the part of the buffer to send.
///
/// # Errors
/// [`EncodeError`]; nothing of the buffer is then worth sending.
pub fn encode<'b>(message: &Message<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    if message.bytes.len() > MAX_PAYLOAD {
        return Err(EncodeError::TooLong);
    }
    let (content, frame) =
        buffer.split_at_mut_checked(CONTENT_BYTES).ok_or(EncodeError::BufferTooShort)?;
    let content = postcard::to_slice(&(VERSION, message), content)
        .map_err(|_| EncodeError::BufferTooShort)?;
    if frame.len() < cobs_bytes(content.len()) + 2 {
        return Err(EncodeError::BufferTooShort);
    }
    frame[0] = 0;
    let end = 1 + cobs(content, &mut frame[1..]);
    frame[end] = 0;
    Ok(&frame[..=end])
}

/// Bytes that COBS makes of `length` bytes at most.
const fn cobs_bytes(length: usize) -> usize {
    length + length / 254 + 1
}

/// Encodes bytes by consistent overhead byte stuffing (Cheshire and Baker 1999) and returns how
/// many it wrote. The crates `cobs` and `corncobs` take two to six times as many instructions
/// for a byte, in what interrupts wait for: [`decode`] uses the first of them.
fn cobs(content: &[u8], frame: &mut [u8]) -> usize {
    // Where the code of the current run goes, where the next byte, and the code so far. They
    // cannot overflow; the compiler does not know.
    let (mut code, mut next, mut run) = (0, 1_usize, 1_u8);
    for byte in content {
        if *byte != 0 {
            frame[next] = *byte;
            next = next.wrapping_add(1);
            run = run.wrapping_add(1);
            if run != 0xff {
                continue;
            }
        }
        frame[code] = run;
        code = next;
        next = next.wrapping_add(1);
        run = 1;
    }
    frame[code] = run;
    next
}

/// Decodes the body of a frame, what lies between its zeros, in place. `None`: it is not
/// a frame of this version.
pub fn decode(body: &mut [u8]) -> Option<Message<'_>> {
    let (version, message): (u8, Message<'_>) = postcard::from_bytes_cobs(body).ok()?;
    (version == VERSION && message.bytes.len() <= MAX_PAYLOAD).then_some(message)
}
