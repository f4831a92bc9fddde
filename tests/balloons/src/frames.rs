//! Calls of a domain about its frames, and where a domain's pages lie.

use balloon::Answer;
use core_tests::World;
use hypercall_abi::calls::{
    Call, PteUpdate,
    pte_update::{MAX_UPDATES, Space, Target, Update},
};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Mfn, Pfn};
use pv_core::format::{Format, Permissions};
use pv_core::{Machine, X86_64};

pub type Host = World<X86_64>;
type Sheet = pv_core::format::X86_64;

/// Writes words into a domain's argument frame.
fn argue(host: &mut Host, domain: usize, words: impl Iterator<Item = u64>) {
    let arguments = host.state.vcpu(host.slots[domain]).arguments;
    words.enumerate().for_each(|(at, word)| host.machine.write(arguments, at, word));
}

/// What a call came back with, of so many elements.
fn answer(host: &Host, domain: usize, asked: usize) -> Answer {
    match host.answer(domain) {
        Ok(_) => Answer { done: asked as u64, refused: None },
        Err((error, done)) => Answer { done, refused: Some(error) },
    }
}

/// Makes a call whose elements are numbers of frames.
pub fn give(host: &mut Host, domain: usize, frames: &[Mfn], call: &impl Call) -> Answer {
    argue(host, domain, frames.iter().map(|frame| frame.0));
    host.quiet(domain, call);
    answer(host, domain, frames.len())
}

/// Makes a call that answers with numbers of frames.
pub fn obtain(host: &mut Host, domain: usize, frames: &mut [Mfn], call: &impl Call) -> Answer {
    host.quiet(domain, call);
    let answer = answer(host, domain, frames.len());
    let arguments = host.state.vcpu(host.slots[domain]).arguments;
    for (at, frame) in frames.iter_mut().take(answer.done as usize).enumerate() {
        *frame = Mfn(host.machine.read(arguments, at));
    }
    answer
}

/// Maps pages, each to its frame, or unmaps those without one, in as many calls as that takes: how many,
/// from the first.
pub fn update(host: &mut Host, domain: usize, pages: &[(Pfn, Option<Mfn>)]) -> (usize, u64) {
    let (mut done, mut calls) = (0, 0);
    for chunk in pages.chunks(MAX_UPDATES as usize) {
        let updates: Vec<Update> = chunk
            .iter()
            .map(|(page, frame)| {
                let address = host.physmap(page.0);
                let target = Target::Page { space: Space::Kernel, address, flush: true };
                let permissions = Permissions { write: true, execute: false };
                Update::new(target, frame.map_or(0, |frame| Sheet::leaf(frame, permissions)))
            })
            .collect();
        argue(host, domain, updates.iter().flat_map(|update| [update.target.0, update.value]));
        host.quiet(domain, &PteUpdate::Many(chunk.len() as u64));
        calls += 1;
        let count = answer(host, domain, chunk.len()).done as usize;
        done += count;
        if count < chunk.len() {
            break;
        }
    }
    (done, calls)
}

/// The first frame of an extent that a contiguous domain was made with.
pub fn extent_of(host: &Host, domain: usize, first: Pfn) -> Mfn {
    let frame = host.p2m(domain, first.0);
    let last = host.p2m(domain, first.0 + EXTENT_FRAMES - 1);
    let is_extent = frame.0.is_multiple_of(EXTENT_FRAMES) && last.0 == frame.0 + EXTENT_FRAMES - 1;
    assert!(is_extent, "the domain's memory lies in runs");
    frame
}
