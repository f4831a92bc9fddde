//! A guest's ELF file: what is loaded from it, once every rule has been checked.

use crate::guest_error::ImageError;
use crate::guest_note;
use alloc::vec::Vec;
use elf::ElfBytes;
use elf::abi;
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;
use hypercall_abi::note::GuestNote;
use hypercall_abi::start_info::{BOOT_STACK_BYTES, DEFAULT_PHYSMAP_BASE};
use hypercall_abi::{PAGE_SIZE, VirtAddr};

/// First address that no guest image and no map of a guest's memory may reach: the end of
/// Sv39's low half. The same on every architecture, so that a guest fits all of them.
pub const GUEST_END: u64 = 1 << 38;

/// Loaded segments of an image at most.
pub const MAX_SEGMENTS: usize = 32;

/// The processor that an image is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Architecture {
    /// x86-64.
    X86_64,
    /// 64-bit RISC-V.
    Riscv64,
}

impl Architecture {
    /// The machine's number in an ELF header.
    pub const fn elf_machine(self) -> u16 {
        match self {
            Architecture::X86_64 => abi::EM_X86_64,
            Architecture::Riscv64 => abi::EM_RISCV,
        }
    }

    /// The name that commands take: `x86_64`, `riscv64`.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Riscv64 => "riscv64",
        }
    }
}

/// A part of an image that is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Segment<'a> {
    /// Address of its first byte: a multiple of the page size.
    pub address: VirtAddr,
    /// Bytes that it takes up, not 0: those of `data`, then zeros.
    pub memory_size: u64,
    /// What the file holds of it, at most `memory_size` bytes.
    pub data: &'a [u8],
    /// Whether the guest may write there.
    pub writable: bool,
    /// Whether the guest may execute there; never both.
    pub executable: bool,
}

impl Segment<'_> {
    /// First address after the segment, rounded up to a page.
    pub fn end(&self) -> u64 {
        self.address.0 + self.memory_size.next_multiple_of(PAGE_SIZE)
    }
}

/// A guest image that may be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuestImage<'a> {
    /// Where it starts, inside an executable segment.
    pub entry: VirtAddr,
    /// What its note says.
    pub note: GuestNote,
    /// Where the guest's memory is to be mapped: a multiple of 2 MiB.
    pub physmap_base: VirtAddr,
    /// Its segments, in the order of their addresses; no two share a page.
    pub segments: Vec<Segment<'a>>,
}

impl<'a> GuestImage<'a> {
    /// Reads an ELF file as a guest of `architecture`.
    ///
    /// Rules, in the order in which they are checked: a complete 64-bit little-endian
    /// executable for this machine that needs no loader; segments within the file, on
    /// pages of their own between page 1 and [`GUEST_END`], none both writable and
    /// executable; the entry in an executable one; exactly one note, for a version and
    /// features that there are; a place for the map of memory that meets no segment.
    /// Two segments never share a page, not even with the same permissions: each has
    /// frames of its own.
    ///
    /// # Errors
    /// The first rule that it breaks, see [`ImageError`].
    pub fn parse(bytes: &'a [u8], architecture: Architecture) -> Result<Self, ImageError> {
        let file = open(bytes, architecture)?;
        let headers = file.segments().ok_or(ImageError::NoSegments)?;
        let mut segments = Vec::new();
        for (index, header) in headers.iter().enumerate() {
            match header.p_type {
                abi::PT_INTERP | abi::PT_DYNAMIC => return Err(ImageError::NeedsLoader),
                abi::PT_LOAD if header.p_memsz != 0 || header.p_filesz != 0 => {
                    if segments.len() == MAX_SEGMENTS {
                        return Err(ImageError::TooManySegments);
                    }
                    segments.push(segment(bytes, index, &header)?);
                }
                _ => {}
            }
        }
        if segments.is_empty() {
            return Err(ImageError::NoSegments);
        }
        segments.sort_by_key(|segment| segment.address.0);
        for pair in segments.windows(2) {
            if pair[0].end() > pair[1].address.0 {
                return Err(ImageError::SegmentsOverlap(pair[0].address.0, pair[1].address.0));
            }
        }
        let entry = file.ehdr.e_entry;
        let inside = |segment: &Segment<'_>| {
            segment.executable
                && (segment.address.0..segment.address.0 + segment.memory_size).contains(&entry)
        };
        if !segments.iter().any(inside) {
            return Err(ImageError::Entry(entry));
        }
        let note = guest_note::find(&file, &headers)?;
        let physmap_base = match note.physmap_base {
            0 => DEFAULT_PHYSMAP_BASE,
            base => base,
        };
        if !physmap_base.is_multiple_of(2 << 20) || physmap_base >= GUEST_END {
            return Err(ImageError::PhysmapBase(physmap_base));
        }
        let image = GuestImage {
            entry: VirtAddr(entry),
            note,
            physmap_base: VirtAddr(physmap_base),
            segments,
        };
        image.check_physmap(crate::manifest::MIN_MEMORY)?;
        Ok(image)
    }

    /// Checks that the image can start with `memory` bytes and a module of `module` bytes (0:
    /// none), and grow to `max_memory`: that they and what the hypervisor puts beside them
    /// fit, and that the map of memory does.
    ///
    /// # Errors
    /// [`ImageError::TooLarge`], [`ImageError::PhysmapEnd`], [`ImageError::PhysmapOverlap`].
    pub fn check_memory(
        &self,
        memory: u64,
        max_memory: u64,
        module: u64,
    ) -> Result<(), ImageError> {
        self.check_physmap(max_memory)?;
        let whole_pages = crate::page_up(module).unwrap_or(u64::MAX);
        let needed = self.memory_needed(memory, max_memory).saturating_add(whole_pages);
        if needed > memory {
            return Err(ImageError::TooLarge { needed, module, memory });
        }
        Ok(())
    }

    /// Bytes that the image and what the hypervisor puts beside it take of the guest's
    /// memory: start information, vCPU page, argument frame, P2M, stack, first tables.
    /// A lower bound: a table more or less depends on the page-table format.
    fn memory_needed(&self, memory: u64, max_memory: u64) -> u64 {
        let image: u64 =
            self.segments.iter().map(|segment| segment.end() - segment.address.0).sum();
        let pages = |bytes: u64| bytes.div_ceil(PAGE_SIZE);
        let p2m = pages((max_memory / PAGE_SIZE).saturating_mul(8));
        let most = memory.max(max_memory) / PAGE_SIZE;
        let tables = 2 + most.div_ceil(512) + 2;
        let beside = 3 + p2m + pages(BOOT_STACK_BYTES) + tables;
        image.saturating_add(beside.saturating_mul(PAGE_SIZE))
    }

    /// The map of `bytes` of memory ends in the guest's range and meets no segment.
    fn check_physmap(&self, bytes: u64) -> Result<(), ImageError> {
        let base = self.physmap_base.0;
        let end = base
            .checked_add(bytes)
            .filter(|end| *end <= GUEST_END)
            .ok_or(ImageError::PhysmapEnd { base, bytes })?;
        for segment in &self.segments {
            if segment.address.0 < end && base < segment.end() {
                return Err(ImageError::PhysmapOverlap { base, segment: segment.address.0 });
            }
        }
        Ok(())
    }
}

/// The rules of the file's header.
fn open(
    bytes: &[u8],
    architecture: Architecture,
) -> Result<ElfBytes<'_, LittleEndian>, ImageError> {
    let ident = bytes.get(..abi::EI_NIDENT).ok_or(ImageError::NotElf)?;
    if ident[..4] != abi::ELFMAGIC {
        return Err(ImageError::NotElf);
    }
    if ident[abi::EI_CLASS] != abi::ELFCLASS64 || ident[abi::EI_DATA] != abi::ELFDATA2LSB {
        return Err(ImageError::Not64BitLittleEndian);
    }
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(|_| ImageError::Damaged)?;
    if file.ehdr.e_machine != architecture.elf_machine() {
        return Err(ImageError::WrongMachine { found: file.ehdr.e_machine, wanted: architecture });
    }
    if file.ehdr.e_type != abi::ET_EXEC {
        return Err(ImageError::NotExecutable(file.ehdr.e_type));
    }
    Ok(file)
}

/// The rules of one segment; `index` is its place among the program headers.
fn segment<'a>(
    bytes: &'a [u8],
    index: usize,
    header: &ProgramHeader,
) -> Result<Segment<'a>, ImageError> {
    let data = usize::try_from(header.p_offset)
        .ok()
        .zip(usize::try_from(header.p_filesz).ok())
        .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
        .ok_or(ImageError::SegmentTruncated(index))?;
    if header.p_filesz > header.p_memsz {
        return Err(ImageError::SegmentSizes(index));
    }
    let address = header.p_vaddr;
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(ImageError::SegmentAlignment { index, address });
    }
    let end = address.checked_add(header.p_memsz).and_then(crate::page_up);
    if address < PAGE_SIZE || end.is_none_or(|end| end > GUEST_END) {
        return Err(ImageError::SegmentRange { index, address, size: header.p_memsz });
    }
    let writable = header.p_flags & abi::PF_W != 0;
    let executable = header.p_flags & abi::PF_X != 0;
    if writable && executable {
        return Err(ImageError::WritableExecutable { index, address });
    }
    Ok(Segment {
        address: VirtAddr(address),
        memory_size: header.p_memsz,
        data,
        writable,
        executable,
    })
}
