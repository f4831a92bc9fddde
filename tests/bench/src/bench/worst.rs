//! Calls at their longest: as many elements as they take, tables that are full, tables of
//! handles, grants and ports that are full. Nothing is measured here: the hypervisor measures
//! for how long it keeps the processor (`cargo xtask bench --worst-case`).

use super::{
    measure::{Bench, Page},
    sharing::Met,
};
use conformance::Permit;
use hypercall_abi::{
    DomainId, GrantHandle, GrantRef, Port, Status, VirtAddr,
    addr::Level,
    calls::{
        BalloonDeflate, BalloonInflate, Batch, Call, ConsoleRead, ConsoleWrite, DomainQuery,
        EventAlloc, EventBind, EventClose, EventMask, EventSend, GrantMap, GrantRevoke, GrantShare,
        GrantUnmap, PtCreate, PtPin, PtSwitch, PtUnpin, PteUpdate, TimerSet, TlbFlush, TrapReturn,
        batch::{BatchEntry, MAX_ENTRIES},
        console_write::{MAX_BYTES, Stream},
        grant_map::MappedGrant,
        grant_share::Access,
        pt_switch::RootChange,
        pte_update::{MAX_UPDATES, Space, Target, Update},
        tlb_flush::FlushScope,
    },
};

/// Calls of one batch.
const MANY: usize = MAX_ENTRIES as usize;

/// Makes every call at its longest.
pub fn calls(bench: &mut Bench, met: Option<Met>) {
    console(bench);
    tables(bench);
    links(bench);
    roots(bench);
    balloon(bench);
    ports(bench);
    grants(bench);
    if let Some(met) = met {
        handles(bench, met);
    }
}

/// One batch of as many calls as it takes; returns what they answered.
fn batch<C: Call>(bench: &Bench, call: impl Fn(usize) -> C) -> [u64; MANY] {
    for index in 0..MANY {
        let entry = BatchEntry::new(&call(index));
        bench.argument(8 * index, entry.number_or_status);
        for (word, value) in entry.args.into_iter().enumerate() {
            bench.argument(8 * index + 1 + word, value);
        }
    }
    bench.must(&Batch { count: MAX_ENTRIES });
    core::array::from_fn(|index| bench.read(hypercall_abi::start_info::ARGUMENT_PFN, 8 * index + 1))
}

fn console(bench: &Bench) {
    for byte in [0, 0x2e] {
        for word in 0..MAX_BYTES as usize / 8 {
            bench.argument(word, u64::from_le_bytes([byte; 8]));
        }
        for stream in [Stream::Text, Stream::Report] {
            bench.must(&ConsoleWrite { stream, length: MAX_BYTES });
        }
    }
    bench.go(&ConsoleRead { capacity: 4096 });
    bench.must(&DomainQuery { domain: DomainId::SELF });
    let soon = TimerSet { deadline: 1 };
    batch(bench, |_| soon);
    bench.must(&TimerSet { deadline: u64::MAX });
}

/// A page full of entries that map pages of ours writable.
fn full(bench: &mut Bench, pages: &[Page]) -> Page {
    let entries = bench.entries;
    let leaf = |index: usize| entries.leaf(pages[index % pages.len()].frame, Permit::Write);
    bench.written((0..512).map(move |index| (index, leaf(index))))
}

fn tables(bench: &mut Bench) {
    let pages: [Page; 16] = core::array::from_fn(|_| bench.page());
    // Each page was mapped writable until a moment ago, so that the claim flushes.
    let fresh: [Page; MANY] = core::array::from_fn(|_| {
        let page = bench.page();
        bench.protect(page);
        page
    });
    let top = bench.entries.root_level();
    batch(bench, |index| PtCreate { frame: fresh[index].frame, level: top });
    batch(bench, |index| PtUnpin { frame: fresh[index].frame });
    let low: [Page; MANY] = core::array::from_fn(|_| full(bench, &pages));
    batch(bench, |index| PtPin { frame: low[index].frame, level: Level::L1 });
    batch(bench, |index| PtUnpin { frame: low[index].frame });
    let home = bench.address(pages[0].pfn);
    let target = Target::Page { space: Space::Kernel, address: home, flush: true };
    let open = bench.entries.leaf(pages[0].frame, Permit::Write);
    batch(bench, |_| PteUpdate::One(Update::new(target, open)));
    batch(bench, |_| TlbFlush { scope: FlushScope::All });
    // A tree whose last level-1 table does not validate, so that all of it is undone.
    let bad =
        bench.written([(511, bench.entries.leaf(bench.info().root, Permit::Write))].into_iter());
    let links = low.iter().chain([&bad]).enumerate();
    let links = links.map(|(index, page)| (index, bench.entries.table(page.frame)));
    let links: heapless::Vec<_, { MANY + 1 }> = links.collect();
    let tree = bench.written(links.into_iter());
    let (status, _) = bench.call(&PtPin { frame: tree.frame, level: Level::L2 });
    assert!(status != Status::SUCCESS, "a root was mapped writable");
}

/// Updates that validate and take apart whole tables.
fn links(bench: &mut Bench) {
    let pages: [Page; 16] = core::array::from_fn(|_| bench.page());
    let low: [Page; MANY] = core::array::from_fn(|_| full(bench, &pages));
    let high = bench.table(Level::L2).frame;
    for present in [true, false] {
        for index in 0..MAX_UPDATES as usize {
            let link = bench.entries.table(low[index % MANY].frame);
            let target = Target::Entry { table: high, index: index as u16 };
            bench.argument_update(index, Update::new(target, if present { link } else { 0 }));
        }
        bench.must(&PteUpdate::Many(MAX_UPDATES));
    }
    // With no trap frame to return by, the updates are made and the return is refused.
    for value in [bench.entries.leaf(pages[0].frame, Permit::Write), 0] {
        let table = bench.table(Level::L1).frame;
        for index in 0..MAX_UPDATES as usize {
            let target = Target::Entry { table, index: index as u16 };
            bench.argument_update(index, Update::new(target, value));
        }
        bench.go(&TrapReturn { count: MAX_UPDATES });
    }
}

/// Roots that only the vCPU holds, with full trees below: a switch takes both apart.
fn roots(bench: &mut Bench) {
    let pages: [Page; 16] = core::array::from_fn(|_| bench.page());
    let first = bench.info().root;
    let set = RootChange::Set;
    let kernel = bench.copy_of_root().frame;
    let user = bench.table(bench.entries.root_level()).frame;
    for address in [0x4000_0000, 0x5000_0000, 0x6000_0000] {
        let table = bench.reach(user, VirtAddr(address));
        for index in 0..512 {
            bench.set(table, index, bench.entries.leaf(pages[0].frame, Permit::Write));
        }
        bench.go(&PtUnpin { frame: table });
    }
    bench.must(&PtSwitch { kernel_root: set(kernel), user_root: set(user) });
    bench.must(&PtUnpin { frame: kernel });
    bench.must(&PtUnpin { frame: user });
    bench.must(&PtSwitch { kernel_root: set(first), user_root: RootChange::Clear });
}

fn balloon(bench: &mut Bench) {
    for word in 0..512 {
        let page = bench.page();
        bench.remap(page, 0);
        bench.argument(word, page.frame.0);
    }
    bench.must(&BalloonInflate::frames(512));
    // Nothing was idle in between: each frame is scrubbed as it is given.
    bench.must(&BalloonDeflate::frames(512));
}

fn ports(bench: &mut Bench) {
    let own = EventAlloc { domain: DomainId::SELF };
    let mut last = Port(0);
    while let (Status::SUCCESS, port) = bench.call(&own) {
        last = Port(port as u32);
    }
    batch(bench, |_| own);
    batch(bench, |index| EventBind { domain: DomainId::SELF, port: Port(last.0 - index as u32) });
    batch(bench, |_| EventSend { port: last });
    batch(bench, |_| EventMask { port: last, masked: false });
    batch(bench, |index| EventClose { port: Port(last.0 - index as u32) });
    super::traps::clear_pending(bench);
}

fn grants(bench: &mut Bench) {
    let page = bench.page();
    let domain = bench.info().domain;
    let other = DomainId(if domain == DomainId(1) { 2 } else { 1 });
    let share = GrantShare { domain: other, frame: page.frame, access: Access::ReadWrite };
    let mut last = GrantRef(0);
    while let (Status::SUCCESS, grant) = bench.call(&share) {
        last = GrantRef(grant as u32);
    }
    batch(bench, |_| share);
    batch(bench, |index| GrantRevoke { grant: GrantRef(last.0 - index as u32) });
    batch(bench, |_| share);
}

/// Handles in the order that moves the most: each is sorted in before all others.
fn handles(bench: &Bench, met: Met) {
    let mut mapped = heapless::Vec::<GrantHandle, 256>::new();
    for index in (1..super::peer::GRANTS).rev() {
        let (status, value) = bench.call(&met.map(index));
        if status == Status::SUCCESS {
            let _ = mapped.push(MappedGrant::from_value(value).handle);
        }
    }
    assert!(mapped.len() > 2 * MANY, "the peer gave {} grants", mapped.len());
    let rest = mapped.len() - MANY;
    batch(bench, |index| GrantUnmap { handle: mapped[rest + index] });
    for access in [Access::ReadWrite, Access::Read] {
        let open = batch(bench, |index| GrantMap { access, ..met.map(1 + index) });
        batch(bench, |index| GrantUnmap { handle: MappedGrant::from_value(open[index]).handle });
    }
    for handle in &mapped[..rest] {
        bench.must(&GrantUnmap { handle: *handle });
    }
}
