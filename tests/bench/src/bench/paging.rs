//! Page tables: updates, pins, roots.

use super::measure::{Bench, Page};
use conformance::Permit;
use hypercall_abi::{
    addr::Level,
    calls::{
        PtPin, PtSwitch, PtUnpin, PteUpdate,
        pt_switch::RootChange,
        pte_update::{MAX_UPDATES, Space, Target, Update},
    },
};

/// Sends the rows.
pub fn rows(bench: &mut Bench) {
    updates(bench);
    batches(bench);
    pins(bench);
    links(bench);
    roots(bench);
}

fn updates(bench: &mut Bench) {
    let table = bench.table(Level::L1).frame;
    let (a, b) = (bench.page(), bench.page());
    let open = |bench: &Bench, page: Page| bench.entries.leaf(page.frame, Permit::Write);
    let (first, second) = (open(bench, a), open(bench, b));
    let closed = bench.entries.leaf(a.frame, Permit::Read);
    let write = |bench: &Bench, value| bench.update(table, 9, value);
    let (to_first, to_second) = (write(bench, first), write(bench, second));
    let (to_none, to_closed) = (write(bench, 0), write(bench, closed));
    bench.row("pte_change", 1, |b| b.set_up(&to_first), |b| b.go(&to_second));
    bench.row("pte_unmap", 1, |b| b.set_up(&to_first), |b| b.go(&to_none));
    bench.row("pte_map", 1, |b| b.set_up(&to_none), |b| b.go(&to_first));
    bench.row("pte_protect", 1, |b| b.set_up(&to_first), |b| b.go(&to_closed));
    // By address: a page of the kernel's own space.
    let own = bench.page();
    let address = bench.address(own.pfn);
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    let by_address = |value| PteUpdate::One(Update::new(target, value));
    let (map, unmap) = (by_address(open(bench, own)), by_address(0));
    bench.row("pte_by_address", 1, |b| b.set_up(&unmap), |b| b.go(&map));
}

/// Two calls with 256 updates each: as many as the argument frame holds.
fn batches(bench: &mut Bench) {
    let table = bench.table(Level::L1).frame;
    let (a, b) = (bench.page(), bench.page());
    let first = bench.entries.leaf(a.frame, Permit::Write);
    let second = bench.entries.leaf(b.frame, Permit::Write);
    let many = PteUpdate::Many(MAX_UPDATES);
    let fill = move |b: &mut Bench, value| {
        for index in 0..MAX_UPDATES as usize {
            let target = Target::Entry { table, index: index as u16 };
            b.argument_update(index, Update::new(target, value));
        }
    };
    let cases =
        [("pte_change_512", first, second), ("pte_unmap_512", first, 0), ("pte_map_512", 0, first)];
    for (name, before, after) in cases {
        let prepare = |b: &mut Bench| {
            fill(b, before);
            b.must(&many);
            fill(b, after);
        };
        bench.row(name, MAX_UPDATES as u32, prepare, |b| b.go(&many));
    }
}

/// Rows for pinning and unpinning a tree that has been written.
fn pin_rows(bench: &mut Bench, names: [&str; 2], top: Page, level: Level) {
    let pin = PtPin { frame: top.frame, level };
    let unpin = PtUnpin { frame: top.frame };
    let [pin_name, unpin_name] = names;
    bench.row(
        pin_name,
        1,
        |b| {
            let _ = b.call(&unpin);
        },
        |b| b.go(&pin),
    );
    bench.row(
        unpin_name,
        1,
        |b| {
            let _ = b.call(&pin);
        },
        |b| b.go(&unpin),
    );
    let _ = bench.call(&unpin);
}

fn pins(bench: &mut Bench) {
    let entries = bench.entries;
    let empty = bench.written(core::iter::empty());
    pin_rows(bench, ["pin_empty", "unpin_empty"], empty, Level::L1);
    let pages: [Page; 16] = core::array::from_fn(|_| bench.page());
    let leaf = |index: usize| entries.leaf(pages[index % 16].frame, Permit::Write);
    let full = bench.written((0..512).map(|index| (index, leaf(index))));
    pin_rows(bench, ["pin_512", "unpin_512"], full, Level::L1);
    let one = bench.written([(0, leaf(0))].into_iter());
    let top = tree(bench, &[one]);
    pin_rows(bench, ["pin_tree_1", "unpin_tree_1"], top, entries.root_level());
    let half = bench.written((0..512).map(|index| (index, leaf(index + 7))));
    let top = tree(bench, &[full, half]);
    pin_rows(bench, ["pin_tree_1024", "unpin_tree_1024"], top, entries.root_level());
}

/// Tables above these of level 1, up to a root; nothing is pinned.
fn tree(bench: &mut Bench, low: &[Page]) -> Page {
    let entries = bench.entries;
    let links = low.iter().enumerate().map(|(index, page)| (index, entries.table(page.frame)));
    let mut top = bench.written(links);
    for _ in 2..entries.root_level().number() {
        top = bench.written([(0, entries.table(top.frame))].into_iter());
    }
    top
}

fn links(bench: &mut Bench) {
    let (low, high) = (bench.table(Level::L1), bench.table(Level::L2));
    let link = bench.update(high.frame, 3, bench.entries.table(low.frame));
    let unlink = bench.update(high.frame, 3, 0);
    bench.row("link_table", 1, |b| b.set_up(&unlink), |b| b.go(&link));
    bench.row("unlink_table", 1, |b| b.set_up(&link), |b| b.go(&unlink));
}

fn roots(bench: &mut Bench) {
    let other = bench.copy_of_root().frame;
    let first = bench.info().root;
    let level = bench.entries.root_level();
    let (one, two) = (bench.table(level).frame, bench.table(level).frame);
    let set = RootChange::Set;
    let kernel = |root| PtSwitch { kernel_root: set(root), user_root: RootChange::Keep };
    let (to_first, to_other) = (kernel(first), kernel(other));
    bench.row("switch_kernel", 1, |b| b.set_up(&to_first), |b| b.go(&to_other));
    let both = |kernel, user| PtSwitch { kernel_root: set(kernel), user_root: set(user) };
    let (home, away) = (both(first, one), both(other, two));
    bench.row("switch_space", 1, |b| b.set_up(&home), |b| b.go(&away));
    bench.must(&PtSwitch { kernel_root: set(first), user_root: RootChange::Clear });
}
