//! What a program finds on its stack when it starts, as the System V ABI has it: [`StackImage`].

use crate::Machine;
use alloc::vec::Vec;
use core::ops::Range;

/// Words of the auxiliary vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
#[allow(missing_docs, reason = "the names are those of the ABI")]
pub enum Aux {
    Headers = 3,
    HeaderSize = 4,
    HeaderCount = 5,
    PageSize = 6,
    Base = 7,
    Flags = 8,
    Entry = 9,
    User = 11,
    EffectiveUser = 12,
    Group = 13,
    EffectiveGroup = 14,
    Platform = 15,
    Hardware = 16,
    ClockTick = 17,
    Secure = 23,
    Random = 25,
    Program = 31,
}

/// What a program is given.
pub struct Given<'a> {
    /// Its arguments.
    pub arguments: &'a [Vec<u8>],
    /// Its environment.
    pub environment: &'a [Vec<u8>],
    /// The path that it was executed by.
    pub path: &'a [u8],
    /// Bytes that nobody can guess.
    pub random: [u8; 16],
    /// The auxiliary vector, but for what is an address on the stack.
    pub auxiliary: &'a [(Aux, u64)],
}

/// The bytes of a stack below its top, and where things are in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackImage {
    /// The bytes; the first is at `sp`.
    pub bytes: Vec<u8>,
    /// The stack pointer.
    pub sp: u64,
    /// The arguments' strings.
    pub arguments: Range<u64>,
    /// The environment's strings.
    pub environment: Range<u64>,
}

/// What the machine calls itself.
const fn platform(machine: Machine) -> Option<&'static [u8]> {
    match machine {
        Machine::X86_64 => Some(b"x86_64"),
        Machine::Riscv64 => None,
    }
}

impl StackImage {
    /// The stack below `top`, which is on a page border. `None`: it does not fit.
    pub fn new(machine: Machine, top: u64, given: &Given<'_>) -> Option<StackImage> {
        let mut strings = Vec::new();
        let mut put = |string: &[u8]| {
            let at = strings.len() as u64;
            strings.extend_from_slice(string);
            strings.push(0);
            at
        };
        let arguments: Vec<u64> = given.arguments.iter().map(|string| put(string)).collect();
        let environment: Vec<u64> = given.environment.iter().map(|string| put(string)).collect();
        let path = put(given.path);
        let name = platform(machine).map(&mut put);
        let arguments_end = environment.first().copied().unwrap_or(path);
        // Random bytes are above the words, and strings above them, up to eight zero bytes.
        let first = top.checked_sub(strings.len() as u64 + 8)?;
        let random = first.checked_sub(16)? & !15;

        let mut auxiliary: Vec<(u64, u64)> =
            given.auxiliary.iter().map(|(word, value)| (*word as u64, *value)).collect();
        auxiliary.push((Aux::Random as u64, random));
        auxiliary.push((Aux::Program as u64, first + path));
        if let Some(name) = name {
            auxiliary.push((Aux::Platform as u64, first + name));
        }
        auxiliary.push((0, 0));

        let mut words = Vec::with_capacity(64 + arguments.len() + environment.len());
        words.push(arguments.len() as u64);
        words.extend(arguments.iter().map(|at| first + at));
        words.push(0);
        words.extend(environment.iter().map(|at| first + at));
        words.push(0);
        words.extend(auxiliary.into_iter().flat_map(|(word, value)| [word, value]));

        let sp = random.checked_sub(words.len() as u64 * 8)? & !15;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize((random - sp) as usize, 0);
        bytes.extend_from_slice(&given.random);
        bytes.resize((first - sp) as usize, 0);
        bytes.extend_from_slice(&strings);
        Some(StackImage {
            bytes,
            sp,
            arguments: first..first + arguments_end,
            environment: first + arguments_end..first + path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_program_finds_its_arguments_where_the_abi_says() {
        let given = Given {
            arguments: &[b"ls".to_vec(), b"-l".to_vec()],
            environment: &[b"A=b".to_vec()],
            path: b"/bin/ls",
            random: [7; 16],
            auxiliary: &[(Aux::PageSize, 4096)],
        };
        let image = StackImage::new(Machine::X86_64, 0x10000, &given).unwrap();
        let word = |index: usize| {
            u64::from_le_bytes(image.bytes[index * 8..index * 8 + 8].try_into().unwrap())
        };
        let at = |address: u64| {
            let from = (address - image.sp) as usize;
            image.bytes[from..].split(|byte| *byte == 0).next().unwrap()
        };
        assert_eq!(image.sp % 16, 0);
        assert_eq!((word(0), at(word(1)), at(word(2)), word(3)), (2, &b"ls"[..], &b"-l"[..], 0));
        assert_eq!((at(word(4)), word(5)), (&b"A=b"[..], 0));
        assert_eq!((word(6), word(7)), (6, 4096));
        let auxiliary: Vec<(u64, u64)> =
            (6..).step_by(2).map(|index| (word(index), word(index + 1))).take(5).collect();
        let find = |wanted: Aux| auxiliary.iter().find(|(word, _)| *word == wanted as u64);
        assert_eq!(find(Aux::Program).map(|(_, at_)| at(*at_)), Some(&b"/bin/ls"[..]));
        assert_eq!(find(Aux::Platform).map(|(_, at_)| at(*at_)), Some(&b"x86_64"[..]));
        let (_, random) = find(Aux::Random).unwrap();
        assert_eq!(image.bytes[(random - image.sp) as usize..][..16], [7; 16]);
        assert_eq!(auxiliary.last(), Some(&(0, 0)));
        let arguments = image.arguments.start - image.sp..image.arguments.end - image.sp;
        let bytes = &image.bytes[arguments.start as usize..arguments.end as usize];
        assert_eq!(bytes, b"ls\0-l\0");
        let environment = image.environment.start - image.sp..image.environment.end - image.sp;
        let bytes = &image.bytes[environment.start as usize..environment.end as usize];
        assert_eq!(bytes, b"A=b\0");
        assert!(image.sp + image.bytes.len() as u64 <= 0x10000);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let given = Given {
            arguments: &[vec![b'x'; 5000]],
            environment: &[],
            path: b"x",
            random: [0; 16],
            auxiliary: &[],
        };
        assert_eq!(StackImage::new(Machine::Riscv64, 4096, &given), None);
    }
}
