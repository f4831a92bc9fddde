//! How a test ends.

use core::fmt::{self, Write};
use core::panic::Location;

/// A sentence, cut where it does not fit.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message(heapless::String<240>);

impl Message {
    /// The sentence that the arguments make.
    pub fn new(arguments: fmt::Arguments<'_>) -> Message {
        let mut message = Message::default();
        // A sentence that is too long is cut, which is no error here.
        let _ = message.write_fmt(arguments);
        message
    }

    /// The sentence, with the place in the source before it.
    pub fn at(location: &Location<'_>, arguments: fmt::Arguments<'_>) -> Message {
        Message::new(format_args!("{}:{}: {arguments}", location.file(), location.line()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.0.push(character).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a test stopped before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The implementation did something else than the ABI says.
    Failure(Message),
    /// The test cannot be made here.
    Skip(&'static str),
    /// The test itself could not be carried out.
    Error(Message),
}

/// What a test, and each of its steps, comes to.
pub type Check<T = ()> = Result<T, Stop>;

/// How a test ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All its checks held.
    Success,
    /// One did not.
    Failure(Message),
    /// It cannot be made here.
    Skip(&'static str),
    /// It could not be carried out, or left something behind.
    Error(Message),
}

impl From<Check> for Outcome {
    fn from(check: Check) -> Outcome {
        match check {
            Ok(()) => Outcome::Success,
            Err(Stop::Failure(message)) => Outcome::Failure(message),
            Err(Stop::Skip(reason)) => Outcome::Skip(reason),
            Err(Stop::Error(message)) => Outcome::Error(message),
        }
    }
}

/// Fails the test unless the condition holds.
///
/// # Errors
/// [`Stop::Failure`] with `what` and the place of the check.
#[track_caller]
pub fn check(condition: bool, what: &str) -> Check {
    if condition {
        return Ok(());
    }
    Err(Stop::Failure(Message::at(Location::caller(), format_args!("not so: {what}"))))
}

/// Fails the test unless the two values are equal.
///
/// # Errors
/// [`Stop::Failure`] with `what`, both values and the place of the check.
#[track_caller]
pub fn equal<T: PartialEq + fmt::Debug>(got: T, want: T, what: &str) -> Check {
    if got == want {
        return Ok(());
    }
    let place = Location::caller();
    Err(Stop::Failure(Message::at(place, format_args!("{what}: got {got:x?}, want {want:x?}"))))
}
