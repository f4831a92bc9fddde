//! The audit: every invariant that a state can show, recomputed from scratch.
//!
//! It believes no counter. It walks every page table, root, pin, grant, handle, registration
//! and walk that is under way, counts what they refer to, and compares. One function an
//! invariant; the numbers are those of the book's page on invariants, which also says how those
//! are shown that no state can show. `mutations` shows that each of them can fail.
//!
//! It costs in the order of the machine's memory: it runs in tests, in model checking and,
//! in debug images, after calls.

use crate::domain::{Domain, Slot};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::Vcpu;
use hypercall_abi::{DomainId, Mfn};

mod away;
mod cow;
mod domains;
mod frames;
#[cfg(test)]
mod mutations;
mod sharing;
mod spare;
mod tables;
#[cfg(any(test, feature = "model"))]
mod translations;
mod truth;
mod vcpu;

#[cfg(any(test, feature = "model"))]
pub use translations::audit_translations;
use truth::Truth;

/// An invariant that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Violation {
    /// The number of the invariant: 1 to 51.
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

/// Domains with their vCPUs. A vCPU without a domain is I46's alone.
fn vcpus<P: Platform>(state: &State<P>) -> impl Iterator<Item = (Slot, &Vcpu, &Domain)> {
    state.vcpus().filter_map(|(slot, vcpu)| {
        let (_, domain) = state.domains().find(|(found, _)| *found == slot)?;
        Some((slot, vcpu, domain))
    })
}

/// The invariants that a state and the words of its frames show, in the order in which they
/// are recomputed. The model of a machine shows more: `audit_translations`.
const AUDITED: [u8; 30] = [
    1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 20, 21, 23, 25, 26, 27, 32, 33, 34, 36, 38, 41, 45,
    46, 48, 50, 51,
];

/// Recomputes every invariant that a state can show.
///
/// # Errors
/// The first [`Violation`] found.
pub fn audit<P: Platform, M: Machine>(state: &State<P>, machine: &M) -> Audit {
    let truth = Truth::of(state, machine);
    AUDITED.iter().try_for_each(|number| recompute(*number, state, machine, &truth))
}

/// Recomputes one invariant.
fn recompute<P: Platform, M: Machine>(
    number: u8,
    state: &State<P>,
    machine: &M,
    truth: &Truth,
) -> Audit {
    match number {
        1 => frames::i1_conservation(state),
        2 => frames::i2_free_is_free(state, truth),
        3 => frames::i3_exact_references(state, truth),
        4 => frames::i4_exact_type_references(state, truth),
        5 => frames::i5_domain_totals(state),
        6 => frames::i6_no_counter_wrap(state),
        7 => frames::i7_writable_xor_table(state, truth),
        10 => tables::i10_hypervisor_region(state, machine),
        11 => tables::i11_canonical_states(state, truth),
        13 => tables::i13_live_roots(state),
        20 => sharing::i20_grant_pins(state),
        21 => sharing::i21_handles_and_entries(state, truth),
        23 => vcpu::i23_interface_frames(state),
        25 => cow::i25_copy_on_write(state, machine, truth),
        26 => cow::i26_pages_and_frames(state),
        27 => frames::i27_special_frames(state, truth),
        32 => sharing::i32_port_table(state),
        33 => vcpu::i33_registered_areas(state),
        34 => vcpu::i34_no_lost_event(state, machine),
        36 => vcpu::i36_registered_addresses(state),
        38 => vcpu::i38_caller_mode(state),
        41 => vcpu::i41_bounded_cursors(state),
        45 => domains::i45_quotas(state),
        46 => domains::i46_teardown(state),
        48 => domains::i48_generations(state),
        50 => away::i50_pages_away(state, machine, truth),
        51 => spare::i51_spare_memory(state),
        // I9, I12 and I14 were judged entry by entry, while the references were counted.
        entry => truth.fault(entry),
    }
}
