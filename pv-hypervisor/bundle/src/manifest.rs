//! What a bundle says of its domains, its images and the hypervisor's options.
//!
//! Text is borrowed from the bundle's bytes, and lists stop at their limits, so that
//! reading a hostile manifest costs no more than reading an honest one.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Domains of a bundle at most.
pub const MAX_DOMAINS: usize = 128;

/// Images of a bundle at most, modules among them.
pub const MAX_IMAGES: usize = 64;

/// Bytes of a name at most.
pub const MAX_NAME: usize = hypercall_abi::start_info::NAME_BYTES;

/// Bytes of a command line at most.
pub const MAX_COMMAND_LINE: usize = hypercall_abi::start_info::COMMAND_LINE_BYTES;

/// Bytes of memory that a domain can have at most: 64 GiB, half of what lies between the
/// default place of a guest's map of its memory and the end of Sv39's low half.
pub const MAX_MEMORY: u64 = 64 << 30;

/// Bytes of memory that a domain has at least.
pub const MIN_MEMORY: u64 = 1 << 20;

/// The manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest<'a> {
    /// The domains, in the order in which they are made; the first has identity 1.
    #[serde(borrow, deserialize_with = "list::<_, _, MAX_DOMAINS>")]
    pub domains: Vec<Domain<'a>>,
    /// The images, and the modules.
    #[serde(borrow, deserialize_with = "list::<_, _, MAX_IMAGES>")]
    pub images: Vec<Image<'a>>,
    /// What the operator asks of the hypervisor.
    pub options: Options,
}

/// One domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Domain<'a> {
    /// Its name, unlike any other's: 1 to [`MAX_NAME`] bytes without control characters.
    pub name: &'a str,
    /// Bytes of memory when it starts: pages, [`MIN_MEMORY`] to [`MAX_MEMORY`].
    pub memory: u64,
    /// Bytes of memory that it may own at most: pages, from `memory` to [`MAX_MEMORY`].
    pub max_memory: u64,
    /// Bytes of memory that no policy takes from it: pages, from [`MIN_MEMORY`] to `memory`.
    pub min_memory: u64,
    /// Bytes of memory that are left to it: what it has beyond is taken by force, where it lets its
    /// pages be moved. Pages, from [`MIN_MEMORY`] to `max_memory`.
    pub limit: u64,
    /// What its claim to memory weighs against that of others, not 0.
    pub shares: u32,
    /// Whether its memory is made of aligned runs of 2 MiB, as far as the machine has them.
    pub contiguous: bool,
    /// The group of domains whose pages may share frames, 1 to 127; 0: it shares with none.
    pub group: u8,
    /// Its command line, at most [`MAX_COMMAND_LINE`] bytes without control characters.
    pub command_line: &'a str,
    /// Its image: an index into [`Manifest::images`].
    pub image: u16,
    /// Its module, a file for its kernel, if it has one: an index into [`Manifest::images`], so
    /// that domains can share one.
    pub module: Option<u16>,
    /// Milliseconds that it may go without a hypercall or a block before it is ended; 0: for ever.
    pub watchdog_ms: u32,
}

/// One image: a guest's ELF file, or a module, whose bytes are the guest's business alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Image<'a> {
    /// Its name, for messages: 1 to [`MAX_NAME`] bytes without control characters.
    pub name: &'a str,
    /// Where it begins in the bundle: a multiple of the page size.
    pub offset: u64,
    /// Its length in bytes, not 0.
    pub length: u64,
}

/// How much the hypervisor logs.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ended something.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happened, in a few lines.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// What the operator asks of the hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Options {
    /// How much it logs.
    pub log: LogLevel,
    /// Whether it sends a trace record for every hypercall.
    pub trace: bool,
    /// Whether it measures for how long it keeps the processor at a time.
    pub stretches: bool,
    /// A debug image runs its audit after every so many hypercalls; 0: never.
    pub audit_period: u32,
    /// Seed of the order in which machine frames are given to domains.
    pub scatter_seed: u64,
    /// Milliseconds that a domain runs before the next has its turn, 1 to 1000.
    pub slice_ms: u32,
    /// Sharing groups whose pages are hashed with a key, as guests of them may look for collisions:
    /// a bit for each, of which the lowest is no group's.
    pub keyed_groups: u128,
}

impl Options {
    /// The sharing groups whose pages are hashed with a key, 1 to 127.
    pub fn keyed_groups(&self) -> impl Iterator<Item = u8> + use<> {
        let groups = self.keyed_groups;
        (1..128).filter(move |group| groups >> group & 1 != 0)
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            log: LogLevel::Info,
            trace: false,
            stretches: false,
            audit_period: 1,
            scatter_seed: 0x5061_7261_7661_6e65,
            slice_ms: 10,
            keyed_groups: 0,
        }
    }
}

/// Reads a list of at most `MAX` elements, and refuses a longer one before it grows.
fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = sequence.next_element()? {
                if elements.len() == MAX {
                    return Err(A::Error::invalid_length(MAX + 1, &self));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}
