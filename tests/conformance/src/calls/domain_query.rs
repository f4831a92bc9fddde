//! Tests of `domain_query`.

use crate::{Check, OWN, PEER, Test, check, equal, registry::tests};
use core::mem::offset_of;
use hypercall_abi::{
    DomainId, Error, Number,
    calls::{AbiQuery, DomainQuery, abi_query::Query},
    start_info::StartInfo,
};

tests! { "domain_query":
    oneself: "DOMAIN_QUERY.3 CALL.8 VERSION.4",
    calls_and_refusals: "DOMAIN_QUERY.3 CALL.10",
    every_byte: "DOMAIN_QUERY.4 XSA-122 XSA-132",
    domain_range: "DOMAIN_QUERY.1",
    another: "DOMAIN_QUERY.2 RULE.3 XSA-77",
    no_domain: "DOMAIN_QUERY.2",
}

fn oneself(t: &mut Test<'_>) -> Check {
    let own = t.domain(OWN);
    equal(t.ok(OWN, &DomainQuery { domain: own })?, 0, "value")?;
    equal(t.argument(OWN, 0), own.0.into(), "the domain, and reserved bytes")?;
    let counts = t.counts(OWN)?;
    equal(counts.domain, own, "the domain")?;
    let limit = t.start_info(OWN, offset_of!(StartInfo, max_frames));
    equal(counts.max_frames, limit, "the limit in the start information")?;
    let levels = u64::from(t.entries().root_level().number());
    check(counts.frames <= counts.max_frames, "the limit is kept")?;
    check(counts.table_frames >= levels, "the first tables are counted")?;
    check(counts.pinned_tables >= 1, "the first root is counted")?;
    check(counts.ports >= 3, "the well-known ports are counted")
}

fn calls_and_refusals(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    t.ok(OWN, &AbiQuery { query: Query::Version })?;
    t.refused_raw(OWN, u64::MAX, [0; 6], Error::UnknownCall, 0)?;
    t.refused_raw(OWN, Number::Batch as u64, [0; 6], Error::BadArgument, 0)?;
    let after = t.counts(OWN)?;
    equal(after.calls, before.calls + 4, "calls, this one included")?;
    equal(after.refusals, before.refusals + 2, "refusals")
}

fn every_byte(t: &mut Test<'_>) -> Check {
    for word in 0..16 {
        t.set_argument(OWN, word, u64::MAX);
    }
    t.ok(OWN, &DomainQuery { domain: DomainId::SELF })?;
    for word in 0..13 {
        check(t.argument(OWN, word) != u64::MAX, "a word of the structure is written")?;
    }
    for word in 13..16 {
        equal(t.argument(OWN, word), u64::MAX, "a word after the structure")?;
    }
    Ok(())
}

fn domain_range(t: &mut Test<'_>) -> Check {
    for domain in [1 << 16, 1 << 32, u64::MAX] {
        let call = DomainQuery { domain: DomainId::SELF };
        t.refused_argument(OWN, &call, 0, domain, Error::BadArgument)?;
    }
    Ok(())
}

fn another(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, peer) = (t.domain(OWN), t.domain(PEER));
    t.set_argument(OWN, 0, 0x7777);
    t.refused(OWN, &DomainQuery { domain: peer }, Error::NotPermitted)?;
    equal(t.argument(OWN, 0), 0x7777, "the argument frame")?;
    t.refused(PEER, &DomainQuery { domain: own }, Error::NotPermitted)
}

fn no_domain(t: &mut Test<'_>) -> Check {
    // Whether there is such a domain is not told either.
    for domain in [DomainId(0), DomainId::LAST, DomainId(u16::MAX)] {
        t.refused(OWN, &DomainQuery { domain }, Error::NotPermitted)?;
    }
    Ok(())
}
