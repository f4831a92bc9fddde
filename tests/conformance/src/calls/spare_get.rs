//! Tests of `spare_get`.

use super::spare_put::{clear, fill, get, holds, name, put};
use crate::{Check, OWN, PEER, Test, equal, registry::tests};
use hypercall_abi::{Error, Mfn, calls::SpareGet};

tests! { "spare_get":
    nothing_there: "SPARE_GET.5",
    again: "SPARE_GET.4",
    no_memory: "SPARE_GET.1",
    not_owned: "SPARE_GET.2",
    not_writable: "SPARE_GET.3",
}

fn nothing_there(t: &mut Test<'_>) -> Check {
    equal(get(t, OWN, 0x200, 0)?, false, "whether a page is found that was never put")
}

fn again(t: &mut Test<'_>) -> Check {
    put(t, OWN, 0x201, 31)?;
    for _ in 0..3 {
        get(t, OWN, 0x201, 31)?;
    }
    clear(t, OWN, &[0x201])
}

fn no_memory(t: &mut Test<'_>) -> Check {
    for frame in [u64::MAX, 1 << 52, Mfn::MAX.0] {
        t.refused(OWN, &SpareGet { frame: Mfn(frame), name: name(0x202) }, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owned(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    put(t, OWN, 0x203, 33)?;
    let page = t.page(PEER)?;
    fill(t, PEER, page, 44);
    t.refused(OWN, &SpareGet { frame: page.frame, name: name(0x203) }, Error::NotOwner)?;
    holds(t, PEER, page, 44)?;
    clear(t, OWN, &[0x203])
}

fn not_writable(t: &mut Test<'_>) -> Check {
    put(t, OWN, 0x204, 34)?;
    let page = t.page(OWN)?;
    fill(t, OWN, page, 45);
    t.protect(OWN, page)?;
    let get = |frame| SpareGet { frame, name: name(0x204) };
    t.refused(OWN, &get(page.frame), Error::TypeConflict)?;
    holds(t, OWN, page, 45)?;
    let root = t.root(OWN);
    t.refused(OWN, &get(root), Error::TypeConflict)?;
    let unmapped = t.unmapped_page(OWN)?;
    t.refused(OWN, &get(unmapped.frame), Error::TypeConflict)?;
    clear(t, OWN, &[0x204])
}
