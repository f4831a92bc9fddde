//! The architectures that Paravane runs on.

use clap::ValueEnum;
use pv_bundle::Architecture;
use std::fmt;

/// A machine's architecture, as `--arch` takes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, ValueEnum)]
pub enum Arch {
    /// 64-bit x86.
    #[default]
    #[value(name = "x86_64", alias = "x86-64")]
    X86_64,
    /// 64-bit RISC-V.
    #[value(name = "riscv64", alias = "riscv")]
    Riscv64,
}

impl Arch {
    /// Every architecture.
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Riscv64];

    /// The architectures that an option names: that one, or else all of them.
    pub fn chosen(option: Option<Arch>) -> Vec<Arch> {
        option.map_or_else(|| Arch::ALL.to_vec(), |arch| vec![arch])
    }

    /// The name, as `--arch` takes it.
    pub fn name(self) -> &'static str {
        self.elf().name()
    }

    /// rustc's name of the bare-metal target.
    pub fn target(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-none",
            Arch::Riscv64 => "riscv64imac-unknown-none-elf",
        }
    }

    /// What guest images are checked against.
    pub fn elf(self) -> Architecture {
        match self {
            Arch::X86_64 => Architecture::X86_64,
            Arch::Riscv64 => Architecture::Riscv64,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
