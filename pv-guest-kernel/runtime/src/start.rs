//! From the hypervisor's first instruction in the guest to the kernel's main function.
#![allow(unsafe_code, reason = "the start information is at an address that a register tells")]

use crate::{argument, calls, events, physmap, time, vcpu};
use core::fmt;
use hypercall_abi::{
    AbiVersion,
    calls::shutdown::ShutdownReason,
    start_info::{MAGIC, StartInfo},
};

/// Names the kernel's main function, `fn(&'static StartInfo)` with a result that
/// [`finish`](crate::start::finish) knows, and makes the ELF note by which the image says that
/// it is a guest. A second argument is a [`GuestNote`](hypercall_abi::note::GuestNote) other than
/// [`CURRENT`](hypercall_abi::note::GuestNote::CURRENT).
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        $crate::entry!($main, $crate::abi::note::GuestNote::CURRENT);
    };
    ($main:path, $note:expr) => {
        const _: () = {
            #[allow(unsafe_code, reason = "the loader looks for this section")]
            #[used]
            #[unsafe(link_section = ".note.paravane")]
            static NOTE: $crate::abi::note::ElfNote = $crate::abi::note::ElfNote::new($note);

            #[allow(unsafe_code, reason = "the runtime calls this symbol")]
            #[unsafe(no_mangle)]
            fn __pv_guest_main(info: &'static $crate::abi::start_info::StartInfo) {
                $crate::start::finish($main(info));
            }
        };
    };
}

unsafe extern "Rust" {
    /// The kernel's main function, made by [`entry!`](crate::entry).
    safe fn __pv_guest_main(info: &'static StartInfo);
}

/// What a main function may return.
pub trait Outcome {
    /// Says what went wrong, if something did, and why the domain ends.
    fn reason(self) -> ShutdownReason;
}

impl Outcome for () {
    fn reason(self) -> ShutdownReason {
        ShutdownReason::PowerOff
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn reason(self) -> ShutdownReason {
        match self {
            Ok(()) => ShutdownReason::PowerOff,
            Err(error) => {
                crate::println!("guest kernel: {error}");
                ShutdownReason::Crash
            }
        }
    }
}

/// Ends the domain with the outcome of its main function.
pub fn finish<O: Outcome>(outcome: O) -> ! {
    calls::shutdown(outcome.reason())
}

/// Called once by the architecture's entry with what the hypervisor left in the first argument
/// register.
pub(crate) extern "C" fn start(info: *const StartInfo) -> ! {
    // SAFETY: the hypervisor enters with the address of the start information, which nobody
    // writes any more, and which the kernel keeps mapped there.
    let info: &'static StartInfo = unsafe { &*info };
    if info.magic != MAGIC || !info.version.accepts(AbiVersion::CURRENT) {
        calls::shutdown(ShutdownReason::Crash);
    }
    vcpu::init(info);
    argument::init(info);
    physmap::init(info);
    time::init(info);
    // Until the kernel registers a trap entry an event only sets its bit.
    events::unmask();
    __pv_guest_main(info);
    calls::shutdown(ShutdownReason::PowerOff)
}
