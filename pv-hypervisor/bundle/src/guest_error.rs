//! Why a file is not a guest that can be loaded.

use crate::guest::{Architecture, GUEST_END, MAX_SEGMENTS};
use core::fmt;
use hypercall_abi::{AbiVersion, PAGE_SIZE};

/// Why a guest image is refused. Segments are named by their place among the program
/// headers, from 0, or by their address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageError {
    /// Not an ELF file.
    NotElf,
    /// An ELF file for 32 bits or for big-endian.
    Not64BitLittleEndian,
    /// A header or a table lies outside the file.
    Damaged,
    /// For another machine: its number in the ELF header, and what is wanted.
    WrongMachine {
        /// The number in the file.
        found: u16,
        /// What it should be for.
        wanted: Architecture,
    },
    /// Of another type than `ET_EXEC`: position-independent, an object, a core.
    NotExecutable(u16),
    /// Has an interpreter or a dynamic section.
    NeedsLoader,
    /// Has nothing to load.
    NoSegments,
    /// Has more to load than [`MAX_SEGMENTS`].
    TooManySegments,
    /// A segment's bytes lie outside the file.
    SegmentTruncated(usize),
    /// A segment has more bytes in the file than in memory.
    SegmentSizes(usize),
    /// A segment does not begin at a page.
    SegmentAlignment {
        /// The segment.
        index: usize,
        /// Where it begins.
        address: u64,
    },
    /// A segment lies outside the guest's addresses.
    SegmentRange {
        /// The segment.
        index: usize,
        /// Where it begins.
        address: u64,
        /// Its bytes in memory.
        size: u64,
    },
    /// A segment is both writable and executable.
    WritableExecutable {
        /// The segment.
        index: usize,
        /// Where it begins.
        address: u64,
    },
    /// Two segments, named by their addresses, share a page.
    SegmentsOverlap(u64, u64),
    /// The entry is not in an executable segment.
    Entry(u64),
    /// There is no Paravane note.
    NoNote,
    /// There is more than one Paravane note.
    SeveralNotes,
    /// The Paravane note has another length, or sets what is reserved.
    NoteDamaged,
    /// The note is for a version of the interface that there is not.
    Version(AbiVersion),
    /// The note requires features, these bits, that there are not.
    UnknownFeatures(u64),
    /// The note's place for the map of memory is not a multiple of 2 MiB in the guest's range.
    PhysmapBase(u64),
    /// The map of memory would end beyond the guest's range.
    PhysmapEnd {
        /// Where it begins.
        base: u64,
        /// Bytes of memory.
        bytes: u64,
    },
    /// The map of memory would cover a segment.
    PhysmapOverlap {
        /// Where the map begins.
        base: u64,
        /// Where the segment begins.
        segment: u64,
    },
    /// The image, with its module, does not fit the domain's memory.
    TooLarge {
        /// Bytes that it needs with its module.
        needed: u64,
        /// Bytes of the module; 0 if there is none.
        module: u64,
        /// Bytes that the domain has.
        memory: u64,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ImageError::NotElf => f.write_str(
                "not an ELF file: a guest is a static ELF64 executable; `cargo xtask new DIR` makes one that works",
            ),
            ImageError::Not64BitLittleEndian => f.write_str(
                "an ELF file for 32 bits or big-endian: a guest is 64-bit and little-endian; build it for x86_64-unknown-none or riscv64imac-unknown-none-elf",
            ),
            ImageError::Damaged => f.write_str(
                "the ELF file is truncated or damaged: one of its headers or tables lies outside it; build or copy it again",
            ),
            ImageError::WrongMachine { found, wanted } => write!(
                f,
                "the image is for {}, the machine is {}: {}",
                MachineName(found),
                wanted.name(),
                match found {
                    elf::abi::EM_X86_64 => "run it with `--arch x86_64`, or build it for riscv64",
                    elf::abi::EM_RISCV => "run it with `--arch riscv64`, or build it for x86_64",
                    _ => "build it for the machine",
                }
            ),
            ImageError::NotExecutable(found) => write!(
                f,
                "the ELF file is of type {found}{}, a guest is a static executable at fixed addresses (ET_EXEC, 2): link it with `-Crelocation-model=static` (Rust) or `-static -no-pie` (C)",
                match found {
                    1 => " (an object file)",
                    3 => " (position-independent)",
                    4 => " (a core dump)",
                    _ => "",
                }
            ),
            ImageError::NeedsLoader => f.write_str(
                "the image wants a dynamic loader (PT_INTERP or PT_DYNAMIC), and there is none: link it with `-static -no-pie`",
            ),
            ImageError::NoSegments => f.write_str(
                "the image has no segment to load (PT_LOAD): link it with a linker script that places .text; `cargo xtask new DIR` writes one",
            ),
            ImageError::TooManySegments => write!(
                f,
                "the image has more than {MAX_SEGMENTS} segments to load: merge sections with the same permissions in the linker script"
            ),
            ImageError::SegmentTruncated(index) => write!(
                f,
                "segment {index}: its bytes lie outside the file, which was truncated: build or copy it again"
            ),
            ImageError::SegmentSizes(index) => write!(
                f,
                "segment {index}: more bytes in the file than in memory (p_filesz > p_memsz): link the image again"
            ),
            ImageError::SegmentAlignment { index, address } => write!(
                f,
                "segment {index} begins at {address:#x}, which is not a multiple of {PAGE_SIZE}: put `. = ALIGN({PAGE_SIZE});` before its first section in the linker script"
            ),
            ImageError::SegmentRange { index, address, size } => write!(
                f,
                "segment {index}, {size} bytes at {address:#x}, lies outside a guest's addresses {PAGE_SIZE:#x}..{GUEST_END:#x}: link the image there, at 0x10000000 for example"
            ),
            ImageError::WritableExecutable { index, address } => write!(
                f,
                "segment {index} at {address:#x} is writable and executable: put code and data into segments of their own (PHDRS in the linker script, or `-z separate-code`)"
            ),
            ImageError::SegmentsOverlap(first, second) => write!(
                f,
                "the segments at {first:#x} and {second:#x} overlap or share a page: put `. = ALIGN({PAGE_SIZE});` between them in the linker script"
            ),
            ImageError::Entry(entry) => write!(
                f,
                "the entry {entry:#x} is not in an executable segment: name the start symbol with `ENTRY(...)` in the linker script and keep it in .text"
            ),
            ImageError::NoNote => f.write_str(
                "the image has no Paravane note: it is not a guest kernel, or the linker dropped the note; keep section .note.paravane with `KEEP(*(.note.paravane))` in a PT_NOTE segment",
            ),
            ImageError::SeveralNotes => f.write_str(
                "the image has more than one Paravane note: leave one `hypercall_abi::note::ElfNote` in it",
            ),
            ImageError::NoteDamaged => f.write_str(
                "the Paravane note has a wrong length or sets reserved fields: make it with `hypercall_abi::note::ElfNote::new`",
            ),
            ImageError::Version(version) => write!(
                f,
                "the guest is built for version {}.{} of the interface, the hypervisor offers {}.{}: build it against this tree's hypercall-abi",
                version.major,
                version.minor,
                AbiVersion::CURRENT.major,
                AbiVersion::CURRENT.minor
            ),
            ImageError::UnknownFeatures(bits) => write!(
                f,
                "the guest requires features {bits:#x} that this version does not name: take them out of its note, or use the newer hypervisor that it was built for"
            ),
            ImageError::PhysmapBase(base) => write!(
                f,
                "the note asks for the map of memory at {base:#x}; it must be a multiple of 2 MiB below {GUEST_END:#x}: write 0 for the default"
            ),
            ImageError::PhysmapEnd { base, bytes } => write!(
                f,
                "the map of {bytes} bytes of memory from {base:#x} ends beyond {GUEST_END:#x}: choose a lower place in the note, or give the domain less memory"
            ),
            ImageError::PhysmapOverlap { base, segment } => write!(
                f,
                "the map of memory from {base:#x} would cover the segment at {segment:#x}: link the image lower, or choose another place in the note"
            ),
            ImageError::TooLarge { needed, module, memory } => {
                write!(f, "the image needs {} KiB of memory", needed.div_ceil(1024))?;
                if module > 0 {
                    write!(f, " with its module of {} KiB", module.div_ceil(1024))?;
                }
                let mend = needed.div_ceil(1 << 20) + 1;
                write!(f, ", the domain has {} KiB: give it more, `memory={mend}M`", memory / 1024)
            }
        }
    }
}

impl core::error::Error for ImageError {}

/// An ELF machine number, by name where it is well known.
struct MachineName(u16);

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            elf::abi::EM_X86_64 => f.write_str("x86_64"),
            elf::abi::EM_RISCV => f.write_str("riscv64"),
            elf::abi::EM_AARCH64 => f.write_str("aarch64"),
            elf::abi::EM_386 => f.write_str("i386"),
            elf::abi::EM_ARM => f.write_str("arm"),
            other => write!(f, "ELF machine {other}"),
        }
    }
}
