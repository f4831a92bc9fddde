//! Step 1: the pseudo-physical map. Pages are numbered without a gap; the machine frames behind
//! them lie wherever the hypervisor put them.

use pv_guest::{
    abi::{Pfn, start_info::StartInfo},
    memory::Memory,
    println,
};

/// Rows of the map that are shown.
const ROWS: usize = 6;

/// Prints the map in short, and what the hypervisor has put where.
pub fn show(info: &StartInfo, memory: &Memory) {
    let map = memory.p2m();
    let runs = map.runs().count();
    let lowest = map.runs().map(|(_, frame, _)| frame.0).min().unwrap_or(0);
    let highest = map.runs().map(|(_, frame, pages)| frame.0 + pages - 1).max().unwrap_or(0);
    println!("[1] the pseudo-physical map");
    println!(
        "    pfn 0..{} without a gap, over {runs} runs of machine frames between mfn {lowest:#x} and {highest:#x}",
        map.pages(),
    );
    for (first, frame, pages) in map.runs().take(ROWS) {
        if pages == 1 {
            println!("      pfn {:<5} -> mfn {:#x}", first.0, frame.0);
        } else {
            println!("      pfn {:<5} -> mfn {:#x}, {pages} in a row", first.0, frame.0);
        }
    }
    if runs > ROWS {
        println!("      ...");
    }
    let parts = [
        ("map", info.p2m_pfn, info.image_pfn),
        ("image", info.image_pfn, info.stack_pfn),
        ("stack", info.stack_pfn, info.tables_pfn),
        ("page tables", info.tables_pfn, info.free_pfn),
        ("free", info.free_pfn, Pfn(info.frames)),
    ];
    for (name, first, end) in parts {
        println!("      pfn {:<5} {name}, {} pages", first.0, end.0.saturating_sub(first.0));
    }
}
