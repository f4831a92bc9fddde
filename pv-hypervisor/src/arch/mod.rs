//! What differs between processors. Each architecture's module defines every name below, and
//! nothing else in the image is conditional on the architecture.
//!
//! | name | what |
//! |---|---|
//! | `ARCHITECTURE` | what guest images must be for |
//! | `Platform` | the core's description of the processor |
//! | `Registers` | the guest's registers, as the entry code stores them |
//! | `FloatingPoint` | the guest's floating-point registers; `clean`, `save`, `load`, `is_present` |
//! | `IMAGE_OFFSET` | virtual less machine address of the image |
//! | `DIRECT_MAP` | virtual address of machine address 0 |
//! | `BOOT_MAP_END` | machine address up to which the boot tables map memory |
//! | `ROOT_LEVEL` | level of the root of the page tables |
//! | `table_entry`, `leaf_entry`, `decode_entry` | entries of the hypervisor's own tables |
//! | `for_each_device` | registers of devices that the hypervisor maps for itself |
//! | `set_own_root` | goes over to the hypervisor's own tables, and remembers them |
//! | `own_root` | machine address of their root |
//! | `load_root`, `flush_all`, `flush_page` | what the processor translates by |
//! | `init_processor` | control registers, traps |
//! | `init_timer` | starts the clock: ticks in a second |
//! | `instructions` | instructions executed since some moment, under an emulator that counts them |
//! | `now`, `set_alarm` | the counter, and an interrupt when it reaches a value |
//! | `wait_for_interrupt` | sleeps until the alarm |
//! | `take_interrupt` | acknowledges the interrupt that a guest was left for |
//! | `prepare_context` | makes a vCPU the one that entries are from |
//! | `enter_guest` | goes to a vCPU for the first time |
//! | `decode_trap` | why a guest was left |
//! | `named_registers` | a guest's registers, each with its name |
//! | `serial_write`, `serial_read` | the serial line |
//! | `power_off` | the end |

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
use riscv64 as current;
#[cfg(target_arch = "x86_64")]
use x86_64 as current;

pub use current::{
    ARCHITECTURE, BOOT_MAP_END, DIRECT_MAP, FloatingPoint, IMAGE_OFFSET, Platform, ROOT_LEVEL,
    Registers, decode_entry, decode_trap, enter_guest, flush_all, flush_page, for_each_device,
    init_processor, init_timer, instructions, leaf_entry, load_root, named_registers, now,
    own_root, power_off, prepare_context, serial_read, serial_write, set_alarm, set_own_root,
    table_entry, take_interrupt, wait_for_interrupt,
};

/// Why a guest was left, other than by a call.
pub enum Entered {
    /// It did something that the processor refused, or asked for a trap.
    Trap(pv_core::Trap),
    /// A device wants something; the guest is not concerned.
    Interrupt,
}

/// An entry of a page table, decoded.
pub enum Decoded {
    /// It maps nothing.
    Absent,
    /// It names the table at this machine address.
    Table(u64),
    /// It maps memory.
    Leaf {
        /// Machine address of the first byte.
        machine: u64,
        /// It can be written.
        writable: bool,
        /// Instructions can be fetched.
        executable: bool,
        /// A guest can use it.
        user: bool,
        /// It survives a flush of guest translations.
        global: bool,
    },
}
