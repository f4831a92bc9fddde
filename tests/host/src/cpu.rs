//! The processors that the suite runs on.

use pv_core::{Platform, Riscv64Sv39, Riscv64Sv48, X86_64};

/// A processor that the suite runs on.
pub trait Cpu: Platform<Format: Clone> {
    /// Its name in the names of tests.
    const NAME: &'static str;
}

impl Cpu for X86_64 {
    const NAME: &'static str = "x86_64";
}

impl Cpu for Riscv64Sv39 {
    const NAME: &'static str = "sv39";
}

impl Cpu for Riscv64Sv48 {
    const NAME: &'static str = "sv48";
}
