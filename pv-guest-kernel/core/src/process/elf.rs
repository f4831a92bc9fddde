//! What a program file asks for: [`Program`]. A file is hostile: all of it is checked here, from
//! its headers alone, before anything is changed for it.
//!
//! Programs are static, at fixed addresses or position-independent. One that needs an
//! interpreter (`PT_INTERP`), which links it at run time, is refused.

use crate::{
    Machine, PAGE,
    fs::Errno,
    memory::{Layout, Pages, Rights},
};
use alloc::vec::Vec;
use elf::{
    abi,
    endian::LittleEndian,
    file::{Class, FileHeader, parse_ident},
    parse::ParsingTable,
    segment::ProgramHeader,
};

/// Bytes of the header of a file.
pub const HEADER: usize = 64;
/// Bytes of a header of a segment.
const SEGMENT_HEADER: u64 = 56;
/// Headers of segments at most.
const SEGMENTS_MAX: u16 = 64;
/// The alignment of a program that can lie anywhere, at most.
const ALIGN_MAX: u64 = 1 << 30;

/// A part of a program in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its first address.
    pub start: u64,
    /// Where in the file its content begins.
    pub offset: u64,
    /// Bytes that come from the file.
    pub in_file: u64,
    /// Bytes in memory; those that are not in the file are zero.
    pub in_memory: u64,
    /// What the program may do with it.
    pub rights: Rights,
}

impl Segment {
    /// The address behind its last byte.
    pub fn end(&self) -> u64 {
        self.start + self.in_memory
    }
}

/// A program, as its headers say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its segments, by address; there is at least one.
    pub segments: Vec<Segment>,
    /// Where it begins.
    pub entry: u64,
    /// What was added to the addresses in the file.
    pub base: u64,
    /// Where in memory its segment headers are; 0 if they are not.
    pub headers: u64,
    /// How many they are.
    pub header_count: u64,
    /// It wants an executable stack.
    pub executable_stack: bool,
}

/// Where the segment headers of a file are, by its first bytes: offset and length.
///
/// # Errors
/// `ENOEXEC`.
pub fn segment_headers(
    head: &[u8; HEADER],
    machine: Machine,
    size: u64,
) -> Result<(u64, usize), Errno> {
    let header = header(head, machine)?;
    let length = u64::from(header.e_phnum) * SEGMENT_HEADER;
    let end = header.e_phoff.checked_add(length);
    let sane = header.e_phentsize == SEGMENT_HEADER as u16
        && (1..=SEGMENTS_MAX).contains(&header.e_phnum)
        && end.is_some_and(|end| end <= size);
    if sane { Ok((header.e_phoff, length as usize)) } else { Err(Errno::ENOEXEC) }
}

fn header(head: &[u8; HEADER], machine: Machine) -> Result<FileHeader<LittleEndian>, Errno> {
    let ident = parse_ident::<LittleEndian>(head).map_err(|_| Errno::ENOEXEC)?;
    let header = FileHeader::parse_tail(ident, &head[abi::EI_NIDENT..]);
    let header = header.map_err(|_| Errno::ENOEXEC)?;
    let wanted = match machine {
        Machine::X86_64 => abi::EM_X86_64,
        Machine::Riscv64 => abi::EM_RISCV,
    };
    let sane = header.class == Class::ELF64
        && header.e_machine == wanted
        && (header.e_type == abi::ET_EXEC || header.e_type == abi::ET_DYN);
    if sane { Ok(header) } else { Err(Errno::ENOEXEC) }
}

impl Program {
    /// What a file of `size` bytes asks for, by its first bytes and its segment headers.
    ///
    /// # Errors
    /// `ENOEXEC`; `ENOMEM` if it wants addresses that a process has not.
    pub fn new(
        head: &[u8; HEADER],
        headers: &[u8],
        machine: Machine,
        size: u64,
        layout: Layout,
    ) -> Result<Program, Errno> {
        let header = header(head, machine)?;
        let table = ParsingTable::<_, ProgramHeader>::new(LittleEndian, Class::ELF64, headers);
        let mut program = Program {
            segments: Vec::new(),
            entry: header.e_entry,
            base: 0,
            headers: 0,
            header_count: header.e_phnum.into(),
            executable_stack: false,
        };
        let mut align = PAGE as u64;
        for segment in table.iter() {
            match segment.p_type {
                abi::PT_INTERP => return Err(Errno::ENOEXEC),
                abi::PT_GNU_STACK => {
                    program.executable_stack = segment.p_flags & abi::PF_X != 0;
                }
                abi::PT_LOAD => {
                    align = align.max(segment.p_align);
                    program.add(&segment, size)?;
                }
                _ => (),
            }
        }
        if program.segments.is_empty() {
            return Err(Errno::ENOEXEC);
        }
        let headers_end = header.e_phoff + headers.len() as u64;
        let holder = program.segments.iter().find(|segment| {
            segment.offset <= header.e_phoff && headers_end <= segment.offset + segment.in_file
        });
        program.headers =
            holder.map_or(0, |segment| segment.start + (header.e_phoff - segment.offset));
        if header.e_type == abi::ET_DYN {
            program.choose_base(align, layout)?;
        }
        program.fit(layout)?;
        Ok(program)
    }

    /// A segment more. They come by address, and no two have a page in common.
    fn add(&mut self, header: &ProgramHeader, size: u64) -> Result<(), Errno> {
        if header.p_memsz == 0 {
            return Ok(());
        }
        let page = PAGE as u64;
        let end = header.p_vaddr.checked_add(header.p_memsz);
        let end = end.and_then(|end| end.checked_next_multiple_of(page)).ok_or(Errno::ENOEXEC)?;
        let in_file = header.p_offset.checked_add(header.p_filesz);
        let sane = header.p_filesz <= header.p_memsz
            && in_file.is_some_and(|end| end <= size)
            && header.p_vaddr % page == header.p_offset % page
            && end <= i64::MAX as u64
            && self.segments.last().is_none_or(|last| {
                last.end().next_multiple_of(page) <= header.p_vaddr / page * page
            });
        if !sane {
            return Err(Errno::ENOEXEC);
        }
        let mut rights = Rights::empty();
        rights.set(Rights::READ, header.p_flags & abi::PF_R != 0);
        rights.set(Rights::WRITE, header.p_flags & abi::PF_W != 0);
        rights.set(Rights::EXECUTE, header.p_flags & abi::PF_X != 0);
        self.segments.push(Segment {
            start: header.p_vaddr,
            offset: header.p_offset,
            in_file: header.p_filesz,
            in_memory: header.p_memsz,
            rights,
        });
        Ok(())
    }

    /// The place of a program that can lie anywhere: two thirds up, as Linux has it.
    fn choose_base(&mut self, align: u64, layout: Layout) -> Result<(), Errno> {
        if !align.is_power_of_two() || align > ALIGN_MAX {
            return Err(Errno::ENOEXEC);
        }
        let wanted = layout.end / 3 * 2 / align * align;
        let first = self.segments[0].start / align * align;
        self.base = wanted.checked_sub(first).ok_or(Errno::ENOMEM)?;
        let moved = |address: u64| address.checked_add(self.base).ok_or(Errno::ENOMEM);
        let end = self.segments.last().map_or(0, Segment::end);
        moved(end)?;
        self.entry = self.entry.wrapping_add(self.base);
        if self.headers != 0 {
            self.headers = moved(self.headers)?;
        }
        for segment in &mut self.segments {
            segment.start += self.base;
        }
        Ok(())
    }

    /// All of it is where a process has addresses.
    fn fit(&self, layout: Layout) -> Result<(), Errno> {
        let within = |segment: &Segment| {
            segment.start / PAGE as u64 * PAGE as u64 >= layout.lowest
                && segment.end() <= layout.mmap_top
        };
        if !self.segments.iter().all(within) {
            return Err(Errno::ENOMEM);
        }
        // The processor must not be sent where no program can be.
        if self.entry >= layout.end { Err(Errno::ENOEXEC) } else { Ok(()) }
    }

    /// Where the heap begins: behind it all.
    pub fn heap(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.end().next_multiple_of(PAGE as u64))
    }

    /// Pages that it wants in all.
    pub fn pages(&self) -> u64 {
        let pages = |segment: &Segment| Pages::of(segment.start, segment.in_memory);
        self.segments.iter().filter_map(pages).map(Pages::len).sum()
    }

    /// The first segment that a rule picks: its addresses.
    pub fn range(&self, picks: impl Fn(&Segment) -> bool) -> core::ops::Range<u64> {
        let segment = self.segments.iter().find(|segment| picks(segment));
        segment.map_or(0..0, |segment| segment.start..segment.start + segment.in_file)
    }
}
