//! Step 2, first half: page tables of the kernel's own, validated, pinned, switched to.
#![allow(unsafe_code, reason = "new page tables change what every address means")]

use super::surprise::{Surprise, surprise};
use pv_guest::{abi::Error, fresh::FreshTree, memory::Memory, println};

/// Builds a tree, shows that it cannot be pinned while it can be written, pins it, switches to
/// it, and gives the tables that the kernel came up on to the free pages.
pub fn build_and_switch(memory: &mut Memory) -> Result<(), Surprise> {
    println!("[2] page tables of its own");
    let boot_root = memory.kernel_root();
    let mut tree = FreshTree::new(memory).map_err(|error| surprise!("new tree: {error}"))?;
    tree.map_kernel(memory).map_err(|error| surprise!("map_kernel: {error}"))?;
    tree.protect_tables(memory);
    let tables = tree.table_count(memory);
    println!("    built {tables} tables, root mfn {:#x}, in free pages", tree.root().0);
    match tree.pin(memory) {
        Err(Error::TypeConflict) => {
            println!("    pt_pin while they are mapped writable: TypeConflict");
        }
        other => return Err(surprise!("pt_pin of writable tables: {other:?}")),
    }
    tree.make_read_only(memory).map_err(|error| surprise!("make_read_only: {error}"))?;
    tree.pin(memory).map_err(|error| surprise!("pt_pin of read-only tables: {error}"))?;
    println!("    pt_pin once they are read-only: validated and pinned");
    let free = memory.free_pages();
    // SAFETY: `map_kernel` has mapped image, stack and memory as they were; the pages of the
    // image are reached where it is linked alone.
    unsafe { tree.switch(memory) }.map_err(|error| surprise!("switch: {error}"))?;
    println!(
        "    pt_switch from root mfn {:#x}; the {} tables of the loader are free pages now",
        boot_root.0,
        memory.free_pages() - free,
    );
    defmt::debug!("on own tables, root {=u64:#x}", memory.kernel_root().0);
    Ok(())
}
