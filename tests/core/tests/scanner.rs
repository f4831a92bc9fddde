//! The scanner: that it finds what is alike, leaves alone what changes, keeps its rate, and that no
//! hash, however weak, makes two different pages one.

use crate::sharing::{advise, register};
use core_tests::World;
use hypercall_abi::calls::ShareAdvise;
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::{Mfn, Pfn};
use pv_core::share::{HashKind, ScanConfig};
use pv_core::{Machine, X86_64};

const FIRST: u64 = 100;
const PAGES: u64 = 8;
const TICKS: u64 = 1_000_000_000;

const CONFIG: ScanConfig = ScanConfig {
    pages_per_second: 1_000_000_000,
    host_pages_per_second: 1_000_000_000,
    hints: 256,
    secret: [0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321],
    hash_bits: 64,
};

fn world(domains: usize, config: ScanConfig) -> World<X86_64> {
    let mut world = World::<X86_64>::new(domains, 128);
    assert!(world.state.enable_sharing(1000, 0));
    assert!(world.state.enable_scanner(config));
    for domain in 0..domains {
        world.state.set_sharing_group(world.slots[domain], 1);
        register(&mut world, domain);
        advise(&mut world, domain, Advice::Share);
    }
    world
}

fn frame(world: &World<X86_64>, domain: usize, page: u64) -> Mfn {
    world.p2m(domain, FIRST + page)
}

/// Fills a page: what is in it follows from one number.
fn fill(world: &mut World<X86_64>, domain: usize, page: u64, content: u64) {
    let frame = frame(world, domain, page);
    for word in 0..512 {
        let value = if content == 0 { 0 } else { content.wrapping_mul(word as u64 + 3) };
        world.machine.write(frame, word, value);
    }
}

fn content(world: &World<X86_64>, domain: usize, page: u64) -> Vec<u64> {
    let frame = frame(world, domain, page);
    (0..512).map(|word| world.machine.read(frame, word)).collect()
}

/// Lets the scanner go over all pages so many times, and merges what it has found.
fn scan(world: &mut World<X86_64>, passes: u64) {
    scan_unaudited(world, passes);
    world.audit();
}

fn scan_unaudited(world: &mut World<X86_64>, passes: u64) {
    let end = world.state.scan_counters().passes + passes;
    while world.state.scan_counters().passes < end {
        world.machine.advance(TICKS / 100_000);
        let _ = world.state.share_step(&mut world.machine);
    }
    world.machine.advance(TICKS);
    while world.state.merge_step(&mut world.machine) {}
}

/// Clauses: SHARE.3
#[test]
fn what_is_alike_is_found_by_any_hash() {
    for (kind, hash_bits) in [(HashKind::Xxh3, 64), (HashKind::SipHash, 64), (HashKind::Xxh3, 4)] {
        let mut world = world(3, ScanConfig { hash_bits, ..CONFIG });
        world.state.set_group_hash(1, kind);
        for domain in 0..3 {
            for page in 0..PAGES {
                // Two pages of zeros, four that all have, two of its own.
                let own = 100 + domain as u64 * 10 + page;
                let of_page = [0, 0, 1, 2, 3, 4, own, own];
                let value = if page == 7 { own + 50 } else { of_page[page as usize] };
                fill(&mut world, domain, page, value);
            }
        }
        let all = |world: &World<X86_64>| -> Vec<Vec<u64>> {
            let pages = (0..3).flat_map(|domain| (0..PAGES).map(move |page| (domain, page)));
            pages.map(|(domain, page)| content(world, domain, page)).collect()
        };
        let before = all(&world);
        scan(&mut world, 12);
        assert_eq!(all(&world), before, "no page has another content");
        let totals = world.state.sharing_totals();
        let found = (totals.pages, totals.frames, totals.zero_pages);
        // What collides with another may never meet its like.
        let all_found = found == (18, 5, 6);
        assert!(all_found || hash_bits == 4 && totals.pages < 18, "{kind:?} {hash_bits} {found:?}");
        world.finish();
    }
}

/// Pages of many contents, hashed by four bits: each of so many comparisons tells them apart, and
/// no page is touched. How many comparisons there were.
fn weak_hash(comparisons: u64, secret: [u64; 2]) -> u64 {
    /// Rounds from one look at everything to the next: it takes longer than a round.
    const LOOK: u64 = 256;
    let mut world = world(2, ScanConfig { hash_bits: 4, secret, ..CONFIG });
    let mut round = 0;
    while world.state.sharing.counters.differed < comparisons {
        let number = |domain: usize, page| 1 + (2 * round + domain as u64) * PAGES + page;
        for domain in 0..2 {
            (0..PAGES).for_each(|page| fill(&mut world, domain, page, number(domain, page)));
        }
        scan_unaudited(&mut world, 8);
        assert_eq!(world.state.sharing.counters.merged, 0, "all of them differ");
        if round % LOOK == 0 {
            world.audit();
            for (domain, page) in
                (0..2).flat_map(|domain| (0..PAGES).map(move |page| (domain, page)))
            {
                let (now, number) = (content(&world, domain, page), number(domain, page));
                let all =
                    now.iter().zip(3u64..).all(|(now, word)| *now == number.wrapping_mul(word));
                assert!(all, "page {page} of {domain} is not what it was");
            }
        }
        round += 1;
    }
    let compared = world.state.sharing.counters.differed;
    world.finish();
    compared
}

#[test]
fn a_hash_of_four_bits_makes_no_wrong_merge() {
    assert!(weak_hash(2_000, CONFIG.secret) >= 2_000);
}

#[test]
#[ignore = "takes minutes, optimized: cargo xtask check --collisions"]
fn a_hash_of_four_bits_makes_no_wrong_merge_in_ten_million() {
    const ALL: u64 = 10_000_000;
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let compared: u64 = std::thread::scope(|scope| {
        let runs = (0..threads).map(|thread| {
            scope.spawn(move || weak_hash(ALL.div_ceil(threads), [thread, CONFIG.secret[1]]))
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().expect("no wrong merge")).sum()
    });
    assert!(compared >= ALL);
    println!("{compared} comparisons of pages that differ and hash alike: none was merged");
}

#[test]
fn a_page_that_changes_is_left_alone() {
    let mut world = world(2, CONFIG);
    for pass in 1..6 {
        for domain in 0..2 {
            for page in 0..PAGES {
                fill(&mut world, domain, page, if page == 0 { 7 } else { pass * 100 + page });
            }
        }
        scan(&mut world, 1);
    }
    // All pages have a partner with the same content at all times; one pair stays as it is.
    let totals = world.state.sharing_totals();
    assert_eq!((totals.pages, totals.frames), (2, 1));
    assert!(world.state.scan_counters().volatile >= 4 * 2 * (PAGES - 1));
    world.finish();
}

#[test]
fn the_scanner_keeps_its_rate() {
    let config = ScanConfig { pages_per_second: 20, host_pages_per_second: 30, ..CONFIG };
    let mut world = world(2, config);
    for _ in 0..10_000 {
        world.machine.advance(TICKS / 1000);
        let _ = world.state.share_step(&mut world.machine);
    }
    // Ten seconds: pages that share a frame are met, and not looked at.
    assert!(world.state.scan_counters().scanned <= 302);
    assert!(world.state.sharing_totals().pages == 16, "zeros");
    world.finish();
}

#[test]
fn a_named_content_is_shared_at_once() {
    // Nobody looks for anything.
    let config = ScanConfig { pages_per_second: 0, host_pages_per_second: 0, ..CONFIG };
    let mut world = world(3, config);
    for domain in 0..3 {
        for page in 0..4 {
            fill(&mut world, domain, page, 50 + page);
        }
        let advise =
            ShareAdvise { first: Pfn(FIRST), count: 4, advice: Advice::Share, content: 0x77 };
        world.call(domain, &advise).unwrap();
    }
    // A lie costs a comparison.
    fill(&mut world, 2, 5, 99);
    let lie = ShareAdvise { first: Pfn(FIRST + 5), count: 1, advice: Advice::Share, content: 0x77 };
    world.call(2, &lie).unwrap();
    for _ in 0..1000 {
        world.machine.advance(TICKS / 100);
        let _ = world.state.share_step(&mut world.machine);
    }
    let totals = world.state.sharing_totals();
    assert_eq!((totals.pages, totals.frames), (12, 4));
    assert_eq!(world.state.sharing.counters.differed, 1);
    assert_eq!(world.state.scan_counters().scanned, 0);
    world.finish();
}

#[test]
fn hints_that_are_out_of_date_are_forgotten() {
    let mut world = world(2, CONFIG);
    for page in 0..PAGES {
        fill(&mut world, 0, page, 60 + page);
        fill(&mut world, 1, page, 80 + page);
    }
    scan(&mut world, 3);
    assert_eq!(world.state.sharing_totals().pages, 0);
    // What the hints tell of is there no more; its equal comes to others.
    for page in 0..PAGES {
        fill(&mut world, 0, page, 1000 + page);
        fill(&mut world, 1, page, 60 + page);
    }
    scan(&mut world, 4);
    assert_eq!(world.state.sharing_totals().pages, 0);
    assert!(world.state.scan_counters().stale >= PAGES / 2, "{:?}", world.state.scan_counters());
    for page in 0..PAGES {
        fill(&mut world, 0, page, 60 + page);
    }
    scan(&mut world, 4);
    assert_eq!(world.state.sharing_totals().pages, 2 * PAGES);
    world.finish();
}
