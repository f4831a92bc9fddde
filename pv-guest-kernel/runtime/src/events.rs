//! Event channels: handlers of ports, taking what is pending, waiting.
#![allow(
    unsafe_code,
    reason = "handlers are kept as addresses, as there are no atomic function pointers"
)]

use crate::{calls, pending, vcpu};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use hypercall_abi::{Port, vcpu_page::EVENT_WORDS};

/// Handles an event on a port. It runs with events masked, on whatever stack was in use.
pub type Handler = fn(Port);

static HANDLERS: [AtomicUsize; Port::COUNT as usize] =
    [const { AtomicUsize::new(0) }; Port::COUNT as usize];

/// Ports without a handler on which an event came: taken by [`take`] and [`wait_any`].
static ARRIVED: [AtomicU64; EVENT_WORDS] = [const { AtomicU64::new(0) }; EVENT_WORDS];

fn place(port: Port) -> (usize, u64) {
    assert!(port.0 > 0 && port.0 < Port::COUNT, "ports are 1 to {}", Port::COUNT - 1);
    (port.0 as usize / 64, 1 << (port.0 % 64))
}

/// Sets or takes away the handler of a port.
///
/// # Panics
/// If the port's number is out of range.
pub fn set_handler(port: Port, handler: Option<Handler>) {
    place(port);
    let address = handler.map_or(0, |handler| handler as usize);
    HANDLERS[port.0 as usize].store(address, Ordering::Release);
}

/// Takes every unmasked pending event: calls the port's handler, or notes that it came.
/// For callers that have masked events: the trap entry does, and [`unmask`].
pub fn dispatch() {
    pending::take(&vcpu::Page, |port| match HANDLERS[port.0 as usize].load(Ordering::Acquire) {
        0 => {
            let (index, bit) = place(port);
            ARRIVED[index].fetch_or(bit, Ordering::Release);
        }
        address => {
            // SAFETY: only `set_handler` writes the table: 0, or a `Handler`.
            let handler = unsafe { core::mem::transmute::<usize, Handler>(address) };
            handler(port);
        }
    });
}

/// Masks events; whether they were masked before.
pub fn mask() -> bool {
    vcpu::events_masked().swap(1, Ordering::SeqCst) != 0
}

/// Unmasks events, and handles those that came while they were masked.
pub fn unmask() {
    pending::unmask(&vcpu::Page, dispatch);
}

/// Whether an event has come on a port without a handler since this was last asked.
///
/// # Panics
/// If the port's number is out of range.
pub fn take(port: Port) -> bool {
    let (index, bit) = place(port);
    ARRIVED[index].fetch_and(!bit, Ordering::AcqRel) & bit != 0
}

/// Sleeps until an event has come on one of the ports, which have no handler; that port. The
/// vCPU is blocked meanwhile.
///
/// # Panics
/// If a port's number is out of range.
pub fn wait_any(ports: &[Port]) -> Port {
    let were_masked = mask();
    let port = loop {
        if vcpu::events_pending().load(Ordering::SeqCst) != 0 {
            dispatch();
        }
        if let Some(port) = ports.iter().copied().find(|port| take(*port)) {
            break port;
        }
        calls::sched_block();
        // The call unmasks events. With a trap entry they have been dispatched by now; without
        // one that is done above.
        mask();
    };
    if !were_masked {
        unmask();
    }
    port
}
