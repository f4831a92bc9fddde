//! The bundle, and the guests in it.
#![no_main]

use fuzz_harness::{Target, fuzz};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz(Target::Bundle, bytes));
