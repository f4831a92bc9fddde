//! Calls that touch nothing, and the console.

use super::measure::Bench;
use hypercall_abi::calls::{
    AbiQuery, Batch, ConsoleWrite, TimerSet,
    abi_query::Query,
    batch::{BatchEntry, MAX_ENTRIES},
    console_write::Stream,
};

const NULL: AbiQuery = AbiQuery { query: Query::Version };

/// Sends the rows.
pub fn rows(bench: &mut Bench) {
    bench.row("null_hypercall", 1, |_| (), |b| b.go(&NULL));
    bench.row("invalid_hypercall", 1, |_| (), |b| b.invalid());
    let fill = |b: &mut Bench| {
        for index in 0..MAX_ENTRIES as usize {
            let entry = BatchEntry::new(&NULL);
            b.argument(8 * index, entry.number_or_status);
            b.argument(8 * index + 1, entry.args[0]);
        }
    };
    bench.row("batch_null_64", MAX_ENTRIES as u32, fill, |b| b.go(&Batch { count: MAX_ENTRIES }));
    let far = TimerSet { deadline: 1 << 62 };
    bench.row("timer_set", 1, |_| (), |b| b.go(&far));
    bench.must(&TimerSet { deadline: u64::MAX });
    let byte = ConsoleWrite { stream: Stream::Text, length: 1 };
    bench.row("console_write_1", 1, |b| b.argument(0, u64::from(b'.')), |b| b.go(&byte));
    bench.argument(0, u64::from(b'\n'));
    bench.must(&byte);
}
