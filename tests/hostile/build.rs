//! Hands the linker the layout of a guest, which comes with `pv-guest`; on a host target there
//! is none.

fn main() {
    if let Ok(script) = std::env::var("DEP_PV_GUEST_LINKER_SCRIPT") {
        println!("cargo::rustc-link-arg-bins=-T{script}");
        println!("cargo::rustc-link-arg-bins=--no-pie");
    }
}
