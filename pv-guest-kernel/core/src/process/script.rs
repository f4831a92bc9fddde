//! The first line of a script, `#!`: who interprets it.

use crate::fs::Errno;

/// What the first line of a script says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script<'a> {
    /// The interpreter.
    pub path: &'a [u8],
    /// One argument for it: the rest of the line.
    pub argument: Option<&'a [u8]>,
}

/// Who interprets a script, by its first bytes, `#!` included.
///
/// # Errors
/// `ENOEXEC`: nobody is named, or the name does not end in these bytes.
pub fn interpreter(head: &[u8]) -> Result<Script<'_>, Errno> {
    let line = head.get(2..).ok_or(Errno::ENOEXEC)?;
    let (line, whole) = match line.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&line[..end], true),
        None => (line, false),
    };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.trim_ascii();
    let end = line.iter().position(blank);
    let path = &line[..end.unwrap_or(line.len())];
    if path.is_empty() || path.contains(&0) || (!whole && end.is_none()) {
        return Err(Errno::ENOEXEC);
    }
    let argument = line[path.len()..].trim_ascii();
    let argument = argument.split(|byte| *byte == 0).next().filter(|text| !text.is_empty());
    Ok(Script { path, argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_line_is_one_argument() {
        let script = interpreter(b"#! /bin/sh  -e x \nrest").unwrap();
        assert_eq!(script, Script { path: b"/bin/sh", argument: Some(b"-e x") });
        let script = interpreter(b"#!/bin/sh\n").unwrap();
        assert_eq!(script, Script { path: b"/bin/sh", argument: None });
    }

    #[test]
    fn lines_that_name_nobody_are_refused() {
        for head in [&b"#!\n"[..], b"#!  \t\nx", b"#!", b"#!/bin/cut-off", b"#!/bin/\0sh\n"] {
            assert_eq!(interpreter(head), Err(Errno::ENOEXEC), "{head:?}");
        }
    }
}
