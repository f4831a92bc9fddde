//! The machine: how a program starts, makes a system call and returns from a signal; and the
//! numbers of the calls. Each architecture defines the same names.

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
pub use riscv64::{Action, SPARE_ADDRESS, call, counter, number};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Action, SPARE_ADDRESS, call, counter, number};

/// Makes the constants of the calls' numbers.
macro_rules! numbers {
    ($($name:ident = $number:literal,)*) => {
        /// The numbers of the system calls that the programs make.
        #[allow(missing_docs, reason = "each is the number of the call of its name")]
        pub mod number {
            $(pub const $name: usize = $number;)*
        }
    };
}
use numbers;
