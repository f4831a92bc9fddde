//! Tests of `batch`.

use crate::{Check, OWN, Test, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    AbiVersion, Error, Number, Status,
    addr::Level,
    calls::{
        AbiQuery, Args, BalloonDeflate, BalloonInflate, BalloonReport, Batch, Call, ConsoleRead,
        ConsoleWrite, DomainQuery, EventMask, PtCreate, PtUnpin, PteUpdate, SchedBlock, SchedYield,
        Shutdown, TrapReturn,
        abi_query::Query,
        batch::{BatchEntry, MAX_ENTRIES},
        console_write::Stream,
        pte_update::{Target, Update},
        shutdown::ShutdownReason,
    },
};

tests! { "batch":
    several: "BATCH.3 BATCH.4",
    largest: "BATCH.1",
    goes_on_after_a_refusal: "BATCH.4 BATCH.5",
    entries_see_each_other: "BATCH.3 CVE-2026-102703",
    rest_of_the_entry_stays: "BATCH.4",
    bad_count: "BATCH.1 XSA-31 XSA-448",
    not_in_batch: "BATCH.2 XSA-213",
    unknown_calls: "BATCH.3",
    counts: "BATCH.3 DOMAIN_QUERY.3",
}

const VERSION: AbiQuery = AbiQuery { query: Query::Version };

fn put(t: &mut Test<'_>, index: usize, entry: BatchEntry) {
    t.set_argument(OWN, 8 * index, entry.number_or_status);
    for (word, value) in entry.args.into_iter().enumerate() {
        t.set_argument(OWN, 8 * index + 1 + word, value);
    }
    t.set_argument(OWN, 8 * index + 7, entry.reserved);
}

/// Status and value of an entry.
fn result(t: &mut Test<'_>, index: usize) -> (Status, u64) {
    (Status(t.argument(OWN, 8 * index)), t.argument(OWN, 8 * index + 1))
}

fn make(t: &mut Test<'_>, count: u64) -> Check {
    equal(t.ok(OWN, &Batch { count })?, count, "entries made")
}

fn several(t: &mut Test<'_>) -> Check {
    for index in 0..4 {
        put(t, index, BatchEntry::new(&VERSION));
    }
    put(t, 4, BatchEntry::new(&VERSION));
    make(t, 4)?;
    for index in 0..4 {
        let want = (Status::SUCCESS, AbiVersion::CURRENT.to_value());
        let got = result(t, index);
        equal(got.0, want.0, "status of an entry")?;
        equal(got.1 >> 16, want.1 >> 16, "the major version")?;
    }
    let untouched = VERSION.encode()[0];
    let got = result(t, 4);
    equal(got, (Status(Number::AbiQuery as u64), untouched), "the entry after them")
}

fn largest(t: &mut Test<'_>) -> Check {
    for index in 0..MAX_ENTRIES as usize {
        put(t, index, BatchEntry::new(&AbiQuery { query: Query::CallCount }));
    }
    make(t, MAX_ENTRIES)?;
    let last = result(t, MAX_ENTRIES as usize - 1);
    equal(last.0, Status::SUCCESS, "status of the last entry")
}

fn goes_on_after_a_refusal(t: &mut Test<'_>) -> Check {
    put(t, 0, BatchEntry::new(&EventMask { port: hypercall_abi::Port(0), masked: true }));
    put(t, 1, BatchEntry::new(&VERSION));
    make(t, 2)?;
    let got = result(t, 0);
    equal(got, (Status::from(Err(Error::NoPort)), 0), "the entry that is refused")?;
    equal(result(t, 1).0, Status::SUCCESS, "the entry after it")
}

fn entries_see_each_other(t: &mut Test<'_>) -> Check {
    let page = t.table_page(OWN)?;
    let target = t.page(OWN)?;
    let leaf = super::read_only(t, target);
    t.note(OWN, Undo::Unpin(page.frame))?;
    let entry = Target::Entry { table: page.frame, index: 3 };
    put(t, 0, BatchEntry::new(&PtUnpin { frame: page.frame }));
    put(t, 1, BatchEntry::new(&PtCreate { frame: page.frame, level: Level::L1 }));
    put(t, 2, BatchEntry::new(&PteUpdate::One(Update::new(entry, leaf))));
    put(t, 3, BatchEntry::new(&PtUnpin { frame: page.frame }));
    make(t, 4)?;
    equal(result(t, 0), (Status::from(Err(Error::NotTable)), 0), "before it is a table")?;
    equal(result(t, 1), (Status::SUCCESS, 0), "it becomes one")?;
    equal(result(t, 2), (Status::SUCCESS, 1), "an entry of it is written")?;
    equal(result(t, 3), (Status::SUCCESS, 0), "it goes again")?;
    equal(t.read(OWN, page, 3), leaf, "the entry")
}

fn rest_of_the_entry_stays(t: &mut Test<'_>) -> Check {
    let args = [0, 11, 12, 13, 14, 15];
    put(t, 0, BatchEntry { number_or_status: 0, args, reserved: 0 });
    make(t, 1)?;
    for word in 2..7 {
        equal(t.argument(OWN, word), 9 + word as u64, "an argument")?;
    }
    equal(t.argument(OWN, 7), 0, "the reserved word")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, MAX_ENTRIES + 1, 1 << 32, u64::MAX] {
        t.refused(OWN, &Batch { count }, Error::BadArgument)?;
    }
    Ok(())
}

fn forbidden<C: Call>(call: &C) -> (u64, Args) {
    (C::NUMBER as u64, call.encode())
}

fn not_in_batch(t: &mut Test<'_>) -> Check {
    let shutdown = Shutdown { reason: ShutdownReason::PowerOff };
    let calls = [
        forbidden(&Batch { count: 1 }),
        forbidden(&PteUpdate::Many(1)),
        forbidden(&BalloonInflate::frames(1)),
        forbidden(&BalloonDeflate::frames(1)),
        forbidden(&BalloonReport::Statistics),
        forbidden(&ConsoleWrite { stream: Stream::Text, length: 1 }),
        forbidden(&ConsoleRead { capacity: 1 }),
        forbidden(&DomainQuery { domain: hypercall_abi::DomainId::SELF }),
        forbidden(&TrapReturn { count: 0 }),
        forbidden(&SchedYield),
        forbidden(&SchedBlock),
        forbidden(&shutdown),
    ];
    for (index, (number_or_status, args)) in calls.into_iter().enumerate() {
        put(t, index, BatchEntry { number_or_status, args, reserved: 0 });
    }
    make(t, calls.len() as u64)?;
    for index in 0..calls.len() {
        let got = result(t, index);
        equal(got, (Status::from(Err(Error::NotInBatch)), 0), "an entry")?;
    }
    Ok(())
}

fn unknown_calls(t: &mut Test<'_>) -> Check {
    for (index, number) in [Number::COUNT as u64, u64::MAX].into_iter().enumerate() {
        let entry = BatchEntry { number_or_status: number, args: [0; 6], reserved: 0 };
        put(t, index, entry);
    }
    make(t, 2)?;
    for index in 0..2 {
        let got = result(t, index);
        equal(got, (Status::from(Err(Error::UnknownCall)), 0), "an entry")?;
    }
    Ok(())
}

fn counts(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    put(t, 0, BatchEntry::new(&VERSION));
    put(t, 1, BatchEntry { number_or_status: u64::MAX, args: [0; 6], reserved: 0 });
    make(t, 2)?;
    let after = t.counts(OWN)?;
    equal(after.calls, before.calls + 4, "calls: two entries, the batch, and this count")?;
    equal(after.refusals, before.refusals + 1, "refusals")
}
