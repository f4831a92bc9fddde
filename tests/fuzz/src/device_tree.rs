//! The device tree: what is read of it are ranges that are not empty, and a module in memory.

use crate::{Found, ensure};
use pv_boot_info::{BootInfo, DeviceTree};

/// As on riscv64.
const END: u64 = 254 << 30;

pub(crate) fn run(bytes: &[u8]) -> Found {
    let Ok(tree) = DeviceTree::new(bytes) else { return Ok(()) };
    let _ = (tree.serial_port(), tree.ticks_per_second());
    let mut boot = BootInfo::new();
    if tree.read(&mut boot, END).is_err() {
        return Ok(());
    }
    for range in boot.memory.iter().chain(&boot.reserved) {
        ensure(range.start < range.end, || format!("an empty range {range:x?}"))?;
    }
    ensure(boot.memory.iter().all(|range| range.end <= END), || "memory beyond the end".into())?;
    let Some(module) = &boot.module else { return Ok(()) };
    let inside = boot.memory.iter().any(|r| r.start <= module.start && module.end <= r.end);
    ensure(inside, || format!("the module lies at {module:x?}, outside memory"))
}
