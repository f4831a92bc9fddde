//! The start-information page: what a guest kernel is told when it starts.
//!
//! Its address is in `rdi` (x86-64) or `a0` (riscv64). All of the guest's memory is mapped,
//! readable and writable, from `physmap_base` on: page `p` at `physmap_base + p * 4096`,
//! except that page tables are mapped for reading only. The segments of the guest's ELF file
//! are mapped at their own addresses with their own permissions.
//!
//! ```text
//! pfn 0            this page
//!     1            vCPU page of vCPU 0
//!     2            argument frame of vCPU 0
//!     p2m_pfn      the map, eight bytes a page: machine frame of each pfn
//!     image_pfn    the segments of the ELF file
//!     module_pfn   the module, a file that comes with the image, if the domain has one
//!     stack_pfn    the boot stack
//!     tables_pfn   the page tables that the guest starts on
//!     free_pfn     from here to `frames`: the guest's to use
//! ```

use crate::{AbiVersion, DomainId, Features, Mfn, Pfn};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `magic` of a start-information page: the bytes `PARAVANE`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"PARAVANE");

/// Bytes of command line at most.
pub const COMMAND_LINE_BYTES: usize = 1024;

/// Bytes of a domain's name at most.
pub const NAME_BYTES: usize = 32;

/// Pfn of the start-information page.
pub const START_INFO_PFN: Pfn = Pfn(0);
/// Pfn of the vCPU page of vCPU 0.
pub const VCPU_PAGE_PFN: Pfn = Pfn(1);
/// Pfn of the argument frame of vCPU 0.
pub const ARGUMENT_PFN: Pfn = Pfn(2);

/// `physmap_base` for a guest whose note does not choose one: 128 GiB, so that the map fits
/// the low half of Sv39.
pub const DEFAULT_PHYSMAP_BASE: u64 = 0x20_0000_0000;

/// Bytes of the boot stack.
pub const BOOT_STACK_BYTES: u64 = 64 * 1024;

/// The processor's page-table format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub enum PageTableFormat {
    /// x86-64 with four levels.
    X86_64 = 1,
    /// RISC-V Sv39, three levels.
    Sv39 = 2,
    /// RISC-V Sv48, four levels.
    Sv48 = 3,
}

impl PageTableFormat {
    /// The format of that number.
    pub const fn new(number: u64) -> Option<PageTableFormat> {
        match number {
            1 => Some(PageTableFormat::X86_64),
            2 => Some(PageTableFormat::Sv39),
            3 => Some(PageTableFormat::Sv48),
            _ => None,
        }
    }

    /// Level of the root: 3 or 4.
    pub const fn levels(self) -> u8 {
        match self {
            PageTableFormat::X86_64 | PageTableFormat::Sv48 => 4,
            PageTableFormat::Sv39 => 3,
        }
    }
}

/// The page. Written once by the hypervisor, before the guest starts; the guest may do with
/// it as it likes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct StartInfo {
    /// The bytes `PARAVANE`: [`MAGIC`].
    pub magic: u64,
    /// Version of the hypervisor's interface.
    pub version: AbiVersion,
    /// Who the guest is.
    pub domain: DomainId,
    /// vCPUs of the domain.
    pub vcpus: u16,
    /// What the hypervisor has.
    pub features: Features,
    /// A [`PageTableFormat`].
    pub page_table_format: u64,
    /// Pages of the guest: pfns `0..frames`, each backed by a machine frame now.
    pub frames: u64,
    /// Frames that the domain may own at most, through its balloon too.
    pub max_frames: u64,
    /// First address that is the hypervisor's: the guest may use `0..guest_end`.
    pub guest_end: u64,
    /// Ticks of the counter (`rdtsc`, `rdtime`) in a second.
    pub ticks_per_second: u64,
    /// Where the guest's memory is mapped.
    pub physmap_base: u64,
    /// Frame of the root of the page tables that the guest starts on; pinned.
    pub root: Mfn,
    /// First page of the P2M.
    pub p2m_pfn: Pfn,
    /// First page of the image.
    pub image_pfn: Pfn,
    /// First page of the boot stack.
    pub stack_pfn: Pfn,
    /// First page of the page tables.
    pub tables_pfn: Pfn,
    /// First page that nothing uses.
    pub free_pfn: Pfn,
    /// Bytes of `command_line` in use.
    pub command_line_length: u64,
    /// Bytes of `name` in use.
    pub name_length: u64,
    /// Name of the domain, UTF-8.
    pub name: [u8; NAME_BYTES],
    /// First page of the module, which zeros follow to the end of its last page; 0 if there is
    /// none. This field and the next are of version 1.1.
    pub module_pfn: Pfn,
    /// Bytes of the module; 0 if there is none.
    pub module_bytes: u64,
    /// Reserved: 0.
    pub reserved: [u64; 6],
    /// Command line, UTF-8.
    pub command_line: [u8; COMMAND_LINE_BYTES],
}

const _: () = {
    assert!(size_of::<StartInfo>() == 136 + 32 + 16 + 48 + 1024);
    assert!(size_of::<StartInfo>() <= crate::PAGE_SIZE as usize);
    assert!(core::mem::offset_of!(StartInfo, features) == 16);
    assert!(core::mem::offset_of!(StartInfo, physmap_base) == 64);
    assert!(core::mem::offset_of!(StartInfo, module_pfn) == 168);
    assert!(core::mem::offset_of!(StartInfo, command_line) == 232);
};

impl StartInfo {
    /// The command line, cut where it is not UTF-8.
    pub fn command_line(&self) -> &str {
        text(&self.command_line, self.command_line_length)
    }

    /// The domain's name, cut where it is not UTF-8.
    pub fn name(&self) -> &str {
        text(&self.name, self.name_length)
    }
}

fn text(bytes: &[u8], length: u64) -> &str {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    let bytes = &bytes[..length];
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}
