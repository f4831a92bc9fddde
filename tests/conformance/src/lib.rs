//! The conformance suite: tests of every call, each written once and run by whoever
//! implements [`Caller`]: on a host against pv-core's model of a machine (`tests/host`), or
//! in a guest under the booted hypervisor (`tests/guest`).
//!
//! * [`calls`] has one file a call; [`start`], [`traps`], [`frames`] and [`processor`] have the tests
//!   of rules that span calls; [`advisories`] has those of attacks that were published;
//! * a test is a function of [`Test`], which speaks for two domains or three and puts back what the
//!   test changed ([`journal`]);
//! * [`module`] is the file that the domain under test is started with;
//! * [`registry`] lists the tests, each with the clauses of the book that it checks;
//! * [`report`] is what a guest sends to the host about them.

#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::result_large_err, reason = "a test that stops may take its time")]

pub mod advisories;
pub mod caller;
pub mod calls;
pub mod entries;
pub mod frames;
pub mod journal;
pub mod module;
pub mod outcome;
pub mod processor;
pub mod registry;
pub mod report;
mod sharing;
pub mod start;
mod test;
pub mod traps;
mod undo;

pub use caller::{
    Caller, FourRegisters, Half, OWN, PEER, Pretence, Ran, Run, Side, THIRD, Touch, Trapped,
};
pub use entries::{Entries, Permit};
pub use outcome::{Check, Message, Outcome, Stop, check, equal};
pub use registry::TestCase;
pub use test::{Executed, Page, Test};
