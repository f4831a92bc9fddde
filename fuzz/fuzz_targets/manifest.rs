//! The bundle's manifest alone.
#![no_main]

use fuzz_harness::{Target, fuzz};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz(Target::Manifest, bytes));
