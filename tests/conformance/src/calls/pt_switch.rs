//! Tests of `pt_switch`.

use super::{BEYOND, foreign, writable};
use crate::{
    Check, OWN, Page, Pretence, Test, Touch, equal, journal::Undo, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn,
    addr::Level,
    calls::{Call, PtPin, PtSwitch, PtUnpin, pt_switch::RootChange},
};

tests! { "pt_switch":
    keep_both: "PT_SWITCH.7 CALL.4",
    same_kernel_root: "PT_SWITCH.7 PT_SWITCH.8",
    new_kernel_root: "PT_SWITCH.7 PT_SWITCH.8 RULE.10 XSA-292",
    unpinned_root_is_held: "PT_SWITCH.7 PT_UNPIN.8 RULE.8 XSA-438",
    old_root_is_demoted: "PT_SWITCH.7 XSA-438",
    user_root: "PT_SWITCH.7",
    clear_user_root: "PT_SWITCH.7",
    no_kernel_root: "PT_SWITCH.1",
    bad_frame: "PT_SWITCH.2 XSA-32",
    not_owner: "PT_SWITCH.3",
    not_a_table: "PT_SWITCH.4",
    bad_level: "PT_SWITCH.5",
    both_or_neither: "PT_SWITCH.10 ERROR.2 XSA-494",
    count_at_its_largest: "PT_SWITCH.6 FRAME.12",
    one_root_for_both: "PT_SWITCH.6 PT_SWITCH.7 FRAME.12",
    under_way: "PT_SWITCH.4 FRAME.9",
}

const KEEP: RootChange = RootChange::Keep;

fn kernel(root: Mfn) -> PtSwitch {
    PtSwitch { kernel_root: RootChange::Set(root), user_root: KEEP }
}

fn user(root: Mfn) -> PtSwitch {
    PtSwitch { kernel_root: KEEP, user_root: RootChange::Set(root) }
}

/// A pinned root with the kernel's own half in it: a copy of the first root.
fn copy_of_root(t: &mut Test<'_>) -> Check<Page> {
    let root = t.root(OWN);
    let level = t.entries().root_level();
    let page = t.table(OWN, level)?;
    for slot in 0..256 {
        let entry = t.entry_of(OWN, root, slot)?;
        if t.entries().is_present(entry) {
            t.set_entry(OWN, page.frame, slot, entry)?;
        }
    }
    Ok(page)
}

fn keep_both(t: &mut Test<'_>) -> Check {
    equal(t.ok(OWN, &PtSwitch { kernel_root: KEEP, user_root: KEEP })?, 0, "value")
}

fn same_kernel_root(t: &mut Test<'_>) -> Check {
    let root = t.root(OWN);
    t.ok(OWN, &kernel(root))?;
    t.ok(OWN, &kernel(root)).map(drop)
}

fn new_kernel_root(t: &mut Test<'_>) -> Check {
    let first = t.root(OWN);
    let page = t.page(OWN)?;
    t.write(OWN, page, 0, 1234);
    let leaf = writable(t, page);
    let root = copy_of_root(t)?;
    // A slot of the root that the first root has not got.
    let far = hypercall_abi::VirtAddr(far_slot(t)?);
    let (mut table, entries) = (root.frame, t.entries());
    let mut level = entries.root_level();
    while let Some(below) = level.below() {
        let next = t.table(OWN, below)?;
        t.set_entry(OWN, table, entries.index(far, level), entries.table(next.frame))?;
        (table, level) = (next.frame, below);
    }
    t.set_entry(OWN, table, entries.index(far, Level::L1), leaf)?;
    t.faults(OWN, far, Touch::Read)?;
    t.note(OWN, Undo::KernelRoot(first))?;
    t.ok(OWN, &kernel(root.frame))?;
    equal(t.reaches(OWN, far, Touch::Read)?, 1234, "the page below the new root")?;
    t.ok(OWN, &kernel(first))?;
    // What was cached below the new root is gone.
    t.faults(OWN, far, Touch::Read).map(drop)
}

/// An address whose root slot is empty in the first root.
fn far_slot(t: &mut Test<'_>) -> Check<u64> {
    let root = t.root(OWN);
    let shift = 12 + 9 * (u32::from(t.entries().root_level().number()) - 1);
    for slot in (2..256).rev() {
        if t.entry_of(OWN, root, slot)? == 0 {
            return Ok(u64::from(slot) << shift);
        }
    }
    Err(crate::Stop::Skip("every slot of the root is taken"))
}

fn unpinned_root_is_held(t: &mut Test<'_>) -> Check {
    t.reach(OWN, SCRATCH)?;
    let root = copy_of_root(t)?;
    let first = t.root(OWN);
    t.note(OWN, Undo::KernelRoot(first))?;
    t.ok(OWN, &kernel(root.frame))?;
    t.ok(OWN, &PtUnpin { frame: root.frame })?;
    t.refused(OWN, &PtUnpin { frame: root.frame }, Error::NotPinned)?;
    // It runs, and it can be changed.
    let page = t.page(OWN)?;
    let leaf = writable(t, page);
    t.map(OWN, SCRATCH, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(5))?;
    // As the last reference goes with the switch, its entries are not the test's to clear.
    let level = t.entries().root_level();
    t.ok(OWN, &PtPin { frame: root.frame, level }).map(drop)
}

fn old_root_is_demoted(t: &mut Test<'_>) -> Check {
    let root = copy_of_root(t)?;
    let first = t.root(OWN);
    t.note(OWN, Undo::KernelRoot(first))?;
    t.ok(OWN, &kernel(root.frame))?;
    t.ok(OWN, &PtUnpin { frame: root.frame })?;
    let before = t.counts(OWN)?;
    t.ok(OWN, &kernel(first))?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames - 1, "tables")?;
    t.refused(OWN, &PtUnpin { frame: root.frame }, Error::NotTable)
}

fn user_root(t: &mut Test<'_>) -> Check {
    let level = t.entries().root_level();
    let root = t.table(OWN, level)?;
    t.note(OWN, Undo::ClearUserRoot)?;
    t.ok(OWN, &user(root.frame))?;
    t.ok(OWN, &PtUnpin { frame: root.frame })?;
    t.refused(OWN, &PtUnpin { frame: root.frame }, Error::NotPinned)
}

fn clear_user_root(t: &mut Test<'_>) -> Check {
    let level = t.entries().root_level();
    let root = t.table(OWN, level)?;
    t.note(OWN, Undo::ClearUserRoot)?;
    t.ok(OWN, &user(root.frame))?;
    t.ok(OWN, &PtUnpin { frame: root.frame })?;
    let before = t.counts(OWN)?;
    t.ok(OWN, &PtSwitch { kernel_root: KEEP, user_root: RootChange::Clear })?;
    equal(t.counts(OWN)?.table_frames, before.table_frames - 1, "tables")?;
    // Where there is none, none goes.
    t.ok(OWN, &PtSwitch { kernel_root: KEEP, user_root: RootChange::Clear }).map(drop)
}

fn no_kernel_root(t: &mut Test<'_>) -> Check {
    let call = PtSwitch { kernel_root: RootChange::Clear, user_root: KEEP };
    t.refused(OWN, &call, Error::BadArgument)
}

/// Both roots with a frame that is refused.
fn refuse(t: &mut Test<'_>, frame: Mfn, error: Error) -> Check {
    t.refused(OWN, &kernel(frame), error)?;
    t.refused(OWN, &user(frame), error)
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(1 << 40), Mfn(u64::MAX - 2)] {
        refuse(t, frame, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    refuse(t, frame, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    refuse(t, frame, Error::NotOwner)
}

fn not_a_table(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    refuse(t, page.frame, Error::NotTable)
}

fn bad_level(t: &mut Test<'_>) -> Check {
    for level in [Level::L1, Level::L2] {
        let page = t.table(OWN, level)?;
        refuse(t, page.frame, Error::BadLevel)?;
    }
    Ok(())
}

fn both_or_neither(t: &mut Test<'_>) -> Check {
    let level = t.entries().root_level();
    let root = t.table(OWN, level)?;
    let page = t.page(OWN)?;
    let first = t.root(OWN);
    let call =
        PtSwitch { kernel_root: RootChange::Set(first), user_root: RootChange::Set(page.frame) };
    t.refused(OWN, &call, Error::NotTable)?;
    let call = PtSwitch {
        kernel_root: RootChange::Set(page.frame),
        user_root: RootChange::Set(root.frame),
    };
    t.refused_raw(OWN, PtSwitch::NUMBER as u64, call.encode(), Error::NotTable, 0)?;
    // The user root has not been set: unpinned, the table is none.
    t.ok(OWN, &PtUnpin { frame: root.frame })?;
    t.refused(OWN, &PtUnpin { frame: root.frame }, Error::NotTable)
}

fn count_at_its_largest(t: &mut Test<'_>) -> Check {
    let root = copy_of_root(t)?;
    t.pretend(root.frame, Pretence::Room(0))?;
    refuse(t, root.frame, Error::CountOverflow)?;
    t.pretend(root.frame, Pretence::Room(1))?;
    t.note(OWN, Undo::ClearUserRoot)?;
    t.ok(OWN, &user(root.frame)).map(drop)
}

fn one_root_for_both(t: &mut Test<'_>) -> Check {
    let root = copy_of_root(t)?;
    let first = t.root(OWN);
    t.note(OWN, Undo::KernelRoot(first))?;
    t.note(OWN, Undo::ClearUserRoot)?;
    let set = RootChange::Set(root.frame);
    let both = PtSwitch { kernel_root: set, user_root: set };
    // Each of the two is a reference of its own.
    t.pretend(root.frame, Pretence::Room(1))?;
    t.refused(OWN, &both, Error::CountOverflow)?;
    t.pretend(root.frame, Pretence::Room(2))?;
    t.ok(OWN, &both).map(drop)
}

fn under_way(t: &mut Test<'_>) -> Check {
    let root = copy_of_root(t)?;
    t.pretend(root.frame, Pretence::UnderWay)?;
    refuse(t, root.frame, Error::Busy)
}
