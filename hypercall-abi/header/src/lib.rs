//! The C header of the interface, `hypercall-abi/include/paravane.h`: [`header`] generates it
//! with cbindgen, [`assertions`] is a C file that checks it against the crate. A crate of its
//! own, as a guest's author needs neither.

mod generate;
mod layouts;
pub mod values;

pub use generate::{assertions, header};
