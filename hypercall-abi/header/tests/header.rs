//! The C header `include/paravane.h`: generated here, kept in the tree, and compiled.
//!
//! With the environment variable `PARAVANE_BLESS` set, the test writes the header instead
//! of comparing it.

use abi_header::{assertions, header, values};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/paravane.h")
}

#[test]
fn header_in_the_tree_is_the_generated_one() {
    let generated = header();
    if env::var_os("PARAVANE_BLESS").is_some() {
        fs::write(kept(), &generated).unwrap();
        return;
    }
    let kept = fs::read_to_string(kept()).unwrap_or_default();
    let line = kept.lines().zip(generated.lines()).position(|(kept, new)| kept != new);
    assert!(
        kept == generated,
        "hypercall-abi/include/paravane.h is not what the crate says (first difference near line \
         {}): run PARAVANE_BLESS=1 cargo test -p abi-header",
        line.unwrap_or(0) + 1
    );
}

/// Compiles a C file that asserts every number, size and offset; the note and the stubs are
/// used in it.
fn compile(compiler: &str, extra: &[&str], name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(format!("{name}.c"));
    fs::write(&source, assertions()).unwrap();
    let include = folder.join(name);
    fs::create_dir_all(&include).unwrap();
    fs::write(include.join("paravane.h"), header()).unwrap();
    let output = Command::new(compiler)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-O1", "-c"])
        .args(extra)
        .arg("-I")
        .arg(&include)
        .arg(&source)
        .arg("-o")
        .arg(folder.join(format!("{name}.o")))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} refuses {}:\n{message}", source.display());
}

fn has(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn header_compiles_and_agrees_with_the_crate() {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    if !has(&compiler) {
        eprintln!("no C compiler ({compiler}): the header is not compiled");
        return;
    }
    compile(&compiler, &[], "host");
}

#[test]
fn header_compiles_for_riscv64() {
    let cross = ["riscv64-linux-gnu-gcc", "riscv64-unknown-elf-gcc"];
    if let Some(compiler) = cross.into_iter().find(|compiler| has(compiler)) {
        compile(compiler, &["-march=rv64imac", "-mabi=lp64"], "riscv64");
    } else if has("clang") {
        compile("clang", &["--target=riscv64-unknown-elf", "-march=rv64imac"], "riscv64");
    } else {
        eprintln!("no C compiler for riscv64: the header is not compiled for it");
    }
}

/// The stubs take as many arguments as the calls look at.
#[test]
fn stubs_have_the_arguments_of_their_calls() {
    use hypercall_abi::{Hypercall, Number};
    assert_eq!(values::CALLS.len(), Number::COUNT);
    for (number, &(call, arguments)) in Number::ALL.into_iter().zip(values::CALLS) {
        assert_eq!(call, number);
        for index in 0..6 {
            let different = [0, 2, 3, 9, u64::MAX].into_iter().any(|value| {
                let mut args = [1; 6];
                match number {
                    Number::BalloonInflate | Number::BalloonDeflate => args[1] = 0,
                    Number::BalloonReport => args[2] = 0,
                    _ => {}
                }
                let one = Hypercall::decode(number as u64, &args);
                args[index] = value;
                one != Hypercall::decode(number as u64, &args)
            });
            // With one update, its target and value are arguments 1 and 2; with a count
            // they are not looked at.
            let used = different || number == Number::PteUpdate && index < 3;
            assert_eq!(used, index < arguments.len(), "{}: argument {index}", number.name());
        }
    }
}
