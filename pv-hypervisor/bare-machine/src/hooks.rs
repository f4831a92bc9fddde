//! What the image gives: where boot goes on, and what to do when something cannot.
#![allow(unsafe_code, reason = "the image's functions are found by the linker")]

use core::fmt;
use pv_boot_info::BootInfo;

unsafe extern "Rust" {
    safe fn bare_machine_start(boot: &BootInfo) -> !;
    safe fn bare_machine_stop(reason: fmt::Arguments<'_>) -> !;
}

/// Goes on in the image, on the boot stack, with the serial line open.
pub(crate) fn start(boot: &BootInfo) -> ! {
    bare_machine_start(boot)
}

/// Says why the image cannot go on, and ends.
pub(crate) fn stop(reason: fmt::Arguments<'_>) -> ! {
    bare_machine_stop(reason)
}

/// Names the image's hooks: `start: fn(&BootInfo) -> !` and `stop: fn(fmt::Arguments) -> !`.
/// Once, in a module that may have unsafe code: their names are those that the linker looks for.
#[macro_export]
macro_rules! image {
    (start: $start:path, stop: $stop:path $(,)?) => {
        #[unsafe(no_mangle)]
        fn bare_machine_start(boot: &$crate::BootInfo) -> ! {
            $start(boot)
        }

        #[unsafe(no_mangle)]
        fn bare_machine_stop(reason: ::core::fmt::Arguments<'_>) -> ! {
            $stop(reason)
        }
    };
}
