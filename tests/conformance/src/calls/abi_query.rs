//! Tests of `abi_query`, and of calls that there are not.

use crate::{Check, OWN, Test, check, equal, registry::tests};
use core::mem::offset_of;
use hypercall_abi::{
    AbiVersion, Error, Features, Number,
    calls::{AbiQuery, abi_query::Query},
    start_info::{PageTableFormat, StartInfo},
};

tests! { "abi_query":
    version: "ABI_QUERY.2 VERSION.1",
    features: "ABI_QUERY.3 VERSION.5 XSA-268",
    page_table_format: "ABI_QUERY.4",
    call_count: "ABI_QUERY.5 XSA-268",
    unknown_query: "ABI_QUERY.1 ERROR.3",
    unknown_calls: "ERROR.1 ERROR.3 CALL.2 RULE.1",
    other_arguments_are_ignored: "ABI_QUERY.2 CALL.3 XSA-111 XSA-506",
    nothing_changes: "ABI_QUERY.6",
}

fn version(t: &mut Test<'_>) -> Check {
    let value = t.ok(OWN, &AbiQuery { query: Query::Version })?;
    check(AbiVersion::from_value(value).accepts(AbiVersion::CURRENT), "the version is compatible")?;
    equal(value >> 32, 0, "higher bits")?;
    let told = t.start_info(OWN, offset_of!(StartInfo, version)) as u32;
    let told = u64::from(told & 0xffff) << 16 | u64::from(told >> 16);
    equal(value, told, "the version in the start information")
}

fn features(t: &mut Test<'_>) -> Check {
    let value = t.ok(OWN, &AbiQuery { query: Query::Features })?;
    equal(value & !Features::KNOWN.bits(), 0, "features that the interface does not name")?;
    let told = t.start_info(OWN, offset_of!(StartInfo, features));
    equal(value, told, "the features in the start information")
}

fn page_table_format(t: &mut Test<'_>) -> Check {
    let value = t.ok(OWN, &AbiQuery { query: Query::PageTableFormat })?;
    check(PageTableFormat::new(value).is_some(), "the format has a name")?;
    let told = t.start_info(OWN, offset_of!(StartInfo, page_table_format));
    equal(value, told, "the format in the start information")
}

fn call_count(t: &mut Test<'_>) -> Check {
    let count = t.ok(OWN, &AbiQuery { query: Query::CallCount })?;
    check(count >= Number::COUNT as u64, "every call of this version is there")?;
    t.refused_raw(OWN, count, [0; 6], Error::UnknownCall, 0)
}

fn unknown_query(t: &mut Test<'_>) -> Check {
    for query in [4, 1 << 32, u64::MAX] {
        let call = AbiQuery { query: Query::Version };
        t.refused_argument(OWN, &call, 0, query, Error::BadArgument)?;
    }
    Ok(())
}

fn unknown_calls(t: &mut Test<'_>) -> Check {
    // A number is all 64 bits of its register.
    for number in [Number::COUNT as u64, 64, 255, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        t.refused_raw(OWN, number, [0; 6], Error::UnknownCall, 0)?;
        t.refused_raw(OWN, number, [u64::MAX; 6], Error::UnknownCall, 0)?;
    }
    Ok(())
}

fn other_arguments_are_ignored(t: &mut Test<'_>) -> Check {
    let plain = t.ok(OWN, &AbiQuery { query: Query::Version })?;
    let args = [0, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX];
    let (status, value) = t.raw(OWN, Number::AbiQuery as u64, args);
    equal((status.0, value), (0, plain), "status and value")
}

fn nothing_changes(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    t.ok(OWN, &AbiQuery { query: Query::Version })?;
    let after = t.counts(OWN)?;
    equal(after.calls, before.calls + 2, "calls: the question and the count itself")?;
    let same = hypercall_abi::domain_info::DomainInfo { calls: before.calls, ..after };
    // Time passes, and with it a timer may trap.
    equal(same.frames, before.frames, "frames")?;
    equal(same.refusals, before.refusals, "refusals")
}
