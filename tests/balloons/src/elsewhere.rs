//! The domain that needs memory: it takes whole extents, and gives back what it took.

use crate::frames::{Host, give, obtain};
use hypercall_abi::Mfn;
use hypercall_abi::calls::{
    BalloonDeflate, BalloonInflate, balloon_deflate::MAX_FRAMES as MAX_EXTENTS,
};
use hypercall_abi::extent::EXTENT_FRAMES;

/// Its place among the domains.
pub const DOMAIN: usize = 2;

/// What it has taken.
#[derive(Debug, Default)]
pub struct Elsewhere {
    extents: Vec<Mfn>,
}

impl Elsewhere {
    /// Takes so many pages, as far as they make extents and there are some.
    pub fn grow(&mut self, host: &mut Host, pages: u64) {
        let mut frames = vec![Mfn::NONE; (pages / EXTENT_FRAMES).min(MAX_EXTENTS) as usize];
        if frames.is_empty() {
            return;
        }
        let call = BalloonDeflate::extents(frames.len() as u64);
        let answer = obtain(host, DOMAIN, &mut frames, &call);
        self.extents.extend(&frames[..answer.done as usize]);
    }

    /// Gives all of it back.
    pub fn shrink(&mut self, host: &mut Host) {
        let extents = std::mem::take(&mut self.extents);
        for chunk in extents.chunks(MAX_EXTENTS as usize) {
            let answer = give(host, DOMAIN, chunk, &BalloonInflate::extents(chunk.len() as u64));
            assert_eq!(answer.done, chunk.len() as u64, "nothing refers to what it never mapped");
        }
    }
}
