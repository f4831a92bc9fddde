//! The keys of the windows: those behind [`PREFIX`] are ours, all others a guest's.

/// Begins a key of ours: Ctrl-A, as in `screen` and on QEMU's own console.
pub const PREFIX: u8 = 0x01;

/// Pages of 8 MiB.
const STEP: i32 = 2048;

/// What the keys do.
pub const HELP: &str = "
  Each guest has a window; what is typed goes to the guest that is seen.

  Ctrl-A 0 ... 9   see that window; 0 is the hypervisor's, with every log
  Ctrl-A n, p      see the next, the previous
  Ctrl-A +, -      this guest is to have 8 MiB more, or fewer
  Ctrl-A x         leave: the machine is ended
  Ctrl-A Ctrl-A    type Ctrl-A
  Ctrl-A ?         this text, and back
";

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A byte for the guest.
    Type(u8),
    /// That window.
    Window(usize),
    /// The next window.
    Next,
    /// The previous window.
    Previous,
    /// The help, or its end.
    Help,
    /// That the guest that is seen has so many pages more, or fewer.
    Memory(i32),
    /// To leave.
    Leave,
}

/// Takes what is typed apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keys {
    prefixed: bool,
}

impl Keys {
    /// Takes a byte; what it asks for, if it does. A key of ours that is none does nothing.
    pub fn feed(&mut self, byte: u8) -> Option<Action> {
        if !std::mem::take(&mut self.prefixed) {
            self.prefixed = byte == PREFIX;
            return (byte != PREFIX).then_some(Action::Type(byte));
        }
        match byte {
            PREFIX => Some(Action::Type(PREFIX)),
            b'0'..=b'9' => Some(Action::Window(usize::from(byte - b'0'))),
            b'n' | b' ' => Some(Action::Next),
            b'p' => Some(Action::Previous),
            b'+' => Some(Action::Memory(STEP)),
            b'-' => Some(Action::Memory(-STEP)),
            b'x' => Some(Action::Leave),
            b'?' => Some(Action::Help),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_ours_are_behind_the_prefix() {
        let mut keys = Keys::default();
        let mut typed = |text: &[u8]| -> Vec<Action> {
            text.iter().filter_map(|byte| keys.feed(*byte)).collect()
        };
        assert_eq!(typed(b"x?"), [Action::Type(b'x'), Action::Type(b'?')]);
        assert_eq!(typed(b"\x01"), []);
        assert_eq!(typed(b"xx"), [Action::Leave, Action::Type(b'x')]);
        assert_eq!(
            typed(b"\x013\x01n\x01 \x01p"),
            [Action::Window(3), Action::Next, Action::Next, Action::Previous]
        );
        assert_eq!(typed(b"\x01+\x01-"), [Action::Memory(2048), Action::Memory(-2048)]);
        assert_eq!(typed(b"\x01\x01\x01zq"), [Action::Type(1), Action::Type(b'q')]);
    }
}
