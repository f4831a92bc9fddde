//! Tests of `console_write`.

use crate::{Check, OWN, Test, check, equal, registry::tests};
use hypercall_abi::{
    Error,
    calls::{
        ConsoleWrite,
        console_write::{MAX_BYTES, Stream},
    },
};

tests! { "console_write":
    text: "CONSOLE_WRITE.3",
    one_byte: "CONSOLE_WRITE.2 CONSOLE_WRITE.3",
    every_stream: "CONSOLE_WRITE.1",
    longest: "CONSOLE_WRITE.2 CONSOLE_WRITE.3",
    bad_stream: "CONSOLE_WRITE.1",
    bad_length: "CONSOLE_WRITE.2 XSA-448",
}

/// Writes text that a person who looks at the console may see.
fn write(t: &mut Test<'_>, text: &[u8]) -> Check {
    for (word, bytes) in text.chunks(8).enumerate() {
        let mut value = [0; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        t.set_argument(OWN, word, u64::from_le_bytes(value));
    }
    let call = ConsoleWrite { stream: Stream::Text, length: text.len() as u64 };
    equal(t.ok(OWN, &call)?, 0, "value")?;
    let wrote = t.caller().wrote(OWN, Stream::Text, text);
    check(wrote != Some(false), "the operator got the bytes")
}

fn text(t: &mut Test<'_>) -> Check {
    write(t, b"conformance: console_write\n")
}

fn one_byte(t: &mut Test<'_>) -> Check {
    write(t, b"\n")
}

fn every_stream(t: &mut Test<'_>) -> Check {
    // An empty record or log frame would be the host's to make sense of: only text is written
    // here, and the numbers of the other streams are taken.
    for stream in [Stream::Log, Stream::Report] {
        let call = ConsoleWrite { stream, length: 0 };
        t.refused(OWN, &call, Error::BadArgument)?;
    }
    write(t, b"conformance: streams\n")
}

fn longest(t: &mut Test<'_>) -> Check {
    let mut text = [b'.'; MAX_BYTES as usize];
    text[text.len() - 1] = b'\n';
    write(t, &text)
}

fn bad_stream(t: &mut Test<'_>) -> Check {
    for stream in [3, 1 << 32, u64::MAX] {
        let call = ConsoleWrite { stream: Stream::Text, length: 1 };
        t.refused_argument(OWN, &call, 0, stream, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_length(t: &mut Test<'_>) -> Check {
    for length in [0, MAX_BYTES + 1, 4096, 1 << 32, u64::MAX] {
        let call = ConsoleWrite { stream: Stream::Text, length };
        t.refused(OWN, &call, Error::BadArgument)?;
    }
    Ok(())
}
