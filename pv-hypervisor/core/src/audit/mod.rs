//! The audit: every invariant that the state alone can show, recomputed from scratch.
//!
//! It believes no counter. It walks every page table, root, pin, grant, handle, registration
//! and walk that is under way, counts what they refer to, and compares. One function an
//! invariant; the numbers are those of the book's page on frames.
//!
//! It costs in the order of the machine's memory: it runs in tests, in model checking and,
//! in debug images, after calls.

use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{DomainId, Mfn};

mod domains;
mod frames;
mod sharing;
mod tables;
mod truth;

use truth::Truth;

/// An invariant that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Violation {
    /// The number of the invariant: 1 to 49.
    pub invariant: u8,
    /// What is wrong.
    pub what: &'static str,
    /// With which frame, if with one.
    pub frame: Option<Mfn>,
    /// With which domain, if with one.
    pub domain: Option<DomainId>,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "I{} does not hold: {}", self.invariant, self.what)?;
        if let Some(frame) = self.frame {
            write!(f, ", frame {:#x}", frame.0)?;
        }
        if let Some(domain) = self.domain {
            write!(f, ", domain {}", domain.0)?;
        }
        Ok(())
    }
}

type Audit = Result<(), Violation>;

fn frame_violation(invariant: u8, what: &'static str, frame: Mfn) -> Violation {
    Violation { invariant, what, frame: Some(frame), domain: None }
}

fn domain_violation(invariant: u8, what: &'static str, domain: DomainId) -> Violation {
    Violation { invariant, what, frame: None, domain: Some(domain) }
}

/// Recomputes every invariant.
///
/// # Errors
/// The first [`Violation`] found.
pub fn audit<P: Platform, M: Machine>(state: &State<P>, machine: &M) -> Audit {
    frames::i1_conservation(state)?;
    let truth = Truth::of(state, machine)?;
    frames::i2_free_is_free(state, &truth)?;
    frames::i3_exact_references(state, &truth)?;
    frames::i4_exact_type_references(state, &truth)?;
    frames::i5_domain_totals(state)?;
    frames::i6_no_counter_wrap(state)?;
    frames::i7_writable_xor_table(state, &truth)?;
    tables::i10_hypervisor_region(state, machine)?;
    tables::i11_canonical_states(state, &truth)?;
    tables::i13_live_roots(state)?;
    sharing::i20_grant_pins(state)?;
    sharing::i21_handles_and_entries(state, &truth)?;
    sharing::i32_port_table(state)?;
    sharing::i33_interface_frames(state)?;
    domains::i34_no_lost_wakeup(state)?;
    domains::i45_quotas(state)?;
    domains::i46_teardown(state)?;
    domains::i48_generations(state)
}
