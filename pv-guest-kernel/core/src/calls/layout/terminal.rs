//! The kernel's `struct termios`, `struct termios2` and `struct winsize`, which are equal on both
//! machines, and not what the C library calls so.

use super::{Record, field, u32_at};
use crate::terminal::{
    CHARACTERS, ControlFlags, InputFlags, LocalFlags, OutputFlags, Settings, WindowSize,
};

/// Bytes of `struct termios`.
pub const TERMIOS: usize = 36;
/// Bytes of `struct termios2`.
pub const TERMIOS2: usize = 44;

/// Bits a second, as the settings of a new terminal say.
const SPEED: u32 = 38400;

/// `struct termios`.
pub fn termios(settings: &Settings) -> Record<TERMIOS> {
    let mut record = Record::default();
    put(settings, &mut record);
    record
}

/// `struct termios2`.
pub fn termios2(settings: &Settings) -> Record<TERMIOS2> {
    let mut record = Record::default();
    put(settings, &mut record);
    record.u32(SPEED).u32(SPEED);
    record
}

fn put<const N: usize>(settings: &Settings, record: &mut Record<N>) {
    record.u32(settings.input.bits()).u32(settings.output.bits());
    record.u32(settings.control.bits()).u32(settings.local.bits());
    record.u8(settings.discipline).put(&settings.characters);
}

/// The settings that either structure says.
pub fn settings_from(bytes: &[u8]) -> Settings {
    Settings {
        input: InputFlags::from_bits_retain(u32_at(bytes, 0)),
        output: OutputFlags::from_bits_retain(u32_at(bytes, 4)),
        control: ControlFlags::from_bits_retain(u32_at(bytes, 8)),
        local: LocalFlags::from_bits_retain(u32_at(bytes, 12)),
        discipline: bytes[16],
        characters: field::<CHARACTERS>(bytes, 17),
    }
}

/// `struct winsize`.
pub fn winsize(size: WindowSize) -> Record<8> {
    let mut record = Record::default();
    record.u16(size.rows).u16(size.columns).u16(size.width).u16(size.height);
    record
}

/// The size that a `struct winsize` says.
pub fn window_from(bytes: &[u8]) -> WindowSize {
    let at = |at| u16::from_le_bytes(field(bytes, at));
    WindowSize { rows: at(0), columns: at(2), width: at(4), height: at(6) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_there_and_back() {
        let mut settings = Settings { discipline: 7, ..Settings::default() };
        settings.characters = core::array::from_fn(|index| index as u8);
        settings.input |= InputFlags::from_bits_retain(1 << 31);
        assert_eq!(termios(&settings).bytes().len(), TERMIOS);
        assert_eq!(settings_from(termios(&settings).bytes()), settings);
        assert_eq!(settings_from(termios2(&settings).bytes()), settings);
        let size = WindowSize { rows: 1, columns: 2, width: 3, height: 4 };
        assert_eq!(window_from(winsize(size).bytes()), size);
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn numbers_are_those_of_the_c_library() {
        use crate::terminal::Control;
        assert_eq!(termios2(&Settings::default()).bytes().len(), size_of::<libc::termios2>());
        assert_eq!(CHARACTERS, 19);
        for (ours, theirs) in [
            (InputFlags::ISTRIP.bits(), libc::ISTRIP),
            (InputFlags::INLCR.bits(), libc::INLCR),
            (InputFlags::IGNCR.bits(), libc::IGNCR),
            (InputFlags::ICRNL.bits(), libc::ICRNL),
            (InputFlags::IMAXBEL.bits(), libc::IMAXBEL),
            (InputFlags::IUTF8.bits(), libc::IUTF8),
            (OutputFlags::OPOST.bits(), libc::OPOST),
            (OutputFlags::ONLCR.bits(), libc::ONLCR),
            (OutputFlags::OCRNL.bits(), libc::OCRNL),
            (OutputFlags::ONOCR.bits(), libc::ONOCR),
            (OutputFlags::ONLRET.bits(), libc::ONLRET),
            (OutputFlags::TAB3.bits(), libc::TAB3),
            (ControlFlags::B38400.bits(), libc::B38400),
            (ControlFlags::CS8.bits(), libc::CS8),
            (ControlFlags::CREAD.bits(), libc::CREAD),
            (LocalFlags::ISIG.bits(), libc::ISIG),
            (LocalFlags::ICANON.bits(), libc::ICANON),
            (LocalFlags::ECHO.bits(), libc::ECHO),
            (LocalFlags::ECHOE.bits(), libc::ECHOE),
            (LocalFlags::ECHOK.bits(), libc::ECHOK),
            (LocalFlags::ECHONL.bits(), libc::ECHONL),
            (LocalFlags::NOFLSH.bits(), libc::NOFLSH),
            (LocalFlags::TOSTOP.bits(), libc::TOSTOP),
            (LocalFlags::ECHOCTL.bits(), libc::ECHOCTL),
            (LocalFlags::ECHOKE.bits(), libc::ECHOKE),
            (LocalFlags::IEXTEN.bits(), libc::IEXTEN),
        ] {
            assert_eq!(ours, theirs);
        }
        let characters = core::array::from_fn(|index| index as u8);
        let settings = Settings { characters, ..Settings::default() };
        for (ours, theirs) in [
            (Control::INTR, libc::VINTR),
            (Control::QUIT, libc::VQUIT),
            (Control::ERASE, libc::VERASE),
            (Control::KILL, libc::VKILL),
            (Control::EOF, libc::VEOF),
            (Control::TIME, libc::VTIME),
            (Control::MIN, libc::VMIN),
            (Control::SUSP, libc::VSUSP),
            (Control::EOL, libc::VEOL),
            (Control::REPRINT, libc::VREPRINT),
            (Control::WERASE, libc::VWERASE),
            (Control::LNEXT, libc::VLNEXT),
            (Control::EOL2, libc::VEOL2),
        ] {
            assert_eq!(usize::from(settings.control(ours)), theirs);
        }
    }
}
