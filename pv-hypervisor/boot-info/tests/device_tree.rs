//! The device tree of QEMU's `virt` machine, whole and damaged. `virt.dtb` is what
//! `qemu-system-riscv64 -M virt,dumpdtb=virt.dtb -m 1G -kernel K -initrd I -append focus=1` writes,
//! without the zeros behind the tree.

use pv_boot_info::device_tree::DeviceTreeError;
use pv_boot_info::{BootInfo, DeviceTree};

const VIRT: &[u8] = include_bytes!("virt.dtb");
const END: u64 = 254 << 30;

fn read(bytes: &[u8], end: u64) -> Result<BootInfo, DeviceTreeError> {
    let mut boot = BootInfo::new();
    DeviceTree::new(bytes)?.read(&mut boot, end)?;
    Ok(boot)
}

#[test]
fn what_the_machine_is_told() {
    let tree = DeviceTree::new(VIRT).unwrap();
    assert_eq!(tree.serial_port(), Some(0x1000_0000));
    assert_eq!(tree.finisher(), Some(0x10_0000));
    assert_eq!(tree.ticks_per_second(), Some(10_000_000));
    let boot = read(VIRT, END).unwrap();
    assert_eq!(boot.memory.as_slice(), std::slice::from_ref(&(0x8000_0000..0xc000_0000)));
    assert_eq!(boot.module.clone().map(|module| module.end - module.start), Some(5000));
    assert_eq!(boot.command_line, "focus=1");
    assert_eq!(boot.seed.len(), 32);
    assert!(boot.seed.windows(2).any(|pair| pair[0] != pair[1]), "{:?}", boot.seed);
}

#[test]
fn a_virtio_device_is_looked_for_in_every_place_that_there_is() {
    let tree = DeviceTree::new(VIRT).unwrap();
    let mut places = Vec::new();
    assert_eq!(
        tree.virtio_device(|place| {
            places.push(place);
            false
        }),
        None
    );
    places.sort_unstable();
    assert_eq!(places, (1..=8).map(|place| 0x1000_0000 + place * 0x1000).collect::<Vec<u64>>());
    assert_eq!(tree.virtio_device(|place| place == 0x1000_3000), Some(0x1000_3000));
}

#[test]
fn an_initrd_outside_memory_is_refused() {
    assert_eq!(read(VIRT, 0x8010_0000), Err(DeviceTreeError::InitrdOutsideMemory));
}

#[test]
fn a_tree_that_is_cut_short_is_refused() {
    for length in 0..VIRT.len() {
        let refused = read(&VIRT[..length], END);
        assert!(matches!(refused, Err(DeviceTreeError::Damaged(_))), "{length}");
    }
}

#[test]
fn a_tree_with_a_wrong_word_is_read_or_refused() {
    let mut refused = 0;
    for at in (0..VIRT.len() - 3).step_by(4) {
        for word in [0u32, 1, 3, u32::MAX] {
            let mut damaged = VIRT.to_vec();
            damaged[at..at + 4].copy_from_slice(&word.to_be_bytes());
            if let Ok(tree) = DeviceTree::new(&damaged) {
                let _ = (
                    tree.serial_port(),
                    tree.finisher(),
                    tree.ticks_per_second(),
                    read(&damaged, END),
                );
            } else {
                refused += 1;
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
