//! What a machine says, on the screen: text by lines with who said it, logs with level and
//! place, traces by name.

use crate::logs::{Level, Line, Logs};
use crate::names;
use console::Style;
use pv_wire::{Item, Kind, OwnedMessage, TraceRecord, record};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Bytes of firmware text that are kept for the error of a run that never began.
const FIRMWARE_KEPT: usize = 2048;

/// Bytes of a line that is not finished before it is shown as it is.
const LINE_BYTES: usize = 4096;

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Logs up to this level.
    pub level: Level,
    /// Text only, as it comes, with nothing added.
    pub plain: bool,
    /// On the error output, as the output is for something else.
    pub on_error_output: bool,
}

/// The screen of one machine.
pub struct Screen {
    out: Box<dyn Write>,
    look: Look,
    colour: bool,
    labels: BTreeMap<u16, String>,
    width: usize,
    logs: Logs,
    /// Unfinished lines by source.
    lines: BTreeMap<u16, Vec<u8>>,
    firmware: Vec<u8>,
    /// Sources whose logs cannot be decoded, which is said once.
    mute: Vec<u16>,
}

impl Screen {
    /// A screen for domains of those names, from 1 on.
    pub fn new(look: Look, names: &[String], logs: Logs) -> Screen {
        let (out, colour): (Box<dyn Write>, bool) = if look.on_error_output {
            (Box::new(io::stderr()), console::colors_enabled_stderr())
        } else {
            (Box::new(io::stdout()), console::colors_enabled())
        };
        Screen::to(out, colour, look, names, logs)
    }

    /// A screen that writes there.
    pub fn to(
        out: Box<dyn Write>,
        colour: bool,
        look: Look,
        names: &[String],
        logs: Logs,
    ) -> Screen {
        let mut labels = BTreeMap::from([(0, "hypervisor".to_owned())]);
        labels.extend((1..).zip(names).map(|(id, name)| (id, format!("{id} {name}"))));
        let width = labels.values().map(|label| console::measure_text_width(label)).max();
        Screen {
            out,
            look,
            colour,
            labels,
            width: width.unwrap_or(0),
            logs,
            lines: BTreeMap::new(),
            firmware: Vec::new(),
            mute: Vec::new(),
        }
    }

    /// Shows what came in.
    pub fn show(&mut self, item: &Item) {
        match item {
            Item::Outside(bytes) => self.outside(bytes),
            Item::Message(message) => self.message(message),
        }
    }

    /// Shows the lines that were never finished.
    pub fn finish(&mut self) {
        for (source, line) in std::mem::take(&mut self.lines) {
            if !line.is_empty() {
                self.line(source, &String::from_utf8_lossy(&line));
            }
        }
    }

    /// The last of the firmware's text.
    pub fn firmware(&self) -> String {
        String::from_utf8_lossy(&self.firmware).replace('\r', "").trim().to_owned()
    }

    fn outside(&mut self, bytes: &[u8]) {
        self.firmware.extend(bytes);
        let surplus = self.firmware.len().saturating_sub(FIRMWARE_KEPT);
        self.firmware.drain(..surplus);
        if self.look.plain {
            self.write(&String::from_utf8_lossy(bytes));
        } else if self.look.level >= Level::Debug {
            let text = console::strip_ansi_codes(&String::from_utf8_lossy(bytes)).replace('\r', "");
            let text = self.style(Style::new().dim()).apply_to(text).to_string();
            self.write(&text);
        }
    }

    fn message(&mut self, message: &OwnedMessage) {
        let source = message.source.0;
        match message.kind {
            Kind::Text if self.look.plain => self.write(&String::from_utf8_lossy(&message.bytes)),
            Kind::Text => self.text(source, &message.bytes),
            Kind::Log if !self.look.plain => self.log(source, &message.bytes),
            Kind::Trace if !self.look.plain => self.trace(&message.bytes),
            Kind::Log | Kind::Trace | Kind::Report | Kind::GuestReport => {}
        }
    }

    fn text(&mut self, source: u16, bytes: &[u8]) {
        for &byte in bytes {
            let line = self.lines.entry(source).or_default();
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() == LINE_BYTES {
                let line = std::mem::take(line);
                self.line(source, &String::from_utf8_lossy(&line));
            }
        }
    }

    fn log(&mut self, source: u16, bytes: &[u8]) {
        match self.logs.decode(source, bytes) {
            Ok(line) if line.level <= self.look.level => {
                let line = self.log_line(&line);
                self.line(source, &line);
            }
            Ok(_) => {}
            Err(error) => {
                if !self.mute.contains(&source) {
                    self.mute.push(source);
                    self.line(source, &format!("(its logs cannot be shown: {error:#})"));
                }
            }
        }
    }

    fn log_line(&self, line: &Line) -> String {
        let style = match line.level {
            Level::Error => Style::new().red().bold(),
            Level::Warn => Style::new().yellow(),
            Level::Info => Style::new().green(),
            Level::Off | Level::Debug | Level::Trace => Style::new().dim(),
        };
        let level = self.style(style).apply_to(line.level.label());
        let time = line.time.as_ref().map(|time| format!("{time} ")).unwrap_or_default();
        let place = line.place.as_ref().map(|place| format!("  ({place})")).unwrap_or_default();
        let place = self.style(Style::new().dim()).apply_to(place);
        format!("{level} {time}{}{place}", line.text)
    }

    fn trace(&mut self, bytes: &[u8]) {
        let Some(trace) = record::decode::<TraceRecord>(bytes) else { return };
        let text = self.style(Style::new().dim()).apply_to(trace_line(&trace)).to_string();
        self.line(trace.domain, &text);
    }

    fn line(&mut self, source: u16, text: &str) {
        let label = match self.labels.get(&source) {
            Some(label) => label.clone(),
            None => source.to_string(),
        };
        let pad = " ".repeat(self.width.saturating_sub(console::measure_text_width(&label)));
        let styles = [
            Style::new().cyan(),
            Style::new().magenta(),
            Style::new().green(),
            Style::new().yellow(),
            Style::new().blue(),
        ];
        let style = match source {
            0 => Style::new().bold(),
            _ => styles[usize::from(source - 1) % styles.len()].clone(),
        };
        let label = self.style(style).apply_to(format!("[{label}]"));
        let text = text.replace('\r', "");
        self.write(&format!("{label}{pad} {text}\n"));
    }

    fn style(&self, style: Style) -> Style {
        style.force_styling(self.colour)
    }

    /// Writes, and does not mind when nobody reads: the run and its verdict go on.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

/// A hypercall in one line: its name, its arguments without the zeros at the end, what came
/// back, and the ticks that it took.
fn trace_line(trace: &TraceRecord) -> String {
    let used = trace.args.iter().rposition(|argument| *argument != 0).map_or(0, |last| last + 1);
    let arguments: Vec<String> =
        trace.args[..used].iter().map(|argument| format!("{argument:#x}")).collect();
    format!(
        "{}({}) = {} {:#x}, {} ticks",
        names::call(trace.call),
        arguments.join(", "),
        names::status(trace.status),
        trace.value,
        trace.ticks
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pv_wire::Source;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(look: Look, items: &[Item]) -> String {
        let out = Shared::default();
        let names = ["guest-1".to_owned(), "b".to_owned()];
        let mut screen = Screen::to(Box::new(out.clone()), false, look, &names, Logs::default());
        items.iter().for_each(|item| screen.show(item));
        screen.finish();
        let bytes = out.0.borrow().clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    const LOOK: Look = Look { level: Level::Info, plain: false, on_error_output: false };

    fn message(source: u16, kind: Kind, bytes: &[u8]) -> Item {
        Item::Message(OwnedMessage { source: Source(source), kind, bytes: bytes.to_vec() })
    }

    #[test]
    fn lines_of_several_speakers_stay_apart() {
        let items = [
            message(1, Kind::Text, b"hel"),
            message(2, Kind::Text, b"other\r\n"),
            Item::Outside(b"OpenSBI\n".to_vec()),
            message(1, Kind::Text, b"lo\nunfinished"),
            message(0, Kind::Text, b"up\n"),
        ];
        assert_eq!(
            shown(LOOK, &items),
            "[2 b]        other\n[1 guest-1]  hello\n[hypervisor] up\n[1 guest-1]  unfinished\n"
        );
    }

    #[test]
    fn plain_is_text_alone() {
        let items = [
            Item::Outside(b"OpenSBI\n".to_vec()),
            message(1, Kind::Text, b"hel"),
            message(1, Kind::Log, b"\x01"),
            message(2, Kind::Text, b"lo\n"),
        ];
        assert_eq!(shown(Look { plain: true, ..LOOK }, &items), "OpenSBI\nhello\n");
    }

    #[test]
    fn firmware_text_is_shown_with_debug() {
        let items = [Item::Outside(b"OpenSBI\r\n".to_vec())];
        assert_eq!(shown(Look { level: Level::Debug, ..LOOK }, &items), "OpenSBI\n");
        assert_eq!(shown(LOOK, &items), "");
    }

    #[test]
    fn logs_that_cannot_be_decoded_are_reported_once() {
        let items = [message(1, Kind::Log, b"\x01"), message(1, Kind::Log, b"\x02")];
        assert_eq!(shown(LOOK, &items).lines().count(), 1);
    }

    #[test]
    fn calls_are_traced_by_name() {
        let trace = TraceRecord {
            domain: 1,
            call: 2,
            args: [0x1234, 4, 0, 0, 0, 0],
            status: 5,
            value: 0,
            ticks: 120,
        };
        assert_eq!(trace_line(&trace), "pt_pin(0x1234, 0x4) = TypeConflict 0x0, 120 ticks");
        let unknown = TraceRecord { call: 99, args: [0; 6], status: 1, ..trace };
        assert_eq!(trace_line(&unknown), "call 99() = UnknownCall 0x0, 120 ticks");
    }
}
