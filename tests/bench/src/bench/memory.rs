//! The balloon. Frames that are given out are scrubbed before, while nothing else is to be
//! done: that work is not in the figures.

use super::measure::Bench;
use hypercall_abi::{
    Mfn,
    calls::{BalloonDeflate, BalloonInflate, TimerSet},
};

/// Pages of the large rows: a full argument frame.
const MANY: usize = 512;

/// Times that the domain sleeps for frames to be scrubbed.
const NAPS: u32 = 100;

/// Sends the rows.
pub fn rows(bench: &mut Bench) {
    pages(bench, 1, ["balloon_inflate_1", "balloon_deflate_1"]);
    pages(bench, MANY, ["balloon_inflate_512", "balloon_deflate_512"]);
}

fn pages(bench: &mut Bench, count: usize, names: [&str; 2]) {
    let mut frames = [Mfn::NONE; MANY];
    for frame in frames.iter_mut().take(count) {
        let page = bench.page();
        *frame = page.frame;
        bench.remap(page, 0);
    }
    let inflate = BalloonInflate::frames(count as u64);
    let deflate = BalloonDeflate::frames(count as u64);
    let [out, back] = names;
    // Both directions in turn; the argument frame holds the frames that came. In the end they
    // are the domain's, unmapped; nothing here uses their pages again.
    for (word, frame) in frames.iter().take(count).enumerate() {
        bench.argument(word, frame.0);
    }
    bench.must(&inflate);
    doze();
    bench.row(
        out,
        count as u32,
        |b| {
            b.must(&deflate);
        },
        |b| b.go(&inflate),
    );
    bench.must(&deflate);
    bench.row(
        back,
        count as u32,
        |b| {
            b.must(&inflate);
            doze();
        },
        |b| b.go(&deflate),
    );
    bench.must(&TimerSet { deadline: u64::MAX });
}

/// Leaves the processor idle again and again.
fn doze() {
    for _ in 0..NAPS {
        super::traps::nap();
    }
}
