//! What an experiment found: tables, figures beside a paper's, a picture.

use super::picture::Picture;
use crate::table;
use serde_json::{Map, Value, json};
use std::fmt;

/// All of it.
pub struct Outcome {
    /// Tables, in order.
    pub tables: Vec<Rows>,
    /// Figures, beside those they are measured against.
    pub figures: Vec<Figure>,
    /// What has to be known to read them.
    pub remarks: Vec<String>,
    /// The picture.
    pub picture: Picture,
}

/// A table; the first column names its rows.
pub struct Rows {
    /// What it shows.
    pub title: String,
    /// Names of columns.
    pub header: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
}

/// What stands in a table.
pub enum Cell {
    /// A word.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A number with so many decimals.
    Number(f64, usize),
}

/// One figure.
pub struct Figure {
    /// What it is.
    pub what: String,
    /// The paper's, and whose.
    pub reference: String,
    /// Ours.
    pub ours: String,
    /// Whether ours is what it has to be; `None` where it is only shown.
    pub holds: Option<bool>,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => text.fmt(formatter),
            Cell::Count(count) => count.fmt(formatter),
            Cell::Number(number, decimals) => write!(formatter, "{number:.decimals$}"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl Cell {
    fn json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Count(count) => json!(count),
            Cell::Number(number, decimals) => {
                let scale = 10f64.powi(i32::try_from(*decimals).unwrap_or(0));
                json!((number * scale).round() / scale)
            }
        }
    }
}

impl Rows {
    /// An empty table.
    pub fn new(title: impl Into<String>, header: &[&str]) -> Rows {
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Rows { title: title.into(), header, rows: Vec::new() }
    }

    /// Whether there is a number in a column: one of words alone is read from the left.
    pub fn has_numbers(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.any(|cell| !matches!(cell, Cell::Text(_)))
    }

    fn text(&self) -> String {
        let mut rows = table::new(&self.header);
        for row in &self.rows {
            rows.add_row(row.iter().map(Cell::to_string));
        }
        let numbers = (1..self.header.len()).filter(|column| self.has_numbers(*column));
        table::align_right(&mut rows, numbers);
        format!("{}\n\n{}", self.title, table::text(&rows))
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = self.header.iter().zip(row).map(|(name, cell)| (name.clone(), cell.json()));
            Value::Object(cells.collect::<Map<_, _>>())
        });
        json!({ "title": self.title, "rows": rows.collect::<Vec<_>>() })
    }
}

impl Outcome {
    /// For people.
    pub fn text(&self) -> String {
        let mut text: String = self.tables.iter().map(|rows| rows.text() + "\n").collect();
        if !self.figures.is_empty() {
            let mut rows = table::new(&["figure", "reference", "ours", ""]);
            for figure in &self.figures {
                let verdict = match figure.holds {
                    Some(true) => "holds",
                    Some(false) => "MISSED",
                    None => "",
                };
                rows.add_row([&*figure.what, &*figure.reference, &*figure.ours, verdict]);
            }
            text += &table::text(&rows);
        }
        for remark in &self.remarks {
            text += &format!("\n{remark}");
        }
        text
    }

    /// For programs.
    pub fn json(&self, name: &str) -> Value {
        let figures = self.figures.iter().map(|figure| {
            json!({
                "figure": figure.what,
                "reference": figure.reference,
                "ours": figure.ours,
                "holds": figure.holds,
            })
        });
        json!({
            "experiment": name,
            "tables": self.tables.iter().map(Rows::json).collect::<Vec<_>>(),
            "figures": figures.collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
    }

    /// Figures that are not what they have to be.
    pub fn missed(&self) -> impl Iterator<Item = String> {
        self.figures
            .iter()
            .filter(|figure| figure.holds == Some(false))
            .map(|figure| format!("{}: {} ({})", figure.what, figure.ours, figure.reference))
    }
}
