//! What a driver can do wrong, by name.

use super::OutsideMemory;
use core::fmt;
use hypercall_abi::{Error, Pfn};

/// Why the device needs a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A ring, a descriptor's table or a buffer lies where the guest has no memory: also where it had
    /// some and gave it away.
    OutsideMemory,
    /// The index of the available ring is ahead of the device by more than the queue has places.
    IndexRunsAway {
        /// By so many.
        ahead: u16,
    },
    /// A descriptor's number is beyond the table.
    NoSuchDescriptor {
        /// That number.
        index: u16,
    },
    /// A chain has more descriptors than the queue: it never ends.
    EndlessChain,
    /// A descriptor is a table of others, which was not negotiated.
    Indirect,
    /// A buffer that the device is to read is one that it would write.
    NotReadable,
    /// A buffer of free pages is one that the device may only read.
    NotWritable,
    /// An array of page numbers ends in the middle of one.
    PartialNumber,
    /// A buffer of free pages does not begin and end with a page.
    PartialPage,
    /// A page beyond the guest's.
    NoSuchPage(Pfn),
    /// A page that is in the balloon goes into it again, in the same array or later.
    InBalloonAlready(Pfn),
    /// A page that is not in the balloon comes out of it, or does so twice.
    NotInBalloon(Pfn),
    /// A page in the balloon is reported as free.
    FreeInBalloon(Pfn),
    /// A second buffer for statistics, while the device holds one.
    SecondStatistics,
}

impl From<OutsideMemory> for Fault {
    fn from(_: OutsideMemory) -> Fault {
        Fault::OutsideMemory
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::OutsideMemory => formatter.write_str("a ring or buffer outside of memory"),
            Fault::IndexRunsAway { ahead } => {
                write!(formatter, "an index {ahead} ahead, which is more than the queue has places")
            }
            Fault::NoSuchDescriptor { index } => {
                write!(formatter, "descriptor {index} is beyond the table")
            }
            Fault::EndlessChain => formatter.write_str("a chain of descriptors without an end"),
            Fault::Indirect => {
                formatter.write_str("an indirect descriptor, which was not negotiated")
            }
            Fault::NotReadable => formatter.write_str("a buffer that is not to be read"),
            Fault::NotWritable => {
                formatter.write_str("a report of pages that are not to be written")
            }
            Fault::PartialNumber => formatter.write_str("an array that ends within a number"),
            Fault::PartialPage => formatter.write_str("a report of a part of a page"),
            Fault::NoSuchPage(Pfn(page)) => write!(formatter, "page {page:#x} is not the guest's"),
            Fault::InBalloonAlready(Pfn(page)) => {
                write!(formatter, "page {page:#x} is in the balloon already")
            }
            Fault::NotInBalloon(Pfn(page)) => {
                write!(formatter, "page {page:#x} is not in the balloon")
            }
            Fault::FreeInBalloon(Pfn(page)) => {
                write!(formatter, "page {page:#x} is reported free and is in the balloon")
            }
            Fault::SecondStatistics => formatter.write_str("a second buffer for statistics"),
        }
    }
}

impl core::error::Error for Fault {}

/// Why a page that the guest has touched is not backed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Untouchable {
    /// It is none of the guest's.
    NoSuchPage,
    /// There is no frame for it now: who touched it waits.
    Refused(Error),
}
