//! The census of page tables: how many there are at this moment, whose, of what level and for
//! what. It is for the operator; nothing is decided by it.

use crate::domain::{Domain, Slot};
use crate::format::{Entry, Format};
use crate::frame::{Frame, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::{DomainId, Mfn};

/// Levels that a table can have.
pub const LEVELS: usize = 4;

/// The validated page tables of one domain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Census {
    /// Whose.
    pub domain: DomainId,
    /// Roots that its kernel runs on.
    pub kernel_roots: u64,
    /// Other roots through which something is mapped: those of processes.
    pub process_roots: u64,
    /// Other roots through which nothing is.
    pub empty_roots: u64,
    /// Tables by level, those of level 1 first, roots included.
    pub tables: [u64; LEVELS],
}

impl<P: Platform> State<P> {
    /// The census of each domain that runs. It looks at every frame of the machine once for each
    /// of them, and at the trees of those: no guest can ask for it.
    pub fn census<M: Machine>(&self, machine: &M) -> impl Iterator<Item = Census> {
        let running = self.domains().filter(|(_, domain)| domain.is_running());
        running.map(|(slot, domain)| self.census_of(machine, slot, domain))
    }

    fn census_of<M: Machine>(&self, machine: &M, slot: Slot, domain: &Domain) -> Census {
        let mut census = Census {
            domain: domain.id,
            kernel_roots: 0,
            process_roots: 0,
            empty_roots: 0,
            tables: [0; LEVELS],
        };
        for (frame, entry) in self.frames.iter() {
            let Frame::Owned(owned) = entry else { continue };
            let Type::Table(level) = owned.kind else { continue };
            if owned.owner != domain.id || !owned.hold.is_valid() {
                continue;
            }
            census.tables[usize::from(level.number()) - 1] += 1;
            if level != P::Format::ROOT {
                continue;
            }
            let kind = if self.vcpu(slot).kernel_root == Some(frame) {
                &mut census.kernel_roots
            } else if maps_something::<P::Format, M>(machine, frame, level) {
                &mut census.process_roots
            } else {
                &mut census.empty_roots
            };
            *kind += 1;
        }
        census
    }
}

/// Whether a validated table maps a page of the guest's, itself or by a table that it names.
fn maps_something<F: Format, M: Machine>(machine: &M, table: Mfn, level: Level) -> bool {
    let slots = if level == F::ROOT { F::FIRST_RESERVED_SLOT } else { F::ENTRIES };
    (0..slots).any(|slot| match (F::decode(machine.read(table, slot), level), level.below()) {
        (Ok(Entry::Leaf(_)), _) => true,
        (Ok(Entry::Table(below)), Some(level)) => maps_something::<F, M>(machine, below, level),
        _ => false,
    })
}
