//! Page tables: the formats, and trees of them wherever they lie.
//!
//! Pure: tables are reached through [`TableRead`] and [`TableWrite`], which a kernel implements
//! once for tables that it writes itself before they are validated, and once for
//! validated ones, whose entries only the hypervisor writes.

mod format;
mod tree;

pub use format::{Entry, Format, Protection};
pub use tree::{Visit, entry_of, find, map, protect, unmap, visit};

use hypercall_abi::{Error, Mfn, addr::Level};

/// Reads page tables.
pub trait TableRead {
    /// The format of the tables.
    fn format(&self) -> Format;

    /// The entry of that index, 0 to 511.
    fn read(&self, table: Mfn, index: u16) -> u64;
}

/// Writes page tables.
pub trait TableWrite: TableRead {
    /// Writes the entry of that index, 0 to 511, of a table of that level.
    ///
    /// # Errors
    /// [`PagingError::Refused`]; the entry is as it was.
    fn write(
        &mut self,
        table: Mfn,
        level: Level,
        index: u16,
        value: u64,
    ) -> Result<(), PagingError>;

    /// An empty table, which nothing names yet.
    ///
    /// # Errors
    /// [`PagingError::NoPage`], [`PagingError::Refused`].
    fn new_table(&mut self, level: Level) -> Result<Mfn, PagingError>;

    /// Takes back a table that nothing names.
    fn discard_table(&mut self, table: Mfn);
}

/// Why a tree could not be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PagingError {
    /// No free page for a table.
    NoPage,
    /// Something is mapped there already.
    Occupied,
    /// Nothing is mapped there.
    NotMapped,
    /// The address is not the guest's or not the first of a page.
    BadAddress,
    /// The hypervisor refused an update.
    Refused(Error),
}

impl core::fmt::Display for PagingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            PagingError::NoPage => f.write_str("no free page for a page table"),
            PagingError::Occupied => f.write_str("something is mapped there already"),
            PagingError::NotMapped => f.write_str("nothing is mapped there"),
            PagingError::BadAddress => f.write_str("not the address of a page of the guest"),
            PagingError::Refused(error) => write!(f, "the hypervisor refused: {error}"),
        }
    }
}

impl core::error::Error for PagingError {}
