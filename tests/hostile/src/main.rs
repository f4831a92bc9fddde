//! A guest that makes random calls with random registers and runs random code, and guests that
//! do honest work beside it. `cargo xtask hostile` boots one of the former and two of the latter.
//!
//! Command line:
//!
//! | word | meaning |
//! |---|---|
//! | `role=hostile` | random calls, until `calls=N` of them have been made |
//! | `seed=N` | what they are drawn from |
//! | `role=honest` | rounds of work, each checked, until domain `hostile=N` is gone |
//! | `role=partner` | what `role=honest` shares pages and events with |
//! | `peer=N` | the partner; for the hostile guest the first of its two victims |

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod guest;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "hostile-guest is an image for bare metal; `cargo xtask hostile` builds and boots it"
    );
}
