//! What went otherwise than it must. It is told at once, and ends the kernel.

use core::fmt;
use pv_guest::println;

/// Something surprised the kernel, which has said what.
#[derive(Debug)]
pub struct Surprise(());

impl Surprise {
    /// Says what it is.
    pub fn new(text: fmt::Arguments<'_>) -> Surprise {
        println!("guest kernel: surprise: {text}");
        Surprise(())
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ends itself as crashed")
    }
}

/// Makes a [`Surprise`] from a format string.
macro_rules! surprise {
    ($($text:tt)*) => { $crate::kernel::surprise::Surprise::new(format_args!($($text)*)) };
}
pub(crate) use surprise;
