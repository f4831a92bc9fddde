//! Programs that execute others, and files that are no programs.

use crate::world::*;
use kernel_core::{Machine, process::INIT};
use proptest::prelude::*;
use std::cell::RefCell;

const ENOENT: i64 = -2;
const E2BIG: i64 = -7;
const ENOEXEC: i64 = -8;
const ENOMEM: i64 = -12;
const EACCES: i64 = -13;
const EFAULT: i64 = -14;
const ELOOP: i64 = -40;

/// Executes a path with one argument: its own.
fn execute(a: &mut Assembler, path: &str) {
    let path = a.string(path);
    let argv = a.words(&[path, 0]);
    a.call(Call::Execve, &[path.into(), argv.into(), 0.into()]);
}

#[test]
fn a_program_gets_its_arguments_and_its_environment() {
    passes(
        |a| {
            let path = a.string("/bin/program");
            let (name, one, home) = (a.string("name"), a.string("one"), a.string("HOME=/root"));
            let argv = a.words(&[name, one, 0]);
            let envp = a.words(&[home, 0]);
            a.call(Call::Execve, &[path.into(), argv.into(), envp.into()]).exit(100);
        },
        |machine| {
            let mut a = Assembler::new(machine);
            let sp = STACK as u8;
            let byte = |a: &mut Assembler, word: u64, at: u64, value: u8| {
                a.put(Instruction::Load(8, sp, word * 8)).put(Instruction::LoadByte(8, 8, at));
                a.expect(8, value.into());
            };
            a.put(Instruction::Load(8, sp, 0)).expect(8, 2);
            byte(&mut a, 1, 0, b'n');
            byte(&mut a, 2, 2, b'e');
            byte(&mut a, 4, 5, b'/');
            for word in [3, 5] {
                a.put(Instruction::Load(8, sp, word * 8)).expect(8, 0);
            }
            // The auxiliary vector begins with where its own headers are.
            a.put(Instruction::Load(8, sp, 48)).expect(8, 3);
            vec![("bin/program", a.exit(0).elf())]
        },
    );
}

#[test]
fn the_auxiliary_vector_tells_of_the_program() {
    let mut init = program::<true>();
    init.label("wait").call(Call::SchedYield, &[]).jump("wait");
    let mut kernel = kernel::<true>(&[("init", init.elf())]);
    run_for(&mut kernel, 3);
    let process = kernel.processes.get(INIT).unwrap();
    let sp = process.image.stack;
    let mut words = vec![0; ((kernel.settings.layout.end - sp) / 8) as usize];
    kernel.user(INIT).read_words(sp, &mut words).unwrap();
    let start = 1 + 1 + words[1..].iter().position(|word| *word == 0).unwrap();
    let start = start + 1 + words[start..].iter().position(|word| *word == 0).unwrap();
    let find = |wanted: u64| {
        let pairs = words[start..].chunks_exact(2);
        pairs.take_while(|pair| pair[0] != 0).find(|pair| pair[0] == wanted).map(|pair| pair[1])
    };
    let expected =
        [(4, 56), (5, 2), (6, 4096), (7, 0), (9, 0x10_0000), (11, 0), (17, 100), (23, 0)];
    for (word, value) in expected {
        assert_eq!(find(word), Some(value), "word {word}");
    }
    // Rights by letter: I, M, A, F, D, C.
    assert_eq!(find(16), Some(0x112d));
    let mut name = [0; 6];
    kernel.user(INIT).read(find(31).unwrap(), &mut name).unwrap();
    assert_eq!(&name, b"/init\0");
    finish(kernel);
}

#[test]
fn what_is_zero_in_memory_is_not_in_the_file() {
    passes(
        |a| {
            let word = a.words(&[5]);
            a.zeros(3 * 4096);
            a.holds(word, 5).holds(word + 8, 0).holds(ZEROS, 0);
            a.set(8, ZEROS + 8192).put(Instruction::Store(8, 8, 0)).exit(0);
        },
        alone,
    );
}

#[test]
fn what_is_no_program_is_refused_and_the_caller_goes_on() {
    passes(
        |a| {
            execute(a, "/nothing");
            a.answers(ENOENT);
            execute(a, "/bin");
            a.answers(EACCES);
            for path in ["/text", "/empty", "/short", "/other"] {
                execute(a, path);
                a.answers(ENOEXEC);
            }
            execute(a, "/loop");
            a.answers(ELOOP);
            execute(a, "/lost");
            a.answers(ENOENT);
            let path = a.string("/bin/program");
            a.call(Call::Execve, &[8.into(), 0.into(), 0.into()]).answers(EFAULT);
            a.call(Call::Execve, &[path.into(), 8.into(), 0.into()]).answers(EFAULT);
            // An array without an end: its own pages are full of addresses of a string.
            a.zeros(0x4_0000).set(8, ZEROS).set(7, path).set(6, 0x4_0000 / 8);
            a.label("fill").put(Instruction::Store(7, 8, 0)).put(Instruction::Add(8, 8, 8));
            a.put(Instruction::Add(6, 6, u64::MAX)).jump_if_zero(6, "full").jump("fill");
            a.label("full");
            a.call(Call::Execve, &[path.into(), ZEROS.into(), 0.into()]).answers(E2BIG);
            a.exit(0);
        },
        |machine| {
            let other = match machine {
                Machine::X86_64 => Machine::Riscv64,
                Machine::Riscv64 => Machine::X86_64,
            };
            let mut program = Assembler::new(other);
            vec![
                ("bin/program", b"#!/loop\n".to_vec()),
                (
                    "text",
                    b"echo hello, this is longer than the header of a program would be\n".to_vec(),
                ),
                ("empty", Vec::new()),
                ("short", b"\x7fELF".to_vec()),
                ("other", program.put(Instruction::Break).elf()),
                ("loop", b"#!/loop\n".to_vec()),
                ("lost", b"#!/nobody -x\n".to_vec()),
            ]
        },
    );
}

#[test]
fn a_script_is_its_interpreters() {
    passes(
        |a| execute(a, "/script"),
        |machine| {
            let mut a = Assembler::new(machine);
            // Interpreter, argument, script.
            a.put(Instruction::Load(8, STACK as u8, 0)).expect(8, 3);
            for (word, at, value) in [(1, 5, b'i'), (2, 3, b'w'), (3, 1, b's')] {
                a.put(Instruction::Load(8, STACK as u8, word * 8));
                a.put(Instruction::LoadByte(8, 8, at)).expect(8, u64::from(value));
            }
            a.exit(0);
            vec![("script", b"#! /bin/interpreter  -x w\n".to_vec()), ("bin/interpreter", a.elf())]
        },
    );
}

#[test]
fn handlers_go_and_what_is_ignored_and_open_stays() {
    passes(
        |a| {
            let (ends, ignore) = (a.words(&[0]), a.words(&[1, 0, 0, 0]));
            a.handle(10, "handler", 0).answers(0);
            a.call(Call::RtSigaction, &[12.into(), ignore.into(), 0.into(), 8.into()]).answers(0);
            a.call(Call::Pipe2, &[ends.into(), 0.into()]).answers(0);
            a.call(Call::Pipe2, &[ends.into(), 0x8_0000.into()]).answers(0);
            execute(a, "/next");
            a.exit(100).label("handler").exit(101).restorer();
        },
        |machine| {
            let mut a = Assembler::new(machine);
            let old = a.words(&[9; 4]);
            for (signal, handler) in [(10, 0), (12, 1)] {
                let signal = Operand::Value(signal);
                a.call(Call::RtSigaction, &[signal, 0.into(), old.into(), 8.into()]).answers(0);
                a.holds(old, handler);
            }
            for (fd, answer) in [(3, 0), (4, 0), (5, -9), (6, -9)] {
                a.call(Call::Close, &[Operand::Value(fd)]).answers(answer);
            }
            vec![("next", a.exit(0).elf())]
        },
    );
}

#[test]
fn what_the_file_has_behind_a_segment_is_not_the_programs() {
    passes(
        |a| {
            execute(a, "/file");
            a.exit(100);
        },
        |machine| {
            let mut file = victim(machine);
            file.resize(file.len() + 4096, 0xff);
            vec![("file", file)]
        },
    );
}

#[test]
fn a_programs_file_goes_with_its_name_when_nobody_runs_it() {
    let mut a = program::<false>();
    let path = a.string("/next");
    a.fork().jump_if_zero(CALL as u8, "child");
    a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2);
    a.call(Call::Unlinkat, &[(-100_i64 as u64).into(), path.into(), 0.into()]).answers(0);
    a.exit(0).label("child");
    execute(&mut a, "/next");
    a.exit(100);
    let mut next = program::<false>();
    next.call(Call::Getpid, &[]).exit(0);
    let mut kernel = kernel::<false>(&[("init", a.elf()), ("next", next.elf())]);
    let (inodes, pages) = (kernel.fs.usage().inodes, kernel.fs.usage().file_pages);
    assert_eq!(run(&mut kernel), End::Init(0));
    assert_eq!(kernel.fs.usage().inodes, inodes - 1);
    assert!(kernel.fs.usage().file_pages < pages);
    finish(kernel);
}

/// A child executes this file; the first process goes on whatever it is.
fn execute_file<const RISCV: bool>(file: &[u8]) {
    thread_local! {
        static INIT: RefCell<Vec<(bool, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    }
    let cached = INIT.with_borrow(|all| {
        all.iter().find(|(riscv, _)| *riscv == RISCV).map(|(_, file)| file.clone())
    });
    let init = cached.unwrap_or_else(|| {
        let mut a = program::<RISCV>();
        let time = a.words(&[0, 2_000_000]);
        a.fork().jump_if_zero(CALL as u8, "child");
        a.call(Call::Nanosleep, &[time.into(), 0.into()]).answers(0);
        a.call(Call::Kill, &[2.into(), 9.into()]);
        a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2).exit(0);
        a.label("child");
        execute(&mut a, "/file");
        // Whatever was wrong, the caller is as before.
        a.call(Call::Getpid, &[]).answers(2).exit(0);
        let file = a.elf();
        INIT.with_borrow_mut(|all| all.push((RISCV, file.clone())));
        file
    });
    let mut kernel = kernel::<RISCV>(&[("init", init), ("file", file.to_vec())]);
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

/// A program with data, zeros, and some work.
fn victim(machine: Machine) -> Vec<u8> {
    let mut a = Assembler::new(machine);
    let word = a.words(&[7]);
    a.zeros(4096).holds(word, 7).holds(word + 8, 0).holds(ZEROS, 0);
    a.set(8, ZEROS).put(Instruction::Store(8, 8, 0)).exit(0);
    a.elf()
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Where the fields of the file header and of a segment's are.
const ENTRY: usize = 24;
const HEADERS: usize = 32;
const COUNT: usize = 56;
const FIRST: usize = 64;
const SECOND: usize = 64 + 56;
const OFFSET: usize = 8;
const ADDRESS: usize = 16;
const IN_FILE: usize = 32;
const IN_MEMORY: usize = 40;

#[test]
fn each_way_to_lie_about_a_program_has_its_refusal() {
    let at = |base: usize, field: usize| base + field;
    let word = u64::to_le_bytes;
    let lies: [(usize, [u8; 8], i64); 14] = [
        (HEADERS, word(u64::MAX - 8), ENOEXEC),
        (HEADERS, word(1 << 40), ENOEXEC),
        (COUNT, [0, 0, 0, 0, 0, 0, 0, 0], ENOEXEC),
        (COUNT, [0xff, 0xff, 0, 0, 0, 0, 0, 0], ENOEXEC),
        (ENTRY, word(1 << 63), ENOEXEC),
        (at(FIRST, OFFSET), word(0x1001), ENOEXEC),
        (at(FIRST, IN_FILE), word(1 << 50), ENOEXEC),
        (at(FIRST, ADDRESS), word(0x1000), ENOMEM),
        (at(SECOND, ADDRESS), word(0x10_0000), ENOEXEC),
        (at(SECOND, ADDRESS), word(!0xfff), ENOEXEC),
        (at(SECOND, ADDRESS), word(1 << 60), ENOMEM),
        (at(SECOND, IN_MEMORY), word(u64::MAX), ENOEXEC),
        (at(SECOND, IN_MEMORY), word(1 << 46), ENOMEM),
        (at(SECOND, IN_MEMORY), word(1), ENOEXEC),
    ];
    for (place, bytes, errno) in lies {
        passes(
            |a| {
                execute(a, "/file");
                a.answers(errno).exit(0);
            },
            |machine| {
                let mut file = victim(machine);
                put(&mut file, place, &bytes);
                vec![("file", file)]
            },
        );
    }
}

#[test]
fn a_program_that_needs_an_interpreter_is_refused() {
    let mut file = victim(Machine::X86_64);
    put(&mut file, SECOND, &3_u32.to_le_bytes());
    passes(
        |a| {
            execute(a, "/file");
            a.answers(ENOEXEC).exit(0);
        },
        |machine| {
            let mut file = victim(machine);
            put(&mut file, SECOND, &3_u32.to_le_bytes());
            vec![("file", file)]
        },
    );
}

#[test]
fn a_position_independent_program_runs_where_it_is_put() {
    // It has no address of its own in it: it only makes calls.
    let place = |machine| {
        let mut a = Assembler::new(machine);
        a.call(Call::Getpid, &[]).set(8, 3).exit(0);
        let mut file = a.elf();
        put(&mut file, 16, &3_u16.to_le_bytes());
        vec![("file", file)]
    };
    passes(
        |a| {
            execute(a, "/file");
            a.exit(100);
        },
        place,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn damaged_programs_hurt_nobody_else(
        damage in prop::collection::vec(
            (prop_oneof![6 => 0..176_usize, 1 => 0..12288_usize], prop_oneof![
                any::<u8>(), Just(0), Just(0xff), Just(0x10)
            ]),
            1..6,
        ),
        cut in prop::option::weighted(0.2, 0..12288_usize),
    ) {
        for machine in [Machine::X86_64, Machine::Riscv64] {
            let mut file = victim(machine);
            for (at, byte) in &damage {
                let length = file.len();
                file[at % length] = *byte;
            }
            file.truncate(cut.unwrap_or(file.len()));
            match machine {
                Machine::X86_64 => execute_file::<false>(&file),
                Machine::Riscv64 => execute_file::<true>(&file),
            }
        }
    }
}
