//! Sends the records of [`conformance::report`].

use conformance::{
    Message, Outcome, TestCase,
    report::{self, Counts, MAX_BYTES, Record},
};
use hypercall_abi::calls::console_write::Stream;
use pv_guest::console;

fn send(record: &Record<'_>) {
    let mut buffer = [0; MAX_BYTES];
    match report::encode(record, &mut buffer) {
        Some(bytes) => console::write_bytes(Stream::Report, bytes),
        None => pv_guest::println!("a record is too long to be sent: {record:?}"),
    }
}

fn name(case: &TestCase) -> Message {
    Message::new(format_args!("{}::{}", case.group, case.name))
}

/// A test begins.
pub fn started(case: &TestCase) {
    send(&Record::TestStarted { name: name(case).as_str() });
}

/// It has ended.
pub fn finished(case: &TestCase, outcome: &Outcome) {
    let name = name(case);
    let (outcome, clauses) = (outcome.into(), case.clauses);
    send(&Record::TestFinished { name: name.as_str(), outcome, clauses });
}

/// The host is to type these bytes into this domain's console.
pub fn wants_typed(bytes: &[u8]) {
    send(&Record::WantsTyped { bytes });
}

/// No test comes any more.
pub fn done(counts: Counts) {
    send(&Record::Done { counts });
}
