//! Step 2, second half: what the hypervisor refuses, each by its name. Every attempt is one
//! that would break isolation if it went through.
#![allow(unsafe_code, reason = "the calls would be unsafe if they were not refused")]

use super::surprise::{Surprise, surprise};
use pv_guest::{
    abi::{
        DomainId, Error, GrantRef, Mfn, Port, VirtAddr,
        addr::Level,
        calls::{
            grant_share::Access,
            pt_switch::RootChange,
            pte_update::{Space, Target, Update},
        },
        extent::Order,
        start_info::{PageTableFormat, StartInfo},
    },
    calls,
    memory::Memory,
    paging::{Format, Protection, TableRead, entry_of},
    physmap, println,
};

struct Attempts {
    count: u32,
}

impl Attempts {
    /// Checks that what was attempted was refused with the error that it must be.
    fn check<T>(
        &mut self,
        what: &str,
        result: Result<T, Error>,
        expected: Error,
    ) -> Result<(), Surprise> {
        match result {
            Err(error) if error == expected => {
                println!("      {what:<52} {error}");
                self.count += 1;
                Ok(())
            }
            Err(error) => Err(surprise!("{what}: {error}, not {expected}")),
            Ok(_) => Err(surprise!("{what} was allowed, not {expected}")),
        }
    }
}

/// Attempts one page-table update.
fn update(target: Target, value: u64) -> Result<(), Error> {
    // SAFETY: every update of this module is refused; one that is not ends the domain.
    let result = unsafe { calls::pte_update(&[Update::new(target, value)]) };
    result.map(drop).map_err(|partial| partial.error)
}

/// Attempts to map a frame that is not the domain's, in the place of a free page.
pub fn map_frame(memory: &mut Memory, frame: Mfn) -> Result<(), Error> {
    let Some(page) = memory.allocate() else { return Ok(()) };
    let address = physmap::address(page.pfn());
    let target = Target::Page { space: Space::Kernel, address, flush: false };
    let result = update(target, memory.format().page_entry(frame, Protection::WRITE));
    memory.free(page);
    result
}

/// A frame of the hypervisor's image: 64 KiB behind the address at which it is loaded, where
/// its code is.
fn hypervisor_frame(format: Format) -> Mfn {
    match format.kind() {
        PageTableFormat::X86_64 => Mfn::containing(0x11_0000),
        PageTableFormat::Sv39 | PageTableFormat::Sv48 => Mfn::containing(0x8021_0000),
    }
}

/// A frame next to one of the domain's own that is not its own: another domain's or nobody's,
/// as the hypervisor mixes the frames of all.
fn neighbours_frame(memory: &Memory) -> Option<Mfn> {
    let map = memory.p2m();
    map.runs()
        .flat_map(|(_, frame, pages)| [frame.0.wrapping_sub(1), frame.0 + pages])
        .map(Mfn)
        .find(|frame| *frame <= Mfn::MAX && map.page_of(*frame).is_none())
}

/// A bit of a leaf entry that no guest may set: global.
fn forbidden_bit(format: Format) -> u64 {
    match format.kind() {
        PageTableFormat::X86_64 => 1 << 8,
        PageTableFormat::Sv39 | PageTableFormat::Sv48 => 1 << 5,
    }
}

/// An entry above level 1 that maps a large page.
fn large_page(format: Format, frame: Mfn) -> u64 {
    match format.kind() {
        PageTableFormat::X86_64 => format.table_entry(frame) | 1 << 7,
        PageTableFormat::Sv39 | PageTableFormat::Sv48 => {
            format.page_entry(frame, Protection::WRITE)
        }
    }
}

/// Shows each refusal.
pub fn show(info: &StartInfo, memory: &mut Memory) -> Result<(), Surprise> {
    println!("    what is refused:");
    let mut attempts = Attempts { count: 0 };
    mappings(info, memory, &mut attempts)?;
    tables(memory, &mut attempts)?;
    frames_and_others(info, memory, &mut attempts)?;
    let found = memory.find(VirtAddr(info.physmap_base)).map(|(frame, _)| frame);
    if found != memory.p2m().frame_of(pv_guest::abi::Pfn(0)) {
        return Err(surprise!("an attempt that was refused changed the page tables"));
    }
    println!("    {} attempts, none of which changed anything", attempts.count);
    Ok(())
}

fn mappings(info: &StartInfo, memory: &Memory, check: &mut Attempts) -> Result<(), Surprise> {
    let format = memory.format();
    let page = |frame| format.page_entry(frame, Protection::WRITE);
    let address = physmap::address(info.free_pfn);
    let at = Target::Page { space: Space::Kernel, address, flush: false };
    let own = memory.p2m().frame_of(info.free_pfn);
    let own = own.ok_or_else(|| surprise!("the first free page has no frame"))?;
    let hypervisors = hypervisor_frame(format);
    let result = update(at, page(hypervisors));
    check.check("map a frame of the hypervisor", result, Error::NotOwner)?;
    let result = update(at, format.page_entry(hypervisors, Protection::READ));
    check.check("map a frame of the hypervisor for reading", result, Error::NotOwner)?;
    match neighbours_frame(memory) {
        Some(frame) => {
            let result = update(at, page(frame));
            check.check(
                "map a frame among its own that is not its own",
                result,
                Error::NotOwner,
            )?;
        }
        None => println!("      (no frame lies between this domain's own)"),
    }
    let result = update(at, page(Mfn(Mfn::MAX.0 >> 4)));
    check.check("map a frame that does not exist", result, Error::BadFrame)?;
    let result = update(at, page(memory.kernel_root()));
    check.check("map a page table writable", result, Error::TypeConflict)?;
    let result = update(at, page(own) | forbidden_bit(format));
    check.check("map a page with a forbidden bit (global)", result, Error::BadEntry)?;
    let result = update(at, page(own) & !1);
    check.check("write an absent entry that names a frame", result, Error::BadEntry)?;
    let address = VirtAddr(info.guest_end);
    let result = update(Target::Page { space: Space::Kernel, address, flush: false }, page(own));
    check.check("map a page at the hypervisor's addresses", result, Error::HypervisorRange)?;
    let slot = Target::Entry { table: memory.kernel_root(), index: Format::ROOT_SLOTS };
    let result = update(slot, 0);
    check.check("clear the hypervisor's slot of the root", result, Error::HypervisorRange)
}

fn tables(memory: &Memory, check: &mut Attempts) -> Result<(), Surprise> {
    let format = memory.format();
    let root = memory.kernel_root();
    let level = format.root_level();
    let unused = Target::Entry { table: root, index: Format::ROOT_SLOTS - 1 };
    let result = update(unused, format.table_entry(root));
    check.check("name the root as a table below itself", result, Error::BadLevel)?;
    let start = VirtAddr(physmap::address(pv_guest::abi::Pfn(0)).0);
    let (leaf_table, _) = entry_of(memory, root, start)
        .ok_or_else(|| surprise!("the kernel's map of memory is not mapped"))?;
    let result = update(unused, format.table_entry(leaf_table));
    check.check("name a level-1 table at a higher level", result, Error::BadLevel)?;
    let result = update(unused, large_page(format, leaf_table));
    check.check("map a large page", result, Error::BadEntry)?;
    let result = calls::pt_pin(root, level);
    check.check("pin a table that is pinned", result, Error::AlreadyPinned)?;
    let result = calls::pt_unpin(leaf_table);
    check.check("unpin a table that is not pinned", result, Error::NotPinned)?;
    let own = memory.p2m().frame_of(pv_guest::abi::Pfn(0)).unwrap_or(Mfn::NONE);
    // SAFETY: refused, as the frame is no page table.
    let result = unsafe { calls::pt_switch(RootChange::Set(own), RootChange::Keep) };
    check.check("run on a root that is no page table", result, Error::NotTable)?;
    // SAFETY: refused, as the table is not of the root's level.
    let result = unsafe { calls::pt_switch(RootChange::Set(leaf_table), RootChange::Keep) };
    check.check("run on a root of the wrong level", result, Error::BadLevel)?;
    // SAFETY: refused, as the frame is mapped writable.
    let result = unsafe { calls::pt_create(own, Level::L1) };
    check.check("make a page that is mapped a page table", result, Error::TypeConflict)
}

fn frames_and_others(
    info: &StartInfo,
    memory: &mut Memory,
    check: &mut Attempts,
) -> Result<(), Surprise> {
    let page = memory.allocate().ok_or_else(|| surprise!("no free page"))?;
    let frame = memory.p2m().frame_of(page.pfn()).unwrap_or(Mfn::NONE);
    // SAFETY: refused, as the frame is mapped.
    let result =
        unsafe { calls::balloon_inflate(&[frame], Order::Frame) }.map_err(|partial| partial.error);
    check.check("balloon a frame that is mapped", result, Error::Busy)?;
    // SAFETY: refused, as it is a page table.
    let result = unsafe { calls::balloon_inflate(&[memory.kernel_root()], Order::Frame) };
    let result = result.map_err(|partial| partial.error);
    check.check("balloon a page table", result, Error::Busy)?;
    let foreign = hypervisor_frame(memory.format());
    // SAFETY: refused, as the frame is the hypervisor's.
    let result = unsafe { calls::balloon_inflate(&[foreign], Order::Frame) }
        .map_err(|partial| partial.error);
    check.check("balloon a frame of the hypervisor", result, Error::NotOwner)?;
    memory.free(page);
    let other = DomainId(if info.domain == DomainId::FIRST { 2 } else { 1 });
    // SAFETY: refused, as the frame is the hypervisor's.
    let result = unsafe { calls::grant_share(other, foreign, Access::Read) };
    let expected = match result {
        // The only domain there is has nobody to grant anything to.
        Err(Error::NoDomain) => Error::NoDomain,
        _ => Error::NotOwner,
    };
    check.check("grant a frame of the hypervisor", result, expected)?;
    let result = calls::grant_map(DomainId::SELF, GrantRef(0), Access::Read);
    check.check("map a grant that nobody gave", result, Error::NoGrant)?;
    let result = calls::event_send(Port(Port::COUNT - 1));
    check.check("send on a port that is not open", result, Error::NoPort)?;
    // SAFETY: no call has this number.
    let (status, _) = unsafe { pv_guest::abi::stubs::hypercall(u64::MAX, &[0; 6]) };
    let result = status.decode().unwrap_or(Ok(()));
    check.check("make a call that does not exist", result, Error::UnknownCall)
}
