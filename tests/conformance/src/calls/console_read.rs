//! Tests of `console_read`.

use crate::{Check, OWN, Stop, Test, check, equal, registry::tests};
use hypercall_abi::{
    Error, Port,
    calls::{ConsoleRead, SchedYield},
};

tests! { "console_read":
    nothing_waits: "CONSOLE_READ.2 CONSOLE_READ.3",
    bytes: "CONSOLE_READ.2 CONSOLE_READ.3 CONSOLE_READ.4",
    in_parts: "CONSOLE_READ.2",
    bad_capacity: "CONSOLE_READ.1",
}

/// Turns that the test waits for what is being typed.
const PATIENCE: u32 = 1_000_000;

/// Reads away what came before the test.
fn drain(t: &mut Test<'_>) -> Check {
    while t.ok(OWN, &ConsoleRead { capacity: 4096 })? != 0 {}
    Ok(())
}

/// Types bytes; how many of them wait by now.
fn type_in(t: &mut Test<'_>, bytes: &[u8]) -> Check<usize> {
    drain(t)?;
    let waiting = t.caller().type_in(bytes).ok_or(Stop::Skip("nobody types here"))?;
    check(waiting > 0 && t.is_pending(OWN, Port::CONSOLE), "bytes wait, and port 2 is pending")?;
    Ok(waiting)
}

/// One call: the bytes that it moved, of eight at most. Those behind them stay as they were.
fn read(t: &mut Test<'_>, capacity: u64) -> Check<heapless::Vec<u8, 8>> {
    t.set_argument(OWN, 0, u64::MAX);
    let count = t.ok(OWN, &ConsoleRead { capacity })?;
    check(count <= capacity.min(8), "no more bytes than were asked for and typed")?;
    let word = t.argument(OWN, 0);
    equal(
        word.checked_shr(8 * count as u32).unwrap_or(0),
        u64::MAX >> (8 * count).min(63),
        "bytes behind",
    )?;
    Ok(word.to_le_bytes().into_iter().take(count as usize).collect())
}

/// Reads until `want` has come, as fast as it is typed.
fn read_all(t: &mut Test<'_>, capacity: u64, want: &[u8]) -> Check {
    let mut got = heapless::Vec::<u8, 16>::new();
    for _ in 0..PATIENCE {
        for byte in read(t, capacity)? {
            check(got.push(byte).is_ok(), "no more bytes than were typed")?;
        }
        if got.len() >= want.len() {
            break;
        }
        t.ok(OWN, &SchedYield)?;
    }
    check(got == want, "the bytes that were typed, oldest first")?;
    check(read(t, 4096)?.is_empty(), "nothing waits after them")
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
    let waiting = type_in(t, b"hello")?;
    let first = read(t, 4096)?;
    check(first.len() >= waiting, "as many as wait")?;
    check(b"hello".starts_with(&first), "the oldest bytes")?;
    read_all(t, 4096, &b"hello"[first.len()..])
}

fn in_parts(t: &mut Test<'_>) -> Check {
    type_in(t, b"abc")?;
    read_all(t, 1, b"abc")
}

fn bad_capacity(t: &mut Test<'_>) -> Check {
    for capacity in [0, 4097, 1 << 32, u64::MAX] {
        t.refused(OWN, &ConsoleRead { capacity }, Error::BadArgument)?;
    }
    Ok(())
}
