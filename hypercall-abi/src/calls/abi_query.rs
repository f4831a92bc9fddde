//! `abi_query`: what the hypervisor is and offers.

use super::{Args, Call};
use crate::{Error, Number};

/// What `abi_query` can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub enum Query {
    /// The version: the major number above bit 16, the minor number below it.
    Version = 0,
    /// The features that this hypervisor has: the bits of [`Features`](crate::Features).
    Features = 1,
    /// The page-table format: a [`PageTableFormat`](crate::start_info::PageTableFormat).
    PageTableFormat = 2,
    /// One more than the highest call number that this hypervisor knows.
    CallCount = 3,
}

impl Query {
    /// The question of that number.
    pub const fn new(number: u64) -> Option<Query> {
        match number {
            0 => Some(Query::Version),
            1 => Some(Query::Features),
            2 => Some(Query::PageTableFormat),
            3 => Some(Query::CallCount),
            _ => None,
        }
    }
}

/// Asks one question; the value is its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AbiQuery {
    /// The question.
    pub query: Query,
}

impl Call for AbiQuery {
    const NUMBER: Number = Number::AbiQuery;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(AbiQuery { query: Query::new(args[0]).ok_or(Error::BadArgument)? })
    }

    fn encode(&self) -> Args {
        [self.query as u64, 0, 0, 0, 0, 0]
    }
}
