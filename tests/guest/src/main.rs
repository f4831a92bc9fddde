//! The conformance suite as a guest kernel.
//!
//! Command line:
//!
//! | word | meaning |
//! |---|---|
//! | `role=tester` | run the tests and report on them; what a domain without a role does |
//! | `role=peer` | do what the tester asks for: the other side of its tests |
//! | `tester=N` | for a peer: the domain that tests |
//! | `peers=N` | for a tester: domains 2 to N + 1 are peers; without one, tests that need it are skipped |
//! | `filter=TEXT` | only tests whose name, such as `pt_pin::tree`, contains the text |

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod guest;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "conformance-guest is an image for bare metal; `cargo xtask conformance` builds and boots it"
    );
}
