//! A guest's file, up to a domain that is built of it.
#![no_main]

use fuzz_harness::{Target, fuzz};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz(Target::Elf, bytes));
