//! Tests of the line discipline.

use super::*;
use alloc::{string::String, vec};
use proptest::prelude::*;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Types, and returns the echo and the keys.
fn type_in(terminal: &mut Terminal, bytes: &[u8]) -> (String, Vec<Key>) {
    let mut echo = Vec::new();
    let keys = terminal.receive(bytes, 0, &mut echo);
    (text(&echo), keys)
}

fn read(terminal: &mut Terminal, count: usize) -> String {
    let mut to = vec![0; count];
    let count = terminal.read(&mut to);
    text(&to[..count])
}

fn raw() -> Settings {
    Settings {
        input: InputFlags::empty(),
        output: OutputFlags::empty(),
        local: LocalFlags::empty(),
        ..Settings::default()
    }
}

fn with(change: impl FnOnce(&mut Settings)) -> Terminal {
    let mut settings = Settings::default();
    change(&mut settings);
    let mut terminal = Terminal::default();
    terminal.set_settings(settings);
    terminal
}

#[test]
fn a_line_is_read_when_it_is_ended() {
    let mut terminal = Terminal::default();
    assert_eq!(type_in(&mut terminal, b"ls"), ("ls".into(), vec![]));
    assert_eq!((terminal.ready(9, None, 0), terminal.available()), (Ready::Later(None), 0));
    assert!(!terminal.is_readable());
    assert_eq!(type_in(&mut terminal, b"\recho\n").0, "\r\necho\r\n");
    assert_eq!((terminal.ready(9, None, 0), terminal.available()), (Ready::Now, 3));
    assert_eq!(read(&mut terminal, 2), "ls");
    assert_eq!(read(&mut terminal, 9), "\n");
    assert_eq!(read(&mut terminal, 9), "echo\n");
    assert_eq!(terminal.ready(9, None, 0), Ready::Later(None));
    assert_eq!(terminal.ready(0, None, 0), Ready::Now);
}

#[test]
fn the_end_is_read_as_nothing_and_once() {
    let mut terminal = Terminal::default();
    assert_eq!(type_in(&mut terminal, b"ab\x04").0, "ab");
    assert_eq!(read(&mut terminal, 2), "ab");
    assert_eq!(terminal.ready(9, None, 0), Ready::Later(None));
    type_in(&mut terminal, b"\x04");
    assert!(terminal.is_readable());
    assert_eq!(terminal.ready(9, None, 0), Ready::Now);
    assert_eq!(read(&mut terminal, 9), "");
    assert_eq!(terminal.ready(9, None, 0), Ready::Later(None));
}

#[test]
fn keys_are_signals_and_throw_the_line_away() {
    let mut terminal = Terminal::default();
    let (echo, keys) = type_in(&mut terminal, b"abc\x03def\x1a\x1c\n");
    assert_eq!(echo, "abc^Cdef^Z^\\\r\n");
    assert_eq!(keys, [Key::Interrupt, Key::Suspend, Key::Quit]);
    assert_eq!(read(&mut terminal, 9), "\n");

    let mut terminal = with(|settings| settings.local |= LocalFlags::NOFLSH);
    assert_eq!(type_in(&mut terminal, b"abc\x03\n").1, [Key::Interrupt]);
    assert_eq!(read(&mut terminal, 9), "abc\n");

    let mut terminal = with(|settings| settings.local -= LocalFlags::ISIG);
    assert_eq!(type_in(&mut terminal, b"a\x03\n"), ("a^C\r\n".into(), vec![]));
    assert_eq!(read(&mut terminal, 9), "a\x03\n");
}

#[test]
fn characters_words_and_lines_are_erased() {
    let mut terminal = Terminal::default();
    assert_eq!(type_in(&mut terminal, b"abc\x7f").0, "abc\x08 \x08");
    assert_eq!(type_in(&mut terminal, b"\x7f\x7f\x7f").0, "\x08 \x08\x08 \x08");
    assert_eq!(
        type_in(&mut terminal, b"rm -rf a_b \x17x\n").0,
        "rm -rf a_b \x08 \x08\x08 \x08\x08 \x08\x08 \x08x\r\n"
    );
    assert_eq!(read(&mut terminal, 20), "rm -rf x\n");
    assert_eq!(type_in(&mut terminal, b"ab\x15c\n").0, "ab\x08 \x08\x08 \x08c\r\n");
    assert_eq!(read(&mut terminal, 20), "c\n");
}

#[test]
fn a_character_of_utf8_is_erased_whole_and_takes_one_column() {
    let mut terminal = Terminal::default();
    let typed = "aäö😀".as_bytes();
    assert_eq!(type_in(&mut terminal, typed).0, "aäö😀");
    assert_eq!(type_in(&mut terminal, b"\x7f\x7f").0, "\x08 \x08\x08 \x08");
    type_in(&mut terminal, b"\n");
    assert_eq!(read(&mut terminal, 20), "aä\n");

    let mut terminal = with(|settings| settings.input -= InputFlags::IUTF8);
    type_in(&mut terminal, "ä\x7f\n".as_bytes());
    let mut to = [0; 9];
    let count = terminal.read(&mut to);
    assert_eq!(to[..count], [0xc3, b'\n']);
}

#[test]
fn control_characters_and_tabs_are_erased_as_they_were_shown() {
    let mut terminal = Terminal::default();
    assert_eq!(type_in(&mut terminal, b"\x01\x7f").0, "^A\x08 \x08\x08 \x08");
    assert_eq!(type_in(&mut terminal, b"abc\t\x7f").0, "abc\t\x08\x08\x08\x08\x08");
    // Behind a prompt the tab is shorter.
    type_in(&mut terminal, b"\x15");
    terminal.write(b"\n$ ", &mut Vec::new());
    assert_eq!(type_in(&mut terminal, b"abc\t\x7f").0, "abc\t\x08\x08\x08");
}

#[test]
fn without_visible_erasing_the_key_is_shown() {
    let mut terminal = with(|settings| settings.local -= LocalFlags::ECHOE | LocalFlags::ECHOKE);
    assert_eq!(type_in(&mut terminal, b"ab\x7f").0, "ab^?");
    assert_eq!(type_in(&mut terminal, b"\x15").0, "^U\r\n");
    let mut terminal = with(|settings| settings.local -= LocalFlags::ECHO);
    assert_eq!(type_in(&mut terminal, b"secret\x7f\x7f\n").0, "");
    assert_eq!(read(&mut terminal, 20), "secr\n");
    let mut terminal = with(|settings| {
        settings.local -= LocalFlags::ECHO;
        settings.local |= LocalFlags::ECHONL;
    });
    assert_eq!(type_in(&mut terminal, b"secret\n").0, "\r\n");
}

#[test]
fn the_next_byte_can_be_taken_as_it_is() {
    let mut terminal = Terminal::default();
    let (echo, keys) = type_in(&mut terminal, b"a\x16\x03\x16\x7f\x16\x04\n");
    assert_eq!((echo.as_str(), keys.len()), ("a^\x08^C^\x08^?^\x08^D\r\n", 0));
    assert_eq!(read(&mut terminal, 9), "a\x03\x7f\x04\n");
    let mut terminal = with(|settings| settings.local -= LocalFlags::IEXTEN);
    type_in(&mut terminal, b"a\x16\x17\n");
    assert_eq!(read(&mut terminal, 9), "a\x16\x17\n");
}

#[test]
fn the_line_can_be_shown_again() {
    let mut terminal = Terminal::default();
    assert_eq!(type_in(&mut terminal, b"ab\x12\x7f").0, "ab^R\r\nab\x08 \x08");
}

#[test]
fn carriage_returns_and_newlines_are_translated_as_asked() {
    let mut terminal = with(|settings| settings.input = InputFlags::IGNCR);
    type_in(&mut terminal, b"a\r\n");
    assert_eq!(read(&mut terminal, 9), "a\n");
    let mut terminal = with(|settings| settings.input = InputFlags::INLCR);
    type_in(&mut terminal, b"a\n\x04");
    assert_eq!(read(&mut terminal, 9), "a\r");
    let mut terminal = with(|settings| settings.input |= InputFlags::ISTRIP);
    type_in(&mut terminal, b"\xe1\n");
    assert_eq!(read(&mut terminal, 9), "a\n");
    let mut terminal = with(|settings| settings.characters[11] = b';');
    type_in(&mut terminal, b"a;b");
    assert_eq!(read(&mut terminal, 9), "a;");
}

#[test]
fn output_is_translated_as_asked() {
    let mut out = Vec::new();
    let mut terminal = Terminal::default();
    terminal.write(b"a\n\tb\r", &mut out);
    assert_eq!(text(&out), "a\r\n\tb\r");
    let mut terminal = with(|settings| settings.output = OutputFlags::OPOST | OutputFlags::TAB3);
    out.clear();
    terminal.write(b"ab\tc\n", &mut out);
    assert_eq!(text(&out), "ab      c\n");
    let mut terminal = with(|settings| {
        settings.output = OutputFlags::OPOST | OutputFlags::OCRNL | OutputFlags::ONOCR;
    });
    out.clear();
    terminal.write(b"\ra\rb", &mut out);
    assert_eq!(text(&out), "a\nb");
    let mut terminal = with(|settings| settings.output = OutputFlags::empty());
    out.clear();
    terminal.write(b"a\nb", &mut out);
    assert_eq!(text(&out), "a\nb");
}

#[test]
fn without_lines_each_byte_can_be_read_at_once() {
    let mut terminal = Terminal::default();
    type_in(&mut terminal, b"one\ntw");
    terminal.set_settings(raw());
    assert_eq!(terminal.available(), 6);
    assert_eq!(type_in(&mut terminal, b"\x03\x04\r"), (String::new(), vec![]));
    assert_eq!(read(&mut terminal, 5), "one\nt");
    assert_eq!(read(&mut terminal, 9), "w\x03\x04\r");
    assert_eq!(read(&mut terminal, 9), "");
    // What was typed without lines is one when there are lines again.
    type_in(&mut terminal, b"a\nb");
    terminal.set_settings(Settings::default());
    assert_eq!(read(&mut terminal, 9), "a\nb");
}

#[test]
fn a_read_without_lines_waits_for_bytes_or_time() {
    const SECOND: u64 = 1_000_000_000;
    let ask = |least, time, typed: &[u8], wanted, until, now| {
        let mut terminal = Terminal::default();
        let mut settings = raw();
        (settings.characters[6], settings.characters[5]) = (least, time);
        terminal.set_settings(settings);
        terminal.receive(typed, 3 * SECOND, &mut Vec::new());
        terminal.ready(wanted, until, now)
    };
    assert_eq!(ask(1, 0, b"", 9, None, SECOND), Ready::Later(None));
    assert_eq!(ask(1, 0, b"a", 9, None, SECOND), Ready::Now);
    assert_eq!(ask(3, 0, b"ab", 9, None, SECOND), Ready::Later(None));
    assert_eq!(ask(3, 0, b"ab", 2, None, SECOND), Ready::Now);
    assert_eq!(ask(0, 0, b"", 9, None, SECOND), Ready::Now);
    let end = SECOND + SECOND / 2;
    assert_eq!(ask(0, 5, b"", 9, None, SECOND), Ready::Later(Some(end)));
    assert_eq!(ask(0, 5, b"", 9, Some(end), end - 1), Ready::Later(Some(end)));
    assert_eq!(ask(0, 5, b"", 9, Some(end), end), Ready::Now);
    assert_eq!(ask(0, 5, b"a", 9, None, SECOND), Ready::Now);
    assert_eq!(ask(3, 10, b"", 9, None, 9 * SECOND), Ready::Later(None));
    // From the read on, if that came later than what was typed; from the last byte otherwise.
    assert_eq!(ask(3, 10, b"a", 9, None, 5 * SECOND), Ready::Later(Some(6 * SECOND)));
    assert_eq!(ask(3, 10, b"a", 9, Some(SECOND), 3 * SECOND), Ready::Later(Some(4 * SECOND)));
    assert_eq!(ask(3, 10, b"a", 9, Some(4 * SECOND), 4 * SECOND), Ready::Now);
}

#[test]
fn a_line_that_is_too_long_can_still_be_ended() {
    let mut terminal = with(|settings| settings.input |= InputFlags::IMAXBEL);
    type_in(&mut terminal, &[b'x'; CAPACITY - 1]);
    assert_eq!(terminal.room(), 1);
    assert_eq!(type_in(&mut terminal, b"y").0, "\x07");
    assert_eq!(terminal.room(), 1);
    type_in(&mut terminal, b"\n");
    assert_eq!((terminal.room(), terminal.available()), (0, CAPACITY));
    assert_eq!(read(&mut terminal, CAPACITY).len(), CAPACITY);
    // Ends without a byte take room too.
    while terminal.room() > 0 {
        type_in(&mut terminal, b"\x04");
    }
    assert_eq!(terminal.available(), 0);
    terminal.flush_input();
    assert_eq!(terminal.room(), CAPACITY);
}

#[test]
fn a_terminal_belongs_to_one_session() {
    let mut terminal = Terminal::default();
    terminal.acquire(Pid(3), Pid(4));
    assert_eq!((terminal.session, terminal.foreground), (Some(Pid(3)), Some(Pid(4))));
    assert_eq!(terminal.give_up(), Some(Pid(4)));
    assert_eq!((terminal.session, terminal.foreground), (None, None));
}

/// What a line of the screen shows after these bytes.
fn screen(bytes: &[u8]) -> String {
    let (mut shown, mut at) = (Vec::new(), 0);
    for character in text(bytes).chars() {
        match character {
            '\x08' => at -= 1,
            character => {
                shown.resize(shown.len().max(at + 1), ' ');
                shown[at] = character;
                at += 1;
            }
        }
    }
    shown.into_iter().collect::<String>().trim_end().into()
}

fn key() -> impl Strategy<Value = u8> {
    prop_oneof![4 => b'a'..b'e', 1 => Just(b' '), 1 => Just(b'-'), 3 => Just(0x7f), 1 => Just(0x17), 1 => Just(0x15)]
}

proptest! {
    #[test]
    fn the_screen_shows_the_line(keys in prop::collection::vec(key(), 0..40)) {
        let mut terminal = Terminal::default();
        let (mut model, mut echo) = (Vec::new(), Vec::new());
        for key in keys {
            terminal.receive(&[key], 0, &mut echo);
            match key {
                0x7f => {
                    model.pop();
                }
                0x15 => model.clear(),
                0x17 => {
                    while model.last().is_some_and(|byte: &u8| !byte.is_ascii_alphanumeric()) {
                        model.pop();
                    }
                    while model.last().is_some_and(u8::is_ascii_alphanumeric) {
                        model.pop();
                    }
                }
                key => model.push(key),
            }
        }
        let expected = text(&model);
        prop_assert_eq!(screen(&echo), expected.trim_end());
        terminal.receive(b"\n", 0, &mut echo);
        model.push(b'\n');
        prop_assert_eq!(read(&mut terminal, 99), text(&model));
    }

    #[test]
    fn any_bytes_with_any_settings_stay_within_the_room(
        steps in prop::collection::vec(
            (any::<[u32; 2]>(), prop::collection::vec(any::<u8>(), 0..900), 0..900usize),
            0..12,
        ),
    ) {
        let mut terminal = Terminal::default();
        for ([input, local], bytes, count) in steps {
            let settings = Settings {
                input: InputFlags::from_bits_retain(input),
                local: LocalFlags::from_bits_retain(local),
                output: OutputFlags::from_bits_retain(input ^ local),
                ..Settings::default()
            };
            terminal.set_settings(settings);
            for byte in bytes {
                if terminal.room() > 0 {
                    terminal.receive(&[byte], 0, &mut Vec::new());
                }
            }
            prop_assert!(terminal.ready.len() + terminal.line.len() <= CAPACITY);
            prop_assert!(terminal.ready.taken() <= CAPACITY + 1);
            let available = terminal.available();
            prop_assert!(terminal.read(&mut vec![0; count]) == available.min(count));
        }
    }

    #[test]
    fn without_settings_bytes_come_out_as_they_went_in(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
    ) {
        let mut terminal = Terminal::default();
        terminal.set_settings(raw());
        let (mut got, mut out) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            prop_assert_eq!(terminal.receive(chunk, 0, &mut Vec::new()), []);
            terminal.write(chunk, &mut out);
            let mut to = [0; 30];
            let count = terminal.read(&mut to);
            got.extend_from_slice(&to[..count]);
        }
        let mut rest = vec![0; CAPACITY];
        let count = terminal.read(&mut rest);
        got.extend_from_slice(&rest[..count]);
        prop_assert_eq!(&got, &chunks.concat());
        prop_assert_eq!(&out, &chunks.concat());
    }
}
