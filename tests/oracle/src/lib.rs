//! An oracle for the calls, and the machine on which the core is compared with it.
//!
//! [`Oracle`] states anew, from the book alone, what each call answers and how what a guest or
//! its operator can see changes. It is made to be seen correct: sets and maps, and every count
//! is found by looking at all that could count. It knows one step at a time: a call is over
//! before the next begins. What happens between two steps of a long call is the business of
//! the core's own sequences and of the model checker.
//!
//! [`World`] plays [`Step`]s on the core and on the oracle, and compares the two after each.
//! A step is sixteen bytes, so that property tests and fuzzers use one language, and any bytes
//! mean something. [`Mismatch`] tells the whole sequence as calls that one can read.

#![forbid(unsafe_code)]

mod compare;
mod mismatch;
mod oracle;
mod places;
mod setup;
mod step;
mod world;

pub use mismatch::Mismatch;
pub use oracle::{Entry, Layout, Oracle};
pub use step::{STEP_BYTES, Step};
pub use world::World;
