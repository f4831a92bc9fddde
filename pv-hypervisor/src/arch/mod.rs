//! What differs between processors and is the hypervisor's own; the rest is in `bare-machine`. Each
//! architecture's module defines every name below, and nothing else in the image is conditional on
//! the architecture.
//!
//! | name | what |
//! |---|---|
//! | `ARCHITECTURE` | what guest images must be for |
//! | `Platform` | the core's description of the processor |
//! | `init_processor` | control registers, traps |
//! | `prepare_context` | makes a vCPU the one that entries are from |
//! | `enter_guest` | goes to a vCPU for the first time |
//! | `decode_trap` | why a guest was left |
//! | `BlockTransport`, `block_transport`, `registers_at` | the block device, if there is one |

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
use riscv64 as current;
#[cfg(target_arch = "x86_64")]
use x86_64 as current;

pub use bare_machine::arch::{
    FloatingPoint, Registers, flush_all, flush_page, hardware_random, init_timer, instructions,
    load_root, now, own_root, power_off, serial_read, serial_write, set_alarm, take_interrupt,
    wait_for_interrupt,
};
pub use current::{
    ARCHITECTURE, BlockTransport, Platform, block_transport, decode_trap, enter_guest,
    init_processor, prepare_context, registers_at,
};

/// Why a guest was left, other than by a call.
pub enum Entered {
    /// It did something that the processor refused, or asked for a trap.
    Trap(pv_core::Trap),
    /// A device wants something; the guest is not concerned.
    Interrupt,
}
