//! Role `extents`: gives 1 GiB back in extents of 2 MiB, and takes it again. Its memory is made of
//! aligned runs. Rows: `give`, `take` with what they cost and how many extents moved, and how many calls
//! that took.

use super::{arch, measure::Bench};
use hypercall_abi::{
    Mfn, Pfn, Status,
    calls::{
        BalloonDeflate, BalloonInflate, PteUpdate,
        pte_update::{MAX_UPDATES, Space, Target, Update},
    },
    extent::EXTENT_FRAMES,
};

/// Extents of 1 GiB.
const EXTENTS: u64 = 512;

/// Gives and takes.
pub fn rows(bench: &mut Bench) {
    let info = bench.info();
    let first = info.free_pfn.0.next_multiple_of(EXTENT_FRAMES);
    let mut heads = [Mfn::NONE; EXTENTS as usize];
    let mut found = 0;
    let mut page = first;
    while found < heads.len() && page + EXTENT_FRAMES <= info.frames {
        let head = bench.p2m(Pfn(page));
        let is_run = head.0.is_multiple_of(EXTENT_FRAMES)
            && (0..EXTENT_FRAMES).all(|at| bench.p2m(Pfn(page + at)).0 == head.0 + at);
        if is_run {
            heads[found] = head;
            found += 1;
            unmap(bench, page);
        }
        page += EXTENT_FRAMES;
    }
    bench.send("extents_found", found as u64, 1);
    for (word, head) in heads.iter().take(found).enumerate() {
        bench.argument(word, head.0);
    }
    let count = found as u64;
    let start = arch::instructions();
    let (status, given) = bench.call(&BalloonInflate::extents(count));
    let cost = arch::instructions() - start;
    assert!(status == Status::SUCCESS && given == count, "{given} of {count}: {}", status.0);
    bench.send("extents_give", cost, given as u32);
    let start = arch::instructions();
    let (status, taken) = bench.call(&BalloonDeflate::extents(count));
    let cost = arch::instructions() - start;
    assert!(status == Status::SUCCESS && taken == count, "{taken} of {count}: {}", status.0);
    bench.send("extents_take", cost, taken as u32);
}

/// Takes the pages of a run out of the map of memory.
fn unmap(bench: &Bench, first: u64) {
    for half in 0..EXTENT_FRAMES / MAX_UPDATES {
        for index in 0..MAX_UPDATES {
            let page = Pfn(first + half * MAX_UPDATES + index);
            let address = bench.address(page);
            let target = Target::Page { space: Space::Kernel, address, flush: false };
            bench.argument_update(index as usize, Update::new(target, 0));
        }
        bench.must(&PteUpdate::Many(MAX_UPDATES));
    }
}
