//! Makes the tables of a process fit to run: what is fresh is protected, named and validated.

use super::{
    space::Space,
    tables::{Tables, must, noted, protect, write, write_page},
};
use alloc::vec::Vec;
use pv_guest::{
    calls,
    memory::Memory,
    paging::{PagingError, Protection},
};

impl Tables {
    /// Makes a space fit to run: its fresh tables are protected, and named by those that are
    /// validated already. The updates wait, and travel with the return to the process; only a
    /// root that is fresh takes a call.
    #[inline]
    pub fn seal(&self, memory: &mut Memory, space: &mut Space) {
        if space.fresh {
            self.seal_fresh(memory, space);
        }
    }

    #[inline(never)]
    fn seal_fresh(&self, memory: &mut Memory, space: &mut Space) {
        let root_level = self.format.root_level();
        for (_, _, table) in space.below_root().filter(|(_, _, table)| !table.sealed) {
            protect(memory, *table, Protection::READ);
        }
        if !space.root.sealed {
            protect(memory, space.root, Protection::READ);
            must(memory.flush());
            must(calls::pt_pin(space.root.frame, root_level).map_err(PagingError::Refused));
            space.root.sealed = true;
        } else {
            let fresh: Vec<_> = space
                .below_root()
                .filter(|(_, _, table)| !table.sealed)
                .map(|(level, address, table)| (level, address, table.frame))
                .collect();
            for (level, address, frame) in fresh {
                // Named by a fresh one it is validated together with that.
                if let Some(above) = level.above()
                    && let Some(parent) = space.upper(above, root_level, address)
                    && parent.sealed
                {
                    let entry = self.format.table_entry(frame);
                    write(memory, parent, self.format.index(above, address), entry);
                }
            }
        }
        if self.by_page {
            for leaf in space.leaves.iter().filter(|leaf| !leaf.table.sealed) {
                for (index, value) in leaf.mapping().filter_map(|at| Some((at, noted(leaf, at)?))) {
                    write_page(memory, leaf.table, index, value);
                }
            }
        }
        space.below_root().for_each(|(_, _, table)| table.sealed = true);
        space.fresh = false;
    }
}
