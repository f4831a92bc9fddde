//! Hands the linker the layout of the image; on a host target there is none.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "none" {
        return;
    }
    let script = match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86_64" => "link-x86_64.ld",
        "riscv64" => "link-riscv64.ld",
        other => panic!("no linker script for {other}: the image is for x86_64 and riscv64"),
    };
    let path = Path::new(&variable("CARGO_MANIFEST_DIR")).join(script);
    println!("cargo:rerun-if-changed={}", path.display());
    for argument in [
        format!("-T{}", path.display()),
        "-Tdefmt.x".into(),
        "--no-pie".into(),
        "-zmax-page-size=4096".into(),
        "-znognustack".into(),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
