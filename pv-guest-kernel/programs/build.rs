//! Links the programs where Linux programs of each architecture usually lie. On a host target there
//! are none.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let base = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "0x400000",
        _ => "0x10000",
    };
    // Nobody decodes anything by their symbols, and guests hold the files in memory.
    for argument in ["--no-pie", "--strip-all", "-zseparate-loadable-segments"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-link-arg-bins=--image-base={base}");
}
