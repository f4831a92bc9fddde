//! Tests of `spare_drop`.

use super::spare_put::{get, name, put};
use crate::{Check, OWN, PEER, Test, check, equal, registry::tests};
use hypercall_abi::calls::SpareDrop;

tests! { "spare_drop":
    dropped: "SPARE_DROP.1",
    nothing_there: "SPARE_DROP.2",
    not_the_peers: "SPARE_DROP.1",
}

fn dropped(t: &mut Test<'_>) -> Check {
    put(t, OWN, 0x300, 51)?;
    check(t.ok(OWN, &SpareDrop { name: name(0x300) })? <= 1, "the value is 0 or 1")?;
    check(!get(t, OWN, 0x300, 51)?, "what was dropped is not found")?;
    equal(t.ok(OWN, &SpareDrop { name: name(0x300) })?, 0, "pages dropped again")
}

fn nothing_there(t: &mut Test<'_>) -> Check {
    equal(t.ok(OWN, &SpareDrop { name: name(0x301) })?, 0, "pages")
}

fn not_the_peers(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    put(t, PEER, 0x302, 52)?;
    equal(t.ok(OWN, &SpareDrop { name: name(0x302) })?, 0, "pages")?;
    get(t, PEER, 0x302, 52)?;
    t.ok(PEER, &SpareDrop { name: name(0x302) }).map(drop)
}
