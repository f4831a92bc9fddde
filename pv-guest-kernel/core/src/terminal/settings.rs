//! How a terminal behaves: [`Settings`], what C calls `struct termios`. The numbers are Linux's,
//! which are equal on both machines.

use bitflags::bitflags;

bitflags! {
    /// What happens to bytes that come in. Linux has more; they are kept, and do nothing.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct InputFlags: u32 {
        /// The eighth bit is cleared.
        const ISTRIP = 0o40;
        /// A newline becomes a carriage return.
        const INLCR = 0o100;
        /// A carriage return is ignored.
        const IGNCR = 0o200;
        /// A carriage return becomes a newline.
        const ICRNL = 0o400;
        /// The bell rings when there is no room.
        const IMAXBEL = 0o20_000;
        /// Characters are of UTF-8: to erase one, all its bytes are.
        const IUTF8 = 0o40_000;
        const _ = !0;
    }
}

bitflags! {
    /// What happens to bytes that go out.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct OutputFlags: u32 {
        /// Anything at all.
        const OPOST = 1;
        /// A newline becomes a carriage return and a newline.
        const ONLCR = 4;
        /// A carriage return becomes a newline.
        const OCRNL = 0o10;
        /// No carriage return in the first column.
        const ONOCR = 0o20;
        /// A newline returns the carriage.
        const ONLRET = 0o40;
        /// Tabs become spaces.
        const TAB3 = 0o14_000;
        const _ = !0;
    }
}

bitflags! {
    /// The line to the terminal: nothing of it is real.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct ControlFlags: u32 {
        /// 38400 bits a second.
        const B38400 = 0o17;
        /// Eight bits in a byte.
        const CS8 = 0o60;
        /// It receives.
        const CREAD = 0o200;
        const _ = !0;
    }
}

bitflags! {
    /// What the terminal does on its own.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct LocalFlags: u32 {
        /// Some bytes are signals.
        const ISIG = 0o1;
        /// Lines are edited before they are read.
        const ICANON = 0o2;
        /// What is typed is shown.
        const ECHO = 0o10;
        /// To erase a character takes it from the screen.
        const ECHOE = 0o20;
        /// To erase a line begins a new one.
        const ECHOK = 0o40;
        /// A newline is shown even without `ECHO`.
        const ECHONL = 0o100;
        /// A signal does not throw away what was typed.
        const NOFLSH = 0o200;
        /// What writes in the background is stopped.
        const TOSTOP = 0o400;
        /// Control characters are shown as `^X`.
        const ECHOCTL = 0o1000;
        /// To erase a line takes it from the screen.
        const ECHOKE = 0o4000;
        /// Erasing words, and taking the next byte as it is.
        const IEXTEN = 0o100_000;
        const _ = !0;
    }
}

/// How many control characters there are.
pub const CHARACTERS: usize = 19;

/// A control character, by its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Control(usize);

impl Control {
    /// `SIGINT`.
    pub const INTR: Control = Control(0);
    /// `SIGQUIT`.
    pub const QUIT: Control = Control(1);
    /// Erases a character.
    pub const ERASE: Control = Control(2);
    /// Erases the line.
    pub const KILL: Control = Control(3);
    /// Ends the line without a newline; an empty one is the end.
    pub const EOF: Control = Control(4);
    /// Without lines: tenths of a second that a read waits.
    pub const TIME: Control = Control(5);
    /// Without lines: bytes that a read waits for.
    pub const MIN: Control = Control(6);
    /// `SIGTSTP`.
    pub const SUSP: Control = Control(10);
    /// Ends a line too.
    pub const EOL: Control = Control(11);
    /// Shows the line again.
    pub const REPRINT: Control = Control(12);
    /// Erases a word.
    pub const WERASE: Control = Control(14);
    /// Takes the next byte as it is.
    pub const LNEXT: Control = Control(15);
    /// Ends a line too.
    pub const EOL2: Control = Control(16);
}

/// How a terminal behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Input.
    pub input: InputFlags,
    /// Output.
    pub output: OutputFlags,
    /// The line.
    pub control: ControlFlags,
    /// The rest.
    pub local: LocalFlags,
    /// The line discipline; there is one.
    pub discipline: u8,
    /// Control characters; 0 is none.
    pub characters: [u8; CHARACTERS],
}

impl Default for Settings {
    /// As a new terminal of Linux has them, but without flow control, and with UTF-8.
    fn default() -> Settings {
        let mut characters = [0; CHARACTERS];
        for (Control(place), character) in [
            (Control::INTR, 3),
            (Control::QUIT, 28),
            (Control::ERASE, 127),
            (Control::KILL, 21),
            (Control::EOF, 4),
            (Control::MIN, 1),
            (Control::SUSP, 26),
            (Control::REPRINT, 18),
            (Control::WERASE, 23),
            (Control::LNEXT, 22),
        ] {
            characters[place] = character;
        }
        // What starts and stops output is there for programs that ask.
        (characters[8], characters[9]) = (17, 19);
        Settings {
            input: InputFlags::ICRNL | InputFlags::IUTF8,
            output: OutputFlags::OPOST | OutputFlags::ONLCR,
            control: ControlFlags::B38400 | ControlFlags::CS8 | ControlFlags::CREAD,
            local: LocalFlags::ISIG
                | LocalFlags::ICANON
                | LocalFlags::ECHO
                | LocalFlags::ECHOE
                | LocalFlags::ECHOK
                | LocalFlags::ECHOCTL
                | LocalFlags::ECHOKE
                | LocalFlags::IEXTEN,
            discipline: 0,
            characters,
        }
    }
}

impl Settings {
    /// A control character; 0 is none.
    pub fn control(&self, control: Control) -> u8 {
        self.characters[control.0]
    }

    /// Whether a byte is that control character.
    pub(super) fn is(&self, byte: u8, control: Control) -> bool {
        byte != 0 && byte == self.control(control)
    }

    /// Whether lines are edited before they are read.
    pub(super) fn has_lines(&self) -> bool {
        self.local.contains(LocalFlags::ICANON)
    }
}

/// The size of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
    /// Width in pixels; 0 if nobody knows.
    pub width: u16,
    /// Height in pixels; 0 if nobody knows.
    pub height: u16,
}

impl Default for WindowSize {
    fn default() -> WindowSize {
        WindowSize { rows: 24, columns: 80, width: 0, height: 0 }
    }
}
