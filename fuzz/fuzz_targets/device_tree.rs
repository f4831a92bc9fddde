//! The device tree.
#![no_main]

use fuzz_harness::{Target, fuzz};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz(Target::DeviceTree, bytes));
