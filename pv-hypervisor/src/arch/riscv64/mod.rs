//! riscv64: the guest kernel and its processes in U-mode, the hypervisor in S-mode on an SBI.

mod block;
mod trap;

pub use bare_machine::arch::Registers;
pub use block::{BlockTransport, block_transport, registers_at};
pub use pv_core::Riscv64Sv39 as Platform;
pub use trap::{decode_trap, enter_guest, init_processor, prepare_context};

/// The processor that guest images must be for.
pub const ARCHITECTURE: pv_bundle::Architecture = pv_bundle::Architecture::Riscv64;
