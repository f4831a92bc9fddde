//! Calls of a domain about its frames, and where a domain's pages lie.

use balloon::Answer;
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::{
    Call, PteUpdate, TlbFlush,
    pte_update::{MAX_UPDATES, Space, Target, Update},
    tlb_flush::FlushScope,
};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Mfn, Pfn};
use pv_core::format::{Entry, Format, Permissions};
use pv_core::{Machine, X86_64};
use std::collections::BTreeMap;

pub type Host = World<X86_64>;
type Sheet = pv_core::format::X86_64;

/// How pages are mapped, and tables.
const WRITABLE: Permissions = Permissions { write: true, execute: false };
const SEALED: Permissions = Permissions { write: false, execute: false };

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
    let updates: Vec<Update> = pages
        .iter()
        .map(|(page, frame)| {
            page_update(host, *page, frame.map_or(0, |frame| Sheet::leaf(frame, WRITABLE)))
        })
        .collect();
    make(host, domain, &updates)
}

/// The update of a page's entry in its domain's own map.
fn page_update(host: &Host, page: Pfn, value: u64) -> Update {
    let address = host.physmap(page.0);
    Update::new(Target::Page { space: Space::Kernel, address, flush: true }, value)
}

/// Makes updates, in as many calls as that takes: how many, from the first.
fn make(host: &mut Host, domain: usize, updates: &[Update]) -> (usize, u64) {
    let (mut done, mut calls) = (0, 0);
    for chunk in updates.chunks(MAX_UPDATES as usize) {
        argue(host, domain, chunk.iter().flat_map(|update| [update.target.0, update.value]));
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

/// A level-1 table that maps the pages of an extent in its domain's own map.
#[derive(Clone, Copy, Debug)]
pub struct LeafTable {
    frame: Mfn,
    /// Which page of the domain's it is.
    page: Pfn,
    /// The entry that names it.
    above: Target,
}

/// Updates of each table that goes out of the map or into it.
const UPDATES: usize = 2;

/// Takes tables out of the map, and makes ordinary pages of them: how many, from the first, and in how
/// many calls.
pub fn take_tables_out(host: &mut Host, domain: usize, tables: &[LeafTable]) -> (usize, u64) {
    let updates: Vec<Update> = tables
        .iter()
        .flat_map(|table| {
            let ordinary = page_update(host, table.page, Sheet::leaf(table.frame, WRITABLE));
            [Update::new(table.above, 0), ordinary]
        })
        .collect();
    let (done, calls) = make(host, domain, &updates);
    host.quiet(domain, &TlbFlush { scope: FlushScope::All });
    (done / UPDATES, calls + 1)
}

/// Writes tables, each for the extent that begins with a frame, and puts them into the map.
pub fn put_tables_in(host: &mut Host, domain: usize, tables: &[(LeafTable, Mfn)]) -> (usize, u64) {
    let mut updates = Vec::new();
    for (table, first) in tables {
        for at in 0..EXTENT_FRAMES {
            let value = Sheet::leaf(Mfn(first.0 + at), WRITABLE);
            host.machine.write(table.frame, at as usize, value);
        }
        updates.push(page_update(host, table.page, Sheet::leaf(table.frame, SEALED)));
        updates.push(Update::new(table.above, Sheet::table(table.frame)));
    }
    let (done, calls) = make(host, domain, &updates);
    (done / UPDATES, calls)
}

/// The tables that map the extents from a page on, of which all are whole. They are pages before it.
pub fn leaf_tables(
    host: &Host,
    domain: usize,
    pages: core::ops::Range<u64>,
) -> BTreeMap<Pfn, LeafTable> {
    let page_of: BTreeMap<Mfn, Pfn> =
        (0..pages.start).map(|page| (host.mapped(domain, page), Pfn(page))).collect();
    let table = |first| {
        let (table, index, value) = host.entry(domain, first, Level::L2);
        let Ok(Entry::Table(frame)) = Sheet::decode(value, Level::L2) else {
            panic!("page {first} is mapped")
        };
        let above = Target::Entry { table, index: index as u16 };
        (Pfn(first), LeafTable { frame, page: page_of[&frame], above })
    };
    pages.step_by(EXTENT_FRAMES as usize).map(table).collect()
}

/// The first frame of an extent that a contiguous domain was made with.
pub fn extent_of(host: &Host, domain: usize, first: Pfn) -> Mfn {
    let frame = host.p2m(domain, first.0);
    let last = host.p2m(domain, first.0 + EXTENT_FRAMES - 1);
    let is_extent = frame.0.is_multiple_of(EXTENT_FRAMES) && last.0 == frame.0 + EXTENT_FRAMES - 1;
    assert!(is_extent, "the domain's memory lies in runs");
    frame
}
