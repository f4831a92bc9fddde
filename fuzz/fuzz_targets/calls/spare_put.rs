//! `spare_put`, among the calls that lead up to it.
#![no_main]

use fuzz_harness::{Target, fuzz};
use hypercall_abi::Number;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz(Target::Call(Number::SparePut), bytes));
