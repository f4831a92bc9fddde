//! The conformance suite on the host: [`Host`] executes what a test asks for on pv-core and
//! its model of a machine, for each of the three page-table formats. After every step the
//! audit runs, and what the modelled translation cache holds is checked.

#![forbid(unsafe_code)]

mod caller;
mod cpu;
mod host;
mod world;

pub use cpu::Cpu;
pub use host::Host;
