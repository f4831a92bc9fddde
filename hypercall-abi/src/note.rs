//! The ELF note by which a file says that it is a guest of Paravane.
//!
//! A guest has exactly one note with name [`NAME`] and type [`NOTE_TYPE`] in a `PT_NOTE`
//! segment; its descriptor is a [`GuestNote`]. In Rust a `static` of type [`ElfNote`] in a
//! section `.note.paravane` makes one; in C the generated header has a macro.

use crate::AbiVersion;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Name of the note, without the terminating zero.
pub const NAME: &str = "Paravane";

/// Type of the note.
pub const NOTE_TYPE: u32 = 1;

/// Descriptor of the note: 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GuestNote {
    /// The version that the guest was built for.
    pub version: AbiVersion,
    /// Reserved: 0.
    pub reserved: u32,
    /// Features that the guest cannot do without: bits of [`Features`](crate::Features).
    pub required_features: u64,
    /// Where its memory is to be mapped: a multiple of 2 MiB, or 0 for
    /// [`DEFAULT_PHYSMAP_BASE`](crate::start_info::DEFAULT_PHYSMAP_BASE).
    pub physmap_base: u64,
}

const _: () = assert!(size_of::<GuestNote>() == 24);

impl GuestNote {
    /// A guest of the current version that needs nothing special.
    pub const CURRENT: GuestNote = GuestNote {
        version: AbiVersion::CURRENT,
        reserved: 0,
        required_features: 0,
        physmap_base: 0,
    };
}

/// The whole note as it lies in the file: header, name padded to 12 bytes, descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(4))]
pub struct ElfNote {
    name_size: u32,
    descriptor_size: u32,
    note_type: u32,
    name: [u8; 12],
    descriptor: [u8; 24],
}

const _: () = assert!(size_of::<ElfNote>() == 48);

impl ElfNote {
    /// The note that carries `note`.
    pub const fn new(note: GuestNote) -> ElfNote {
        ElfNote {
            name_size: 9,
            descriptor_size: 24,
            note_type: NOTE_TYPE,
            name: *b"Paravane\0\0\0\0",
            descriptor: zerocopy::transmute!(note),
        }
    }
}
