//! Programs for the model's processor: [`Instruction`].

pub use super::registers::{ARGUMENT, CALL, LINK, STACK, THREAD};
use alloc::vec::Vec;

/// One instruction, of 16 bytes. Registers are numbered from 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// `a = value`.
    Set(u8, u64),
    /// `a = b + value`; a negative value wraps.
    Add(u8, u8, u64),
    /// `a = b + c`.
    Sum(u8, u8, u8),
    /// `a = b / c`; an arithmetic error when `c` is 0.
    Divide(u8, u8, u8),
    /// `a =` the word at `b + offset`.
    Load(u8, u8, u64),
    /// `a =` the byte at `b + offset`.
    LoadByte(u8, u8, u64),
    /// The word at `b + offset` is `a`.
    Store(u8, u8, u64),
    /// The byte at `b + offset` is the lowest of `a`.
    StoreByte(u8, u8, u64),
    /// Goes on at an address.
    Jump(u64),
    /// Goes on at an address, if `a` is 0.
    JumpIfZero(u8, u64),
    /// Goes on at the address in `a`.
    JumpTo(u8),
    /// A system call.
    Call,
    /// A breakpoint.
    Break,
}

impl Instruction {
    /// Its bytes.
    pub fn encode(self) -> [u8; 16] {
        let (code, a, b, c, value) = match self {
            Instruction::Set(a, value) => (1, a, 0, 0, value),
            Instruction::Add(a, b, value) => (2, a, b, 0, value),
            Instruction::Sum(a, b, c) => (3, a, b, c, 0),
            Instruction::Divide(a, b, c) => (4, a, b, c, 0),
            Instruction::Load(a, b, offset) => (5, a, b, 0, offset),
            Instruction::LoadByte(a, b, offset) => (6, a, b, 0, offset),
            Instruction::Store(a, b, offset) => (7, a, b, 0, offset),
            Instruction::StoreByte(a, b, offset) => (8, a, b, 0, offset),
            Instruction::Jump(to) => (9, 0, 0, 0, to),
            Instruction::JumpIfZero(a, to) => (10, a, 0, 0, to),
            Instruction::JumpTo(a) => (11, a, 0, 0, 0),
            Instruction::Call => (12, 0, 0, 0, 0),
            Instruction::Break => (13, 0, 0, 0, 0),
        };
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[code, a, b, c]);
        bytes[8..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// What the bytes say; `None` for what is no instruction.
    pub fn decode(bytes: [u8; 16]) -> Option<Instruction> {
        let (head, value) = bytes.split_at(8);
        let value = u64::from_le_bytes(value.try_into().ok()?);
        let [code, a, b, c, ..] = *head else { return None };
        if a > 15 || b > 15 || c > 15 {
            return None;
        }
        Some(match code {
            1 => Instruction::Set(a, value),
            2 => Instruction::Add(a, b, value),
            3 => Instruction::Sum(a, b, c),
            4 => Instruction::Divide(a, b, c),
            5 => Instruction::Load(a, b, value),
            6 => Instruction::LoadByte(a, b, value),
            7 => Instruction::Store(a, b, value),
            8 => Instruction::StoreByte(a, b, value),
            9 => Instruction::Jump(value),
            10 => Instruction::JumpIfZero(a, value),
            11 => Instruction::JumpTo(a),
            12 => Instruction::Call,
            13 => Instruction::Break,
            _ => return None,
        })
    }
}

/// The bytes of a program.
pub fn assemble(program: &[Instruction]) -> Vec<u8> {
    program.iter().flat_map(|instruction| instruction.encode()).collect()
}
