//! The device tree, read into [`BootInfo`]. The whole of it is checked before anything of it is
//! used: a tree that is damaged is an error, wherever the damage is.

use crate::info::{BootInfo, MAX_RANGES, Ranges, SEED_BYTES, range};
use core::ops::Range;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

/// Why a device tree was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeviceTreeError {
    /// It is no device tree, or a damaged one.
    Damaged(dtoolkit::error::FdtParseError),
    /// It names more than [`MAX_RANGES`] ranges of memory, or reserves more.
    TooManyRanges,
    /// `/chosen` says that the initrd lies where no memory is.
    InitrdOutsideMemory,
}

impl core::fmt::Display for DeviceTreeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            DeviceTreeError::Damaged(error) => write!(f, "the device tree is damaged: {error}"),
            DeviceTreeError::TooManyRanges => {
                write!(f, "the device tree has more than {MAX_RANGES} ranges of memory")
            }
            DeviceTreeError::InitrdOutsideMemory => f.write_str(
                "the device tree's initrd is not in memory: give the machine more, or the \
                     module less",
            ),
        }
    }
}

impl core::error::Error for DeviceTreeError {}

/// A device tree that is sound.
#[derive(Clone, Copy, Debug)]
pub struct DeviceTree<'a>(Fdt<'a>);

impl<'a> DeviceTree<'a> {
    /// Checks a device tree, which takes up all of the bytes.
    ///
    /// # Errors
    /// [`DeviceTreeError::Damaged`].
    pub fn new(bytes: &'a [u8]) -> Result<DeviceTree<'a>, DeviceTreeError> {
        Fdt::new(bytes).map(DeviceTree).map_err(DeviceTreeError::Damaged)
    }

    /// Machine address of the registers of the first serial port.
    pub fn serial_port(self) -> Option<u64> {
        self.device("ns16550a", |_| true)
    }

    /// Machine address of the register of the device that ends an emulator with an exit status.
    pub fn finisher(self) -> Option<u64> {
        self.device("sifive,test0", |_| true)
    }

    /// Machine address of the registers of the first virtio device that is wanted; a tree names places
    /// for such, which may be empty.
    pub fn virtio_device(self, is_wanted: impl FnMut(u64) -> bool) -> Option<u64> {
        self.device("virtio,mmio", is_wanted)
    }

    /// Machine address of the registers of the first device of a kind that is wanted.
    fn device(self, kind: &str, mut is_wanted: impl FnMut(u64) -> bool) -> Option<u64> {
        fn find<'a>(
            node: FdtNode<'a>,
            kind: &str,
            depth: u32,
            is_wanted: &mut impl FnMut(u64) -> bool,
        ) -> Option<u64> {
            if node.is_compatible(kind)
                && let Some(registers) = registers(node).next()
                && is_wanted(registers.start)
            {
                return Some(registers.start);
            }
            let below = depth.checked_sub(1)?;
            node.children().find_map(|child| find(child, kind, below, is_wanted))
        }
        // The root, a bus, perhaps a bus below it, the device.
        find(self.0.root(), kind, 3, &mut is_wanted)
    }

    /// Ticks of the counter in a second.
    pub fn ticks_per_second(self) -> Option<u64> {
        number(&self.0.find_node("/cpus")?, "timebase-frequency")
    }

    /// Adds what the tree tells to `boot`. Memory from `end` on is left out.
    ///
    /// # Errors
    /// [`DeviceTreeError`].
    pub fn read(self, boot: &mut BootInfo, end: u64) -> Result<(), DeviceTreeError> {
        let is_memory = |node: &FdtNode<'_>| node.name_without_address() == "memory";
        for node in self.0.root().children().filter(is_memory) {
            for range in registers(node) {
                add(&mut boot.memory, range.start..range.end.min(end))?;
            }
        }
        for reservation in self.0.memory_reservations() {
            if let Some(range) = range(reservation.address(), reservation.size()) {
                add(&mut boot.reserved, range)?;
            }
        }
        if let Some(reserved) = self.0.find_node("/reserved-memory") {
            for range in reserved.children().flat_map(registers) {
                add(&mut boot.reserved, range)?;
            }
        }
        match self.0.find_node("/chosen") {
            Some(chosen) => read_chosen(boot, &chosen),
            None => Ok(()),
        }
    }
}

fn read_chosen(boot: &mut BootInfo, chosen: &FdtNode<'_>) -> Result<(), DeviceTreeError> {
    let place = |name| number(chosen, name);
    // An empty file is as good as none, and is told of as that.
    if let (Some(start), Some(end)) = (place("linux,initrd-start"), place("linux,initrd-end"))
        && start != end
    {
        let module = start..end;
        let inside = |memory: &Range<u64>| memory.start <= module.start && module.end <= memory.end;
        if module.is_empty() || !boot.memory.iter().any(inside) {
            return Err(DeviceTreeError::InitrdOutsideMemory);
        }
        boot.module = Some(module);
    }
    if let Some(line) = chosen.property("bootargs") {
        let line = line.value();
        boot.set_command_line(line.strip_suffix(&[0]).unwrap_or(line));
    }
    if let Some(seed) = chosen.property("rng-seed") {
        boot.seed.extend(seed.value().iter().copied().take(SEED_BYTES));
    }
    Ok(())
}

/// A number of one or two cells.
fn number(node: &FdtNode<'_>, name: &str) -> Option<u64> {
    let property = node.property(name)?;
    let narrow = property.value_as::<u32>().ok().map(u64::from);
    narrow.or_else(|| property.value_as::<u64>().ok())
}

/// The ranges of a node's `reg`. One whose cells make no number of 64 bits has none.
fn registers<'a>(node: FdtNode<'a>) -> impl Iterator<Item = Range<u64>> {
    let list = node.reg().ok().flatten().into_iter().flatten();
    list.filter_map(|register| range(register.address().ok()?, register.size().ok()?))
}

fn add(ranges: &mut Ranges, range: Range<u64>) -> Result<(), DeviceTreeError> {
    if range.is_empty() {
        return Ok(());
    }
    ranges.push(range).map_err(|_| DeviceTreeError::TooManyRanges)
}
