//! A tree of page tables: look up, map, unmap, protect, visit.

use super::{Entry, Format, PagingError, Protection, TableRead, TableWrite};
use hypercall_abi::{Mfn, VirtAddr, addr::Level};

/// What [`visit`] meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visit {
    /// A table, after everything below it; the root comes last.
    Table {
        /// Its level.
        level: Level,
        /// Its frame.
        frame: Mfn,
    },
    /// A page.
    Page {
        /// Where it is mapped.
        address: VirtAddr,
        /// Its frame.
        frame: Mfn,
        /// How.
        protection: Protection,
    },
}

/// The level-1 table and the index of the entry for `address`; `None` where no table reaches
/// it.
pub fn entry_of<T: TableRead>(tables: &T, root: Mfn, address: VirtAddr) -> Option<(Mfn, u16)> {
    let format = tables.format();
    if address.0 >= format.guest_end() {
        return None;
    }
    let (mut table, mut level) = (root, format.root_level());
    while let Some(below) = level.below() {
        let entry = tables.read(table, format.index(level, address));
        let Entry::Table(next) = format.decode(level, entry) else { return None };
        (table, level) = (next, below);
    }
    Some((table, format.index(level, address)))
}

/// The frame and the protection of the page that holds `address`.
pub fn find<T: TableRead>(tables: &T, root: Mfn, address: VirtAddr) -> Option<(Mfn, Protection)> {
    let (table, index) = entry_of(tables, root, address)?;
    match tables.format().decode(Level::L1, tables.read(table, index)) {
        Entry::Page(frame, protection) => Some((frame, protection)),
        _ => None,
    }
}

/// Maps a page, making the tables on the way.
///
/// # Errors
/// [`PagingError::BadAddress`], [`PagingError::Occupied`], [`PagingError::NoPage`],
/// [`PagingError::Refused`]. Tables that were made on the way stay.
pub fn map<T: TableWrite>(
    tables: &mut T,
    root: Mfn,
    address: VirtAddr,
    frame: Mfn,
    protection: Protection,
) -> Result<(), PagingError> {
    let format = tables.format();
    if address.0 >= format.guest_end() || !address.is_page_aligned() {
        return Err(PagingError::BadAddress);
    }
    let (mut table, mut level) = (root, format.root_level());
    while let Some(below) = level.below() {
        let index = format.index(level, address);
        table = match format.decode(level, tables.read(table, index)) {
            Entry::Table(next) => next,
            Entry::Page(..) => return Err(PagingError::Occupied),
            Entry::Absent => {
                let new = tables.new_table(below)?;
                if let Err(error) = tables.write(table, level, index, format.table_entry(new)) {
                    tables.discard_table(new);
                    return Err(error);
                }
                new
            }
        };
        level = below;
    }
    let index = format.index(level, address);
    match format.decode(level, tables.read(table, index)) {
        Entry::Absent => tables.write(table, level, index, format.page_entry(frame, protection)),
        _ => Err(PagingError::Occupied),
    }
}

/// Takes a mapping away; the frame that it named. Tables stay.
///
/// # Errors
/// [`PagingError::NotMapped`], [`PagingError::Refused`].
pub fn unmap<T: TableWrite>(
    tables: &mut T,
    root: Mfn,
    address: VirtAddr,
) -> Result<Mfn, PagingError> {
    let (table, index) = entry_of(tables, root, address).ok_or(PagingError::NotMapped)?;
    match tables.format().decode(Level::L1, tables.read(table, index)) {
        Entry::Page(frame, _) => {
            tables.write(table, Level::L1, index, 0)?;
            Ok(frame)
        }
        _ => Err(PagingError::NotMapped),
    }
}

/// Changes what may be done with a mapped page; its frame.
///
/// # Errors
/// [`PagingError::NotMapped`], [`PagingError::Refused`].
pub fn protect<T: TableWrite>(
    tables: &mut T,
    root: Mfn,
    address: VirtAddr,
    protection: Protection,
) -> Result<Mfn, PagingError> {
    let (table, index) = entry_of(tables, root, address).ok_or(PagingError::NotMapped)?;
    match tables.format().decode(Level::L1, tables.read(table, index)) {
        Entry::Page(frame, _) => {
            let entry = tables.format().page_entry(frame, protection);
            tables.write(table, Level::L1, index, entry)?;
            Ok(frame)
        }
        _ => Err(PagingError::NotMapped),
    }
}

/// Visits every page and every table of the guest's half, tables after what is below them.
pub fn visit<T: TableRead>(tables: &T, root: Mfn, visitor: &mut impl FnMut(Visit)) {
    visit_table(tables, root, tables.format().root_level(), 0, visitor);
}

fn visit_table<T: TableRead>(
    tables: &T,
    table: Mfn,
    level: Level,
    base: u64,
    visitor: &mut impl FnMut(Visit),
) {
    let format = tables.format();
    let slots = if level == format.root_level() { Format::ROOT_SLOTS } else { 512 };
    for index in 0..slots {
        let address = base + ((index as u64) << format.shift(level));
        match (format.decode(level, tables.read(table, index)), level.below()) {
            (Entry::Table(next), Some(below)) => {
                visit_table(tables, next, below, address, visitor);
            }
            (Entry::Page(frame, protection), _) => {
                visitor(Visit::Page { address: VirtAddr(address), frame, protection });
            }
            _ => {}
        }
    }
    visitor(Visit::Table { level, frame: table });
}
