//! Grants and events between two domains.

use super::{
    measure::{Bench, Page},
    peer::{STOP, YIELD},
    traps,
};
use conformance::Permit;
use core::cell::{Cell, RefCell};
use hypercall_abi::{
    DomainId, GrantHandle, GrantRef, Port, Status,
    calls::{
        Batch, EventBind, EventSend, GrantMap, GrantUnmap, SchedYield, batch::BatchEntry,
        grant_map::MappedGrant, grant_share::Access,
    },
    start_info::ARGUMENT_PFN,
};

/// Turns that one domain waits for the other.
const PATIENCE: u32 = 10_000;

/// Grants in a batch.
const BATCH: usize = 32;

/// The peer, found.
#[derive(Clone, Copy)]
pub struct Met {
    peer: DomainId,
    /// The page to talk in.
    talk: Page,
    /// Our end of the channel.
    port: Port,
    /// The number of the first grant.
    first: u32,
}

impl Met {
    /// The call that maps a grant of the peer's.
    pub fn map(&self, index: usize) -> GrantMap {
        let grant = GrantRef(self.first + index as u32);
        GrantMap { domain: self.peer, grant, access: Access::ReadWrite }
    }
}

/// Finds the peer's grants and joins its channel.
pub fn meet(bench: &mut Bench, peer: DomainId) -> Met {
    let own = bench.page();
    for _ in 0..PATIENCE {
        for first in 0..4 {
            let call = GrantMap { domain: peer, grant: GrantRef(first), access: Access::ReadWrite };
            let (status, value) = bench.call(&call);
            if status == Status::SUCCESS {
                let talk = Page { pfn: own.pfn, frame: MappedGrant::from_value(value).frame };
                bench.remap(talk, bench.entries.leaf(talk.frame, Permit::Write));
                let port = Port(bench.read(talk.pfn, 1) as u32);
                let port = Port(bench.must(&EventBind { domain: peer, port }) as u32);
                // The peer gives its other grants, and sleeps from then on.
                for _ in 0..100 {
                    bench.must(&SchedYield);
                }
                traps::clear_pending(bench);
                return Met { peer, talk, port, first };
            }
        }
        bench.must(&SchedYield);
    }
    panic!("the peer has granted no page");
}

/// Sends the rows.
pub fn rows(bench: &mut Bench, met: Met) {
    grants(bench, met);
    batches(bench, met);
    let send = EventSend { port: met.port };
    bench.row(
        "event_round_trip",
        1,
        |_| (),
        |b| {
            b.go(&send);
            traps::wait_for_event();
        },
    );
    // From answering to yielding: the event that the peer sleeps for wakes it.
    bench.write(met.talk.pfn, 0, YIELD);
    bench.must(&send);
    for _ in 0..10 {
        bench.must(&SchedYield);
    }
    let before = bench.read(met.talk.pfn, 2);
    bench.row("yield_round_trip", 1, |_| (), |b| b.go(&SchedYield));
    let turns = bench.read(met.talk.pfn, 2) - before;
    assert!(turns >= 10, "the peer had {turns} turns while this domain yielded");
    bench.write(met.talk.pfn, 0, STOP);
}

fn grants(bench: &mut Bench, met: Met) {
    let open = met.map(1);
    let live = Cell::new(None);
    let map = |b: &Bench| {
        let (_, value) = b.call(&open);
        live.set(Some(MappedGrant::from_value(value).handle));
    };
    let unmap = |b: &Bench| {
        if let Some(handle) = live.take() {
            b.go(&GrantUnmap { handle });
        }
    };
    bench.row("grant_map", 1, |b| unmap(b), map);
    bench.row(
        "grant_unmap",
        1,
        |b| {
            if live.get().is_none() {
                map(b)
            }
        },
        unmap,
    );
    unmap(bench);
}

fn batches(bench: &mut Bench, met: Met) {
    let live = RefCell::new([GrantHandle(0); BATCH]);
    let batch = Batch { count: BATCH as u64 };
    let put = |b: &Bench, index: usize, entry: BatchEntry| {
        b.argument(8 * index, entry.number_or_status);
        for (word, value) in entry.args.into_iter().enumerate() {
            b.argument(8 * index + 1 + word, value);
        }
    };
    let fill_map = |b: &Bench| {
        for index in 0..BATCH {
            put(b, index, BatchEntry::new(&met.map(1 + index)));
        }
    };
    let keep = |b: &Bench| {
        for (index, handle) in live.borrow_mut().iter_mut().enumerate() {
            assert!(b.read(ARGUMENT_PFN, 8 * index) == 0, "a grant of the batch is not mapped");
            *handle = MappedGrant::from_value(b.read(ARGUMENT_PFN, 8 * index + 1)).handle;
        }
    };
    let fill_unmap = |b: &Bench| {
        for (index, handle) in live.borrow().iter().enumerate() {
            put(b, index, BatchEntry::new(&GrantUnmap { handle: *handle }));
        }
    };
    let mapped = Cell::new(false);
    bench.row(
        "grant_map_32",
        BATCH as u32,
        |b| {
            if mapped.replace(true) {
                keep(b);
                fill_unmap(b);
                b.must(&batch);
            }
            fill_map(b);
        },
        |b| b.go(&batch),
    );
    keep(bench);
    bench.row(
        "grant_unmap_32",
        BATCH as u32,
        |b| {
            if !mapped.replace(false) {
                fill_map(b);
                b.must(&batch);
                keep(b);
            }
            fill_unmap(b);
        },
        |b| b.go(&batch),
    );
}
