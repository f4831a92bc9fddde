//! Measures what operations cost, in instructions that the guest and the hypervisor execute
//! for them: under `-icount` a counter counts instructions. Each figure is the median of
//! several runs, less an empty pair of readings. `cargo xtask bench` boots two of these.
//!
//! Command line: `role=bench peer=N`; `role=worst peer=N`, which makes each call at its longest
//! first; `role=extents`, which gives 1 GiB back; or `role=peer peer=N` for the domain that gives grants
//! and answers events.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod bench;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("bench-guest is an image for bare metal; `cargo xtask bench` builds and boots it");
}
