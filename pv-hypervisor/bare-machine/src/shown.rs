//! Registers as text, for what is said of a machine that cannot go on.

use crate::arch;
use core::fmt;

/// Registers as text, three to a line.
pub struct Shown<'a>(pub &'a arch::Registers);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in arch::named_registers(self.0).into_iter().enumerate() {
            let before = if index % 3 == 0 && index > 0 { "\n" } else { "" };
            write!(f, "{before}  {name:>7} {value:016x}")?;
        }
        Ok(())
    }
}
