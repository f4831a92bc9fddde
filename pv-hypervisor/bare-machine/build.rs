//! Tells the build scripts of images where the linker script is.

use std::{env, path::PathBuf};

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let script = match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "riscv64" => "link-riscv64.ld",
        _ => "link-x86_64.ld",
    };
    println!("cargo::rerun-if-changed={script}");
    let path = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join(script);
    println!("cargo::metadata=linker_script={}", path.display());
}
