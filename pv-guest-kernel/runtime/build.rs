//! Tells the build scripts of guest kernels where the linker script is.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=guest.ld");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("guest.ld");
    let mut script = fs::read_to_string("guest.ld").expect("guest.ld lies beside this file");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        // defmt's own script, which its build puts on the linker's search path.
        script.push_str("\nINCLUDE defmt.x\n");
    }
    fs::write(&out, script).expect("OUT_DIR can be written");
    println!("cargo::metadata=linker_script={}", out.display());
}
