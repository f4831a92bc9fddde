//! Hands the linker the layout of the image, which comes with `bare-machine`; on a host target there
//! is none.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let Ok(script) = std::env::var("DEP_BARE_MACHINE_LINKER_SCRIPT") else {
        panic!("bare-machine names no linker script: it is built before the image");
    };
    println!("cargo:rerun-if-changed={script}");
    for argument in [
        format!("-T{script}"),
        "--no-pie".into(),
        "-zmax-page-size=4096".into(),
        "-znognustack".into(),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
