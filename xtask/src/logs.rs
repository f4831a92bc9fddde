//! Logs of images: defmt frames decoded with the table in the ELF file that sent them.

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use defmt_decoder::{Encoding, Locations, Table};
use pv_bundle::LogLevel;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, ValueEnum)]
pub enum Level {
    /// Nothing.
    Off,
    /// What ended something.
    Error,
    /// What should be looked at.
    Warn,
    /// What happened, in a few lines.
    #[default]
    Info,
    /// What helps to find a fault, and the firmware's text.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The level as the bundle's options carry it.
    pub fn option(self) -> LogLevel {
        match self {
            Level::Off => LogLevel::Off,
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        }
    }

    fn of(frame: &defmt_decoder::Frame<'_>) -> Level {
        match frame.level().map(|level| level.as_str()) {
            Some("error") => Level::Error,
            Some("warn") => Level::Warn,
            Some("debug") => Level::Debug,
            Some("trace") => Level::Trace,
            _ => Level::Info,
        }
    }

    /// The level's name, five letters wide.
    pub fn label(self) -> &'static str {
        match self {
            Level::Off => "OFF  ",
            Level::Error => "ERROR",
            Level::Warn => "WARN ",
            Level::Info => "INFO ",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }
}

/// One line of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// The time that the image gave it, if it gives any.
    pub time: Option<String>,
    /// What it says.
    pub text: String,
    /// Where it stands: `file:line`, if the image has debug information.
    pub place: Option<String>,
}

/// What an ELF file says about its logs.
struct Decoder {
    table: Table,
    places: Locations,
}

/// The decoders of every source. A file is read when its first log comes in.
#[derive(Default)]
pub struct Logs {
    files: HashMap<u16, PathBuf>,
    decoders: HashMap<PathBuf, Option<Rc<Decoder>>>,
}

impl Logs {
    /// Decoders for the hypervisor, source 0, and for the domains, from 1 on.
    pub fn new(hypervisor: &Path, domains: &[PathBuf]) -> Logs {
        let files = std::iter::once(hypervisor.to_owned()).chain(domains.iter().cloned());
        Logs { files: (0..).zip(files).collect(), decoders: HashMap::new() }
    }

    /// Decodes one frame of a source. The error says what is wrong with it.
    pub fn decode(&mut self, source: u16, bytes: &[u8]) -> Result<Line> {
        let decoder = self.decoder(source)?;
        let (frame, used) = match decoder.table.decode(bytes) {
            Ok(decoded) => decoded,
            Err(error) => {
                bail!("a log frame of {} bytes cannot be decoded: {error:?}", bytes.len())
            }
        };
        if used != bytes.len() {
            bail!("a log frame has {} bytes too many", bytes.len() - used);
        }
        let place = decoder.places.get(&frame.index());
        Ok(Line {
            level: Level::of(&frame),
            time: frame.display_timestamp().map(|time| time.to_string()),
            text: frame.display_message().to_string(),
            place: place.map(|place| format!("{}:{}", short(&place.file), place.line)),
        })
    }

    fn decoder(&mut self, source: u16) -> Result<Rc<Decoder>> {
        let file = self.files.get(&source).with_context(|| format!("no source {source}"))?;
        if !self.decoders.contains_key(file) {
            let decoder = load(file)?.map(Rc::new);
            self.decoders.insert(file.clone(), decoder);
        }
        let decoder = self.decoders.get(file).and_then(Option::as_ref).cloned();
        decoder.with_context(|| {
            format!(
                "{} has no defmt table: build it with DEFMT_LOG set and link defmt.x",
                file.display()
            )
        })
    }
}

fn load(file: &Path) -> Result<Option<Decoder>> {
    let elf = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let Some(table) = Table::parse(&elf)? else { return Ok(None) };
    if table.encoding() != Encoding::Raw {
        bail!("{} logs in another encoding: give defmt the feature encoding-raw", file.display());
    }
    let places = table.get_locations(&elf).unwrap_or_default();
    Ok(Some(Decoder { table, places }))
}

/// A path without what every path in the workspace begins with.
fn short(path: &Path) -> String {
    path.strip_prefix(crate::workspace::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_table_and_a_source_that_is_not_there() {
        let own = std::env::current_exe().expect("a path");
        let mut logs = Logs::new(&own, &[]);
        let error = logs.decode(0, b"x").expect_err("no table").to_string();
        assert!(error.contains("DEFMT_LOG"), "{error}");
        assert!(logs.decode(1, b"x").expect_err("no source").to_string().contains("source 1"));
    }

    #[test]
    fn levels_are_in_order() {
        assert!(Level::Error < Level::Info && Level::Info < Level::Trace);
        assert_eq!(Level::default().option(), LogLevel::Info);
    }
}
