//! Tables for people: a header, a line below it, numbers at the right.

use comfy_table::{CellAlignment, Table, TableComponent, presets};

/// An empty table with that header.
pub fn new(header: &[impl AsRef<str>]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(header.iter().map(AsRef::as_ref));
    table
}

/// Puts those columns to the right.
pub fn align_right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table as text, without spaces at the ends of lines.
pub fn text(table: &Table) -> String {
    table.trim_fmt() + "\n"
}
