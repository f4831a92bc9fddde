//! Character devices: their numbers, and which of them the kernel has.

/// Number of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceNumber {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// A device that the kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Device {
    /// Nothing to read; takes everything.
    Null,
    /// Zeros without end; takes everything.
    Zero,
    /// Zeros without end; takes nothing: `ENOSPC`.
    Full,
    /// Random bytes.
    Random,
    /// Random bytes as well.
    Urandom,
    /// The console: the process layer's terminal.
    Console,
    /// The terminal of the process that opens it.
    Tty,
    /// Pages that the machine keeps as long as it has memory to spare: a page at each offset, there or
    /// not.
    Spare,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::Zero,
        Self::Full,
        Self::Random,
        Self::Urandom,
        Self::Console,
        Self::Tty,
        Self::Spare,
    ];

    /// Its name in `/dev`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Zero => "zero",
            Self::Full => "full",
            Self::Random => "random",
            Self::Urandom => "urandom",
            Self::Console => "console",
            Self::Tty => "tty",
            Self::Spare => "spare",
        }
    }

    /// Its number, the same as on every Linux; of those that Linux leaves to local use for what it has
    /// not.
    pub const fn number(self) -> DeviceNumber {
        let (major, minor) = match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 8),
            Self::Urandom => (1, 9),
            Self::Tty => (5, 0),
            Self::Console => (5, 1),
            Self::Spare => (240, 0),
        };
        DeviceNumber { major, minor }
    }

    /// The device with a number.
    pub fn with_number(number: DeviceNumber) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.number() == number)
    }

    /// Whether reading and writing it is the terminal's business.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Console | Self::Tty)
    }
}
