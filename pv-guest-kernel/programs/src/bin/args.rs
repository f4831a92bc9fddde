//! Prints its arguments and its environment, and checks the auxiliary vector and the first stack.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the auxiliary vector holds addresses")]

use kernel_programs::calls::{PAGE, load, user};
use kernel_programs::{Start, check, println, program};

program!(main);

const AT_PHDR: usize = 3;
const AT_PHENT: usize = 4;
const AT_PHNUM: usize = 5;
const AT_PAGESZ: usize = 6;
const AT_BASE: usize = 7;
const AT_ENTRY: usize = 9;
const AT_UID: usize = 11;
const AT_EUID: usize = 12;
const AT_CLKTCK: usize = 17;
const AT_SECURE: usize = 23;
const AT_RANDOM: usize = 25;
const AT_EXECFN: usize = 31;

unsafe extern "C" {
    fn _start();
}

fn main(start: &Start) -> i32 {
    println!("{} arguments", start.count());
    for index in 0..start.count() {
        let text = start.argument(index).unwrap_or_default().to_str().unwrap_or("not UTF-8");
        // Where the program lies is another matter.
        let text = if index == 0 { text.rsplit('/').next().unwrap_or(text) } else { text };
        println!("argument {index}: {text:?}");
    }
    check!(start.arguments_end() == 0, "a zero ends the arguments");
    for text in start.environment() {
        println!("environment: {:?}", text.to_str().unwrap_or("not UTF-8"));
    }
    check!(start.stack().is_multiple_of(16), "the stack is aligned at the first instruction");
    numbers(start);
    program_headers(start);
    texts(start);
    println!("the auxiliary vector is right");
    0
}

fn numbers(start: &Start) {
    let is = |key, value| {
        let found = start.auxiliary(key);
        check!(found == Some(value), "auxiliary value {key} is {found:?}, not {value}");
    };
    is(AT_PAGESZ, PAGE);
    is(AT_PHENT, 56);
    is(AT_BASE, 0);
    is(AT_CLKTCK, 100);
    is(AT_SECURE, 0);
    is(AT_UID, user());
    is(AT_EUID, user());
    is(AT_ENTRY, _start as *const () as usize);
}

/// The program's headers are mapped where they are said to be: one holds the entry.
fn program_headers(start: &Start) {
    let of = |key| start.auxiliary(key).unwrap_or(0);
    let (first, count, entry) = (of(AT_PHDR), of(AT_PHNUM), of(AT_ENTRY));
    check!(first != 0 && (1..64).contains(&count), "{count} program headers");
    let loaded = (0..count).filter(|index| {
        let header = first + index * 56;
        let word = |offset: usize| {
            (0..8).fold(0, |word, byte| {
                // SAFETY: the kernel says that the headers lie there; they are read bytewise.
                word | usize::from(unsafe { load(header + offset + byte) }) << (8 * byte)
            })
        };
        let (kind, address, size) = (word(0) as u32, word(16), word(40));
        kind == 1 && (address..address + size).contains(&entry)
    });
    check!(loaded.count() == 1, "one program header holds the entry");
}

fn texts(start: &Start) {
    let name = start.auxiliary(AT_EXECFN).map(|address| start.text(address).to_bytes());
    check!(name.is_some_and(|name| name.ends_with(b"args")), "the name of the program's file");
    let random = start.auxiliary(AT_RANDOM);
    check!(random.is_some(), "there are random bytes");
    // SAFETY: the kernel says that sixteen bytes lie there.
    let bytes =
        random.map_or([0; 16], |at| core::array::from_fn(|byte| unsafe { load(at + byte) }));
    check!(bytes != [bytes[0]; 16], "the random bytes are not all the same");
}
