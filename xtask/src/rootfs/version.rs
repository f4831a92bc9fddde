//! Versions of a program: the same instructions in the same places, and other bytes in most pages
//! of its code, as with builds of one program that differ a little. They are for showing what a
//! difference in version costs those who share pages.
//!
//! Compilers put instructions that do nothing between functions and before loops. Some of them have
//! an operand that nobody reads: it is given the version's number.

use crate::arch::Arch;

/// Bytes of a program header, and of a page.
const HEADER: usize = 56;
const PAGE: usize = 4096;

/// The instruction that does nothing with its operand at zero, as compilers write it, and where
/// the operand lies in it.
fn idle(arch: Arch) -> &'static [(&'static [u8], usize)] {
    match arch {
        // `nopl disp32(%rax,%rax,1)` and `nopl disp32(%rax)`: no memory is accessed.
        Arch::X86_64 => &[(b"\x0f\x1f\x84\x00\0\0\0\0", 4), (b"\x0f\x1f\x80\0\0\0\0", 3)],
        // `addi zero, zero, immediate`: a hint. The immediate is in the upper twelve bits.
        Arch::Riscv64 => &[(b"\x13\0\0\0", 2)],
    }
}

/// A program as that version has it; version 0 is the program itself.
pub fn of(arch: Arch, program: &[u8], version: u8) -> Vec<u8> {
    let mut bytes = program.to_vec();
    if version == 0 {
        return bytes;
    }
    for code in code(program) {
        let mut at = code.start;
        while at < code.end {
            let found = idle(arch).iter().find(|(idle, _)| bytes[at..code.end].starts_with(idle));
            match found {
                // The lowest bits of an immediate's bytes are the opcode's: its others are ours.
                Some((idle, operand)) => {
                    bytes[at + operand..at + operand + 2]
                        .copy_from_slice(&(u16::from(version) << 4).to_le_bytes());
                    at += idle.len();
                }
                None => at += 1,
            }
        }
    }
    bytes
}

/// Pages in which two versions of a program differ, and how many it has.
pub fn different_pages(one: &[u8], other: &[u8]) -> (usize, usize) {
    let pages = one.chunks(PAGE).zip(other.chunks(PAGE));
    (pages.filter(|(one, other)| one != other).count(), one.len().div_ceil(PAGE))
}

/// Parts of an ELF file that are executed; none of what is not one.
fn code(elf: &[u8]) -> Vec<std::ops::Range<usize>> {
    let number = |at: usize, bytes: usize| {
        let field = elf.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    let headers = number(32, 8).zip(number(56, 2)).filter(|_| elf.starts_with(b"\x7fELF\x02\x01"));
    let (first, count) = headers.unwrap_or_default();
    let part = |index: usize| {
        let header = first.checked_add(index * HEADER)?;
        let (kind, flags) = (number(header, 4)?, number(header + 4, 4)?);
        let (start, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
        let end = start.checked_add(length).filter(|end| *end <= elf.len())?;
        (kind == 1 && flags & 1 != 0).then_some(start..end)
    };
    (0..count).filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two pages, the second of which is code.
    fn program(code: &[u8]) -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(2 * PAGE, 0x90);
        elf[32..40].copy_from_slice(&64u64.to_le_bytes());
        elf[56..58].copy_from_slice(&1u16.to_le_bytes());
        for (at, value) in [(0, 1 | 5 << 32), (8, PAGE as u64), (32, PAGE as u64)] {
            elf[64 + at..72 + at].copy_from_slice(&value.to_le_bytes());
        }
        for start in [1024, PAGE + 7] {
            elf[start..start + code.len()].copy_from_slice(code);
        }
        elf
    }

    #[test]
    fn operands_that_nobody_reads_have_the_version() {
        let same = program(b"\x0f\x1f\x84\x00\0\0\0\0\xc3\x0f\x1f\x80\0\0\0\0");
        let third = of(Arch::X86_64, &same, 3);
        assert_eq!(
            &third[PAGE + 7..][..16],
            b"\x0f\x1f\x84\x00\x30\0\0\0\xc3\x0f\x1f\x80\x30\0\0\0"
        );
        assert_eq!(third[..PAGE], same[..PAGE], "what is not executed stays");
        assert_eq!(different_pages(&same, &third), (1, 2));
        let hint = of(Arch::Riscv64, &program(b"\x13\0\0\0"), 0x12);
        // addi zero, zero, 18
        assert_eq!(hint[PAGE + 7..][..4], (0x0120_0013u32).to_le_bytes());
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
