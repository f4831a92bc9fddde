//! Versions of a program: the same work in the same places, and other bytes in most pages of its
//! code, as with builds of one program that differ a little. They are for showing what a difference in
//! version costs those who share pages.
//!
//! On x86-64 compilers put instructions that do nothing between functions and before loops; some of
//! them have an operand that nobody reads, and it is given the version's number. On riscv64 they need
//! none, as code may begin at every second byte; but many instructions do the same with their two
//! sources exchanged, and by version it is others that have them so.

use crate::arch::Arch;
use elf::ElfBytes;
use elf::abi::{SHF_EXECINSTR, SHT_PROGBITS};
use elf::endian::LittleEndian;
use std::ops::Range;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Instructions of x86-64 that do nothing, with their operand at zero as compilers write them, and
/// where it lies: `nopl disp32(%rax,%rax,1)` and `nopl disp32(%rax)`. No memory is accessed.
const IDLE: [(&[u8], usize); 2] = [(b"\x0f\x1f\x84\x00\0\0\0\0", 4), (b"\x0f\x1f\x80\0\0\0\0", 3)];

/// A program as that version has it; version 0 is the program itself.
pub fn of(arch: Arch, program: &[u8], version: u8) -> Vec<u8> {
    let mut bytes = program.to_vec();
    if version != 0 {
        for code in code(program) {
            match arch {
                Arch::X86_64 => x86_64(&mut bytes[code], version),
                Arch::Riscv64 => riscv64(&mut bytes[code], version),
            }
        }
    }
    bytes
}

/// Writes the version into operands that nobody reads.
fn x86_64(code: &mut [u8], version: u8) {
    let mut at = 0;
    while at < code.len() {
        match IDLE.iter().find(|(idle, _)| code[at..].starts_with(idle)) {
            Some((idle, operand)) => {
                code[at + operand] = version;
                at += idle.len();
            }
            None => at += 1,
        }
    }
}

/// Exchanges the sources of about every second instruction that does not care: of others in each
/// version.
fn riscv64(code: &mut [u8], version: u8) {
    let mut at = 0;
    let mut number = 0u32;
    while let Some(half) = code.get(at..at + 2) {
        // The lowest two bits tell two bytes from four.
        if half[0] & 3 != 3 {
            at += 2;
            continue;
        }
        let Some(Ok(word)) = code.get(at..at + 4).map(<[u8; 4]>::try_from) else { break };
        let instruction = u32::from_le_bytes(word);
        if is_commutative(instruction) {
            number += 1;
            let drawn = (number ^ u32::from(version) << 24).wrapping_mul(0x9e37_79b1);
            if (drawn ^ drawn >> 15).wrapping_mul(0x85eb_ca77) >> 31 != 0 {
                let (first, second) = (instruction >> 15 & 31, instruction >> 20 & 31);
                let rest = instruction & !(0x3ff << 15);
                code[at..at + 4]
                    .copy_from_slice(&(rest | second << 15 | first << 20).to_le_bytes());
            }
        }
        at += 4;
    }
}

/// Whether an instruction of four bytes is one of `add`, `xor`, `or`, `and`, `mul`, `addw`, `mulw`,
/// `beq` and `bne`.
fn is_commutative(instruction: u32) -> bool {
    let (opcode, function, more) = (instruction & 0x7f, instruction >> 12 & 7, instruction >> 25);
    match (opcode, more) {
        (0x33, 0) => matches!(function, 0 | 4 | 6 | 7),
        (0x33 | 0x3b, 1) | (0x3b, 0) => function == 0,
        (0x63, _) => function < 2,
        _ => false,
    }
}

/// Pages in which two versions of a program differ, and how many it has.
pub fn different_pages(one: &[u8], other: &[u8]) -> (usize, usize) {
    let pages = one.chunks(PAGE).zip(other.chunks(PAGE));
    (pages.filter(|(one, other)| one != other).count(), one.len().div_ceil(PAGE))
}

/// Sections of an ELF file with instructions; none of what is not one.
fn code(file: &[u8]) -> Vec<Range<usize>> {
    let sections = ElfBytes::<LittleEndian>::minimal_parse(file)
        .ok()
        .and_then(|elf| elf.section_headers())
        .into_iter()
        .flatten();
    let instructions = sections.filter(|section| {
        section.sh_type == SHT_PROGBITS && section.sh_flags & u64::from(SHF_EXECINSTR) != 0
    });
    instructions
        .filter_map(|section| {
            let start = usize::try_from(section.sh_offset).ok()?;
            let end = start.checked_add(section.sh_size.try_into().ok()?)?;
            (end <= file.len()).then_some(start..end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two pages, the second of which is code.
    fn program(code: &[u8]) -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        elf.resize(2 * PAGE, 0x90);
        elf[20..24].copy_from_slice(&1u32.to_le_bytes());
        elf[58..60].copy_from_slice(&64u16.to_le_bytes());
        elf[40..48].copy_from_slice(&64u64.to_le_bytes());
        elf[60..62].copy_from_slice(&1u16.to_le_bytes());
        for (at, value) in [(0, 1 << 32), (8, 6), (24, PAGE as u64), (32, PAGE as u64)] {
            elf[64 + at..72 + at].copy_from_slice(&value.to_le_bytes());
        }
        for start in [1024, PAGE + 8] {
            elf[start..start + code.len()].copy_from_slice(code);
        }
        elf
    }

    #[test]
    fn operands_that_nobody_reads_have_the_version() {
        let same = program(b"\x0f\x1f\x84\x00\0\0\0\0\xc3\x0f\x1f\x80\0\0\0\0");
        let third = of(Arch::X86_64, &same, 3);
        assert_eq!(
            &third[PAGE + 8..][..16],
            b"\x0f\x1f\x84\x00\x03\0\0\0\xc3\x0f\x1f\x80\x03\0\0\0"
        );
        assert_eq!(third[..PAGE], same[..PAGE], "what is not executed stays");
        assert_eq!(different_pages(&same, &third), (1, 2));
    }

    #[test]
    fn sources_that_may_be_exchanged_are() {
        // bne a0, a1, 0; c.nop; sub a0, a1, a2; beq zero, a5, 8: all over the page.
        let words: Vec<u8> = [0x00b5_1063u32.to_le_bytes(), 0x40c5_8533u32.to_le_bytes()]
            .concat()
            .into_iter()
            .chain([1, 0])
            .chain(0x00f0_0463u32.to_le_bytes())
            .collect();
        let same = program(&words.repeat(200));
        let versions = [1, 2, 3].map(|version| of(Arch::Riscv64, &same, version));
        let exchanged = [0x00a5_9063u32.to_le_bytes(), 0x0007_8463u32.to_le_bytes()];
        for version in &versions {
            assert_eq!(version[..PAGE], same[..PAGE], "what is not executed stays");
            let (was, is) = (same[PAGE + 8..].chunks(14), version[PAGE + 8..].chunks(14));
            let mut found = 0;
            for (was, is) in was.zip(is).take(200) {
                assert_eq!(was[4..10], is[4..10], "a difference is not exchanged");
                for (at, exchanged) in [0, 10].into_iter().zip(exchanged) {
                    assert!(is[at..at + 4] == was[at..at + 4] || is[at..at + 4] == exchanged);
                    found += usize::from(is[at..at + 4] == exchanged);
                }
            }
            assert!((100..300).contains(&found), "{found} of 400");
        }
        assert!(versions[0] != versions[1] && versions[1] != versions[2]);
    }

    #[test]
    fn the_first_version_and_other_files_are_left_alone() {
        for bytes in [program(b"\x0f\x1f\x80\0\0\0\0"), b"#!/bin/sh".to_vec(), Vec::new()] {
            assert_eq!(of(Arch::X86_64, &bytes, 0), bytes);
        }
        for bytes in [&b"\x7fELF\x02\x01"[..], b"", b"text"] {
            assert_eq!(of(Arch::X86_64, bytes, 1), bytes);
        }
    }
}
