//! Programs for tests, written with labels and made into ELF files: [`Assembler`].

use super::program::{CALL, Instruction, STACK, assemble};
use crate::{Machine, PAGE, calls::Call};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// Where the code of a program begins.
pub const CODE: u64 = 0x10_0000;
/// Where its data begin.
pub const DATA: u64 = 0x40_0000;
/// Where its zeros begin, which are not in its file.
pub const ZEROS: u64 = DATA + (PAGE * 4) as u64;
/// The register that [`Assembler::expect`] changes.
pub const SCRATCH: u8 = 14;

/// What a signal handler returns to on riscv64: the call `rt_sigreturn`.
pub const SIGNAL_RETURN: [u8; 32] = {
    let mut bytes = [0; 32];
    // Set(CALL, 139); Call.
    bytes[0] = 1;
    bytes[8] = 139;
    bytes[16] = 12;
    bytes
};

/// An argument of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// A number.
    Value(u64),
    /// What a register holds; none of those that pass arguments.
    Register(u8),
    /// A place in the code.
    Label(&'static str),
}

impl From<u64> for Operand {
    fn from(value: u64) -> Operand {
        Operand::Value(value)
    }
}

/// A program that is written.
#[derive(Clone, Debug)]
pub struct Assembler {
    machine: Machine,
    code: Vec<Instruction>,
    labels: BTreeMap<&'static str, u64>,
    /// Instructions whose value is a place that is named.
    places: Vec<(usize, &'static str)>,
    data: Vec<u8>,
    expected: u64,
    zeros: u64,
}

impl Assembler {
    /// An empty program.
    pub fn new(machine: Machine) -> Assembler {
        Assembler {
            machine,
            code: Vec::new(),
            labels: BTreeMap::new(),
            places: Vec::new(),
            data: Vec::new(),
            expected: 0,
            zeros: 0,
        }
    }

    /// The machine that it is for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    fn here(&self) -> u64 {
        CODE + self.code.len() as u64 * 16
    }

    /// Names this place.
    pub fn label(&mut self, name: &'static str) -> &mut Self {
        let here = self.here();
        assert!(self.labels.insert(name, here).is_none(), "{name} is two places");
        self
    }

    /// An instruction.
    pub fn put(&mut self, instruction: Instruction) -> &mut Self {
        self.code.push(instruction);
        self
    }

    /// A register gets a value.
    pub fn set(&mut self, register: u8, to: impl Into<Operand>) -> &mut Self {
        match to.into() {
            Operand::Value(value) => self.put(Instruction::Set(register, value)),
            Operand::Register(from) => self.put(Instruction::Add(register, from, 0)),
            Operand::Label(name) => {
                self.places.push((self.code.len(), name));
                self.put(Instruction::Set(register, 0))
            }
        }
    }

    /// Goes on at a place.
    pub fn jump(&mut self, name: &'static str) -> &mut Self {
        self.places.push((self.code.len(), name));
        self.put(Instruction::Jump(0))
    }

    /// Goes on at a place, if a register is 0.
    pub fn jump_if_zero(&mut self, register: u8, name: &'static str) -> &mut Self {
        self.places.push((self.code.len(), name));
        self.put(Instruction::JumpIfZero(register, 0))
    }

    /// A system call; its answer is in register [`CALL`].
    pub fn call(&mut self, call: Call, arguments: &[Operand]) -> &mut Self {
        let number = call.number(self.machine).expect("the machine has the call");
        self.call_number(number.into(), arguments)
    }

    /// A system call by its number.
    pub fn call_number(&mut self, number: u64, arguments: &[Operand]) -> &mut Self {
        for (index, argument) in arguments.iter().enumerate() {
            self.set(super::program::ARGUMENT as u8 + index as u8, *argument);
        }
        self.set(CALL as u8, number).put(Instruction::Call)
    }

    /// `fork`.
    pub fn fork(&mut self) -> &mut Self {
        self.call(Call::Clone, &[17.into(), 0.into(), 0.into(), 0.into(), 0.into()])
    }

    /// The program ends here, with a code.
    pub fn exit(&mut self, code: impl Into<Operand>) -> &mut Self {
        let code = code.into();
        self.call(Call::ExitGroup, &[code])
    }

    /// If a register is something else, the program ends: with the code that counts these
    /// checks, from 1.
    pub fn expect(&mut self, register: u8, value: u64) -> &mut Self {
        self.expected += 1;
        let behind = self.here() + 5 * 16;
        let exit: u16 = Call::ExitGroup.number(self.machine).expect("there is an exit");
        let code = self.expected;
        self.put(Instruction::Add(SCRATCH, register, value.wrapping_neg()))
            .put(Instruction::JumpIfZero(SCRATCH, behind))
            .set(super::program::ARGUMENT as u8, code)
            .set(CALL as u8, u64::from(exit))
            .put(Instruction::Call)
    }

    /// As [`expect`](Self::expect), of the answer of a call.
    pub fn answers(&mut self, value: i64) -> &mut Self {
        self.expect(CALL as u8, value as u64)
    }

    /// As [`expect`](Self::expect), of a word in memory.
    pub fn holds(&mut self, address: u64, value: u64) -> &mut Self {
        self.set(SCRATCH, address).put(Instruction::Load(SCRATCH, SCRATCH, 0));
        self.expect(SCRATCH, value)
    }

    /// Bytes in the data of the program, on a border of eight; their address.
    pub fn data(&mut self, bytes: &[u8]) -> u64 {
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let at = DATA + self.data.len() as u64;
        self.data.extend_from_slice(bytes);
        at
    }

    /// A string with a zero byte; its address.
    pub fn string(&mut self, text: &str) -> u64 {
        let bytes: Vec<u8> = text.bytes().chain([0]).collect();
        self.data(&bytes)
    }

    /// Words; their address.
    pub fn words(&mut self, words: &[u64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.data(&bytes)
    }

    /// So many bytes of zeros more, at [`ZEROS`].
    pub fn zeros(&mut self, bytes: u64) -> &mut Self {
        self.zeros += bytes;
        self
    }

    /// A handler that is installed for a signal; the restorer is at a label, which
    /// [`restorer`](Self::restorer) makes.
    pub fn handle(&mut self, signal: u64, handler: &'static str, flags: u64) -> &mut Self {
        const RESTORER: u64 = 0x0400_0000;
        let action = self.words(&[0; 4]);
        let size = 8_u64.into();
        self.set(SCRATCH, Operand::Label(handler)).set(8, action);
        self.put(Instruction::Store(SCRATCH, 8, 0));
        self.set(SCRATCH, flags | RESTORER).put(Instruction::Store(SCRATCH, 8, 8));
        if self.machine == Machine::X86_64 {
            self.set(SCRATCH, Operand::Label("restorer")).put(Instruction::Store(SCRATCH, 8, 16));
        }
        self.call(Call::RtSigaction, &[signal.into(), action.into(), 0.into(), size])
    }

    /// Where handlers of x86-64 return to: as a `ret` would, it takes the address off the stack.
    pub fn restorer(&mut self) -> &mut Self {
        self.label("restorer").put(Instruction::Add(STACK as u8, STACK as u8, 8));
        self.call(Call::RtSigreturn, &[])
    }

    /// The program as an ELF file.
    pub fn elf(&self) -> Vec<u8> {
        let mut code = self.code.clone();
        for (index, name) in &self.places {
            let place = *self.labels.get(name).unwrap_or_else(|| panic!("{name} is no place"));
            match &mut code[*index] {
                Instruction::Set(_, value)
                | Instruction::Jump(value)
                | Instruction::JumpIfZero(_, value) => *value = place,
                other => panic!("{other:?} names no place"),
            }
        }
        assert!(self.data.len() <= 4 * PAGE, "the data of a test's program are 4 pages at most");
        let code = assemble(&code);
        let data_at = (PAGE + code.len()).next_multiple_of(PAGE) as u64;
        let memory = if self.zeros == 0 { self.data.len() as u64 } else { 4 * PAGE as u64 };
        let machine = match self.machine {
            Machine::X86_64 => 62,
            Machine::Riscv64 => 243,
        };
        let segments = [
            Segment { flags: 5, offset: PAGE as u64, address: CODE, file: code.len() as u64 },
            Segment { flags: 6, offset: data_at, address: DATA, file: self.data.len() as u64 },
        ];
        let memory = [code.len() as u64, memory + self.zeros];
        let mut file = header(machine, CODE, &segments, &memory);
        file.resize(PAGE, 0);
        file.extend(code);
        file.resize(data_at as usize, 0);
        file.extend_from_slice(&self.data);
        file
    }
}

struct Segment {
    flags: u32,
    offset: u64,
    address: u64,
    file: u64,
}

/// The headers of an ELF file.
fn header(machine: u16, entry: u64, segments: &[Segment], memory: &[u64]) -> Vec<u8> {
    let count = segments.len() as u16;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([entry, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64, 56, count, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    for (segment, memory) in segments.iter().zip(memory) {
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(segment.flags.to_le_bytes());
        let Segment { offset, address, file, .. } = *segment;
        let words = [offset, address, address, file, *memory, PAGE as u64];
        bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
    }
    bytes
}

/// A first file system in the `newc` format, with directories for its files; all of them can be
/// executed.
pub fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directories = Vec::new();
    for (name, content) in files {
        for (end, _) in name.match_indices('/') {
            if !directories.contains(&&name[..end]) {
                directories.push(&name[..end]);
                entry(&mut archive, &name[..end], 0o040_755, &[]);
            }
        }
        entry(&mut archive, name, 0o100_755, content);
    }
    entry(&mut archive, "TRAILER!!!", 0, &[]);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let ino = archive.len() as u32;
    let numbers =
        [ino, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    let mut header = String::from("070701");
    for number in numbers {
        header += &alloc::format!("{number:08X}");
    }
    archive.extend(header.bytes().chain(name.bytes()).chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_returns_by_the_call() {
        let number = Call::RtSigreturn.number(Machine::Riscv64).unwrap().into();
        let code = assemble(&[Instruction::Set(CALL as u8, number), Instruction::Call]);
        assert_eq!(SIGNAL_RETURN[..], code);
    }
}
