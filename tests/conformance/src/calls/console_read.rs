//! Tests of `console_read`.

use crate::{Check, OWN, Stop, Test, check, equal, registry::tests};
use hypercall_abi::{Error, Port, calls::ConsoleRead};

tests! { "console_read":
    nothing_waits: "CONSOLE_READ.2 CONSOLE_READ.3",
    bytes: "CONSOLE_READ.2 CONSOLE_READ.3 CONSOLE_READ.4",
    in_parts: "CONSOLE_READ.2",
    bad_capacity: "CONSOLE_READ.1",
}

/// Reads away what came before the test.
fn drain(t: &mut Test<'_>) -> Check {
    while t.ok(OWN, &ConsoleRead { capacity: 4096 })? != 0 {}
    Ok(())
}

fn type_in(t: &mut Test<'_>, bytes: &[u8]) -> Check {
    drain(t)?;
    if t.caller().type_in(OWN, bytes) { Ok(()) } else { Err(Stop::Skip("nobody types here")) }
}

fn nothing_waits(t: &mut Test<'_>) -> Check {
    drain(t)?;
    t.set_argument(OWN, 0, 0x7777);
    for capacity in [1, 4096] {
        equal(t.ok(OWN, &ConsoleRead { capacity })?, 0, "bytes")?;
    }
    equal(t.argument(OWN, 0), 0x7777, "the argument frame")
}

fn bytes(t: &mut Test<'_>) -> Check {
    type_in(t, b"hello")?;
    check(t.is_pending(OWN, Port::CONSOLE), "port 2 is pending")?;
    t.set_argument(OWN, 0, u64::MAX);
    equal(t.ok(OWN, &ConsoleRead { capacity: 4096 })?, 5, "bytes")?;
    let want = u64::from_le_bytes([b'h', b'e', b'l', b'l', b'o', 0xff, 0xff, 0xff]);
    equal(t.argument(OWN, 0), want, "the bytes, and those after them")?;
    equal(t.ok(OWN, &ConsoleRead { capacity: 4096 })?, 0, "bytes after them")
}

fn in_parts(t: &mut Test<'_>) -> Check {
    type_in(t, b"abc")?;
    for byte in *b"abc" {
        equal(t.ok(OWN, &ConsoleRead { capacity: 1 })?, 1, "bytes")?;
        equal(t.argument(OWN, 0) & 0xff, byte.into(), "the oldest byte")?;
    }
    equal(t.ok(OWN, &ConsoleRead { capacity: 1 })?, 0, "bytes")
}

fn bad_capacity(t: &mut Test<'_>) -> Check {
    for capacity in [0, 4097, 1 << 32, u64::MAX] {
        t.refused(OWN, &ConsoleRead { capacity }, Error::BadArgument)?;
    }
    Ok(())
}
