//! The panic handler: says what and where, then ends the domain as crashed.

use crate::{calls, println, vcpu};
use core::{
    panic::PanicInfo,
    sync::atomic::{AtomicBool, Ordering},
};
use hypercall_abi::calls::shutdown::ShutdownReason;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static PANICKING: AtomicBool = AtomicBool::new(false);
    // A panic while this one is told would come here again and again.
    if !PANICKING.swap(true, Ordering::Relaxed) && vcpu::is_ready() {
        vcpu::events_masked().store(1, Ordering::SeqCst);
        println!("guest kernel: {info}");
    }
    calls::shutdown(ShutdownReason::Crash)
}
