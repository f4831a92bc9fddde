//! What differs between processors. Each architecture's module defines every name below; `processor`
//! and `cause` have more that is for the image's entry code alone, and differ.
//!
//! | name | what |
//! |---|---|
//! | `Registers` | the user's registers, as the entry code stores them |
//! | `FloatingPoint` | the user's floating-point registers; `clean`, `save`, `load`, `is_present` |
//! | `IMAGE_OFFSET` | virtual less machine address of the image |
//! | `DIRECT_MAP` | virtual address of machine address 0 |
//! | `BOOT_MAP_END` | machine address up to which the boot tables map memory |
//! | `ROOT_LEVEL` | level of the root of the page tables |
//! | `table_entry`, `leaf_entry`, `decode_entry` | entries of the image's own tables |
//! | `for_each_device` | registers of devices that the image maps for itself |
//! | `set_own_root` | goes over to the image's own tables, and remembers them |
//! | `own_root` | machine address of their root |
//! | `load_root`, `flush_all`, `flush_page` | what the processor translates by |
//! | `init_timer` | starts the clock: ticks in a second |
//! | `instructions` | instructions executed since some moment, under an emulator that counts them |
//! | `now`, `set_alarm` | the counter, and an interrupt when it reaches a value |
//! | `hardware_random` | a random number, if the processor gives any |
//! | `wait_for_interrupt` | sleeps until the alarm |
//! | `take_interrupt` | acknowledges the interrupt that user mode was left for |
//! | `decode_trap` | why user mode was left, other than by a call |
//! | `named_registers` | a user's registers, each with its name |
//! | `serial_write`, `serial_read` | the serial line |
//! | `power_off` | the end |
//! | `processor`, `cause` | control registers and what traps leave |

use hypercall_abi::trap::Cause;

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// What user mode did that the processor refused, or asked for a trap by.
pub struct Trap {
    /// What happened.
    pub cause: Cause,
    /// What a page fault tried, or the processor's error code.
    pub code: u64,
    /// The address of a fault, else 0.
    pub address: u64,
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
        /// User mode can use it.
        user: bool,
        /// It survives a flush of users' translations.
        global: bool,
    },
}
