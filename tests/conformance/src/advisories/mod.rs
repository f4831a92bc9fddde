//! Attacks on hypervisors that were published, made here, by subject. Those that are one
//! call's matter stand with the call, in [`calls`](crate::calls). `tests/catalogue` says which
//! advisory is answered by which test.

pub mod abi;
pub mod events;
pub mod grants;
pub mod instructions;
pub mod processor_state;
pub mod rules;
pub mod tables;

use crate::{Check, OWN, Page, Permit, Stop, Test, outcome::Message, test::SCRATCH};
use hypercall_abi::{
    Mfn, VirtAddr,
    addr::Level,
    calls::{
        PteUpdate,
        pte_update::{Target, Update},
    },
};

/// An update of one entry of a table.
fn at(table: Mfn, index: u16, value: u64) -> PteUpdate {
    PteUpdate::One(Update::new(Target::Entry { table, index }, value))
}

fn leaf(t: &Test<'_>, page: Page, permit: Permit) -> u64 {
    t.entries().leaf(page.frame, permit)
}

/// The level-2 table that leads to [`SCRATCH`] and its surroundings.
fn level_2(t: &mut Test<'_>) -> Check<Mfn> {
    t.reach(OWN, SCRATCH)?;
    let entries = t.entries();
    let (mut table, mut level) = (t.root(OWN), entries.root_level());
    while level > Level::L2 {
        let entry = t.entry_of(OWN, table, entries.index(SCRATCH, level))?;
        let below = level.below();
        let below = below.ok_or(Stop::Error(Message::new(format_args!("no level below"))))?;
        (table, level) = (entries.frame(entry), below);
    }
    Ok(table)
}

/// An address that the next entry of [`level_2`] leads to.
const BESIDE: VirtAddr = VirtAddr(SCRATCH.0 + (1 << 21));
