//! Says hello: the least that a kernel must be able to run.
#![no_std]
#![no_main]

use kernel_programs::{Start, println, program};

program!(main);

fn main(_: &Start) -> i32 {
    println!("hello, world");
    0
}
