//! A small ELF writer: guest images with one thing wrong at a time.

use hypercall_abi::note::{ElfNote, GuestNote};
use zerocopy::IntoBytes;

pub const READ: u32 = 4;
pub const WRITE: u32 = 2;
pub const EXECUTE: u32 = 1;
pub const LOAD: u32 = 1;
pub const NOTE: u32 = 4;

/// A program header and the bytes that it names.
#[derive(Clone)]
pub struct Part {
    pub kind: u32,
    pub flags: u32,
    pub address: u64,
    pub memory: u64,
    pub data: Vec<u8>,
}

/// An ELF file to be written.
#[derive(Clone)]
pub struct File {
    pub class: u8,
    pub endian: u8,
    pub kind: u16,
    pub machine: u16,
    pub entry: u64,
    pub parts: Vec<Part>,
}

pub fn load(flags: u32, address: u64, memory: u64, data: &[u8]) -> Part {
    Part { kind: LOAD, flags, address, memory, data: data.to_vec() }
}

pub fn note(note: GuestNote) -> Part {
    let data = ElfNote::new(note).as_bytes().to_vec();
    Part { kind: NOTE, flags: READ, address: 0x1000_0000, memory: data.len() as u64, data }
}

/// A guest for x86-64 that every rule accepts.
pub fn good() -> File {
    File {
        class: 2,
        endian: 1,
        kind: 2,
        machine: 62,
        entry: 0x1000_0010,
        parts: vec![
            load(READ | EXECUTE, 0x1000_0000, 0x1800, &[0xf4; 0x1800]),
            load(READ, 0x1000_2000, 0x10, &[1; 0x10]),
            load(READ | WRITE, 0x1000_3000, 0x9000, &[2; 0x20]),
            note(GuestNote::CURRENT),
        ],
    }
}

impl File {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', self.class, self.endian, 1, 0];
        bytes.resize(16, 0);
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.machine.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        for value in [self.entry, 64, 0] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(0u32.to_le_bytes());
        for value in [64, 56, self.parts.len() as u16, 64, 0, 0] {
            bytes.extend(value.to_le_bytes());
        }
        let mut offset = (bytes.len() + 56 * self.parts.len()) as u64;
        for part in &self.parts {
            offset = offset.next_multiple_of(8);
            bytes.extend(part.kind.to_le_bytes());
            bytes.extend(part.flags.to_le_bytes());
            let size = part.data.len() as u64;
            for value in [offset, part.address, part.address, size, part.memory, 4] {
                bytes.extend(value.to_le_bytes());
            }
            offset += size;
        }
        for part in &self.parts {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend(&part.data);
        }
        bytes
    }
}
