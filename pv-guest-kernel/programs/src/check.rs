//! What ends a program that found something wrong.

use crate::calls::exit;
use core::fmt::Arguments;
use core::panic::PanicInfo;

/// Ends the program as failed unless the condition holds, saying where and what.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            $crate::check::failed(file!(), line!(), format_args!($($what)+));
        }
    };
}

/// Says what is wrong and ends the program with 1.
pub fn failed(file: &str, line: u32, what: Arguments<'_>) -> ! {
    crate::println!("FAILED at {file}:{line}: {what}");
    exit(1)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::println!("FAILED: {info}");
    exit(101)
}
