//! Tests of what a domain finds when it starts, as far as it is still so: where its memory
//! is mapped, its P2M, its first root.

use crate::{
    Check, OWN, PEER, Stop, Test, Touch, check, equal, module, registry::tests, test::SCRATCH,
};
use core::mem::offset_of;
use hypercall_abi::{
    Error, Mfn, PAGE_SIZE, Pfn, VirtAddr,
    calls::{
        PtPin, PteUpdate,
        pte_update::{Space, Target, Update},
    },
    start_info::{COMMAND_LINE_BYTES, MAGIC, NAME_BYTES, START_INFO_PFN, StartInfo},
};

tests! { "start":
    information: "START.6 VERSION.4 RULE.20 XSA-122",
    pages_are_mapped: "START.2",
    image_is_mapped: "START.3",
    tables_are_read_only: "START.2",
    nothing_else_is_mapped: "START.4",
    first_root: "START.5",
    p2m: "START.7",
    p2m_is_the_guests: "START.8 RULE.8 XSA-251",
    module: "START.9",
    no_module: "START.9",
}

fn information(t: &mut Test<'_>) -> Check {
    equal(t.start_info(OWN, offset_of!(StartInfo, magic)), MAGIC, "magic")?;
    let own = t.domain(OWN);
    check(own.is_guest(), "the identity is one of a guest")?;
    let vcpus = t.start_info(OWN, offset_of!(StartInfo, version)) >> 48;
    equal(vcpus, 1, "vCPUs")?;
    let line = t.start_info(OWN, offset_of!(StartInfo, command_line_length));
    check(line <= COMMAND_LINE_BYTES as u64, "the command line fits")?;
    let name = t.start_info(OWN, offset_of!(StartInfo, name_length));
    check(name <= NAME_BYTES as u64, "the name fits")?;
    let reserved = offset_of!(StartInfo, reserved);
    for offset in (reserved..offset_of!(StartInfo, command_line)).step_by(8) {
        equal(t.start_info(OWN, offset), 0, "a reserved word")?;
    }
    for offset in (size_of::<StartInfo>()..PAGE_SIZE as usize).step_by(8) {
        equal(t.start_info(OWN, offset), 0, "a word after the information")?;
    }
    Ok(())
}

fn pages_are_mapped(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let address = t.physmap(OWN, page.pfn);
    t.reaches(OWN, address, Touch::Write(0x1357))?;
    equal(t.reaches(OWN, address, Touch::Read)?, 0x1357, "what was written")?;
    t.faults(OWN, address, Touch::Execute).map(drop)
}

fn image_is_mapped(t: &mut Test<'_>) -> Check {
    // The trap entry lies in a segment of code: at its own address it is not to be written.
    let (entry, _) = t.caller().trap_entry(OWN);
    let address = VirtAddr(entry.0 & !7);
    let word = t.reaches(OWN, address, Touch::Read)?;
    t.faults(OWN, address, Touch::Write(word))?;
    let first = t.start_info(OWN, offset_of!(StartInfo, image_pfn));
    let end = match t.start_info(OWN, offset_of!(StartInfo, module_pfn)) {
        0 => t.start_info(OWN, offset_of!(StartInfo, stack_pfn)),
        module => module,
    };
    check(end > first, "the image has pages")?;
    let address = t.physmap(OWN, Pfn(first));
    t.reaches(OWN, address, Touch::Read).map(drop)
}

fn tables_are_read_only(t: &mut Test<'_>) -> Check {
    let first = t.start_info(OWN, offset_of!(StartInfo, tables_pfn));
    let end = t.start_info(OWN, offset_of!(StartInfo, free_pfn));
    check(first < end, "the domain has tables")?;
    for pfn in first..end {
        let address = t.physmap(OWN, Pfn(pfn));
        t.reaches(OWN, address, Touch::Read)?;
        t.faults(OWN, address, Touch::Write(0))?;
    }
    Ok(())
}

fn nothing_else_is_mapped(t: &mut Test<'_>) -> Check {
    let frames = t.start_info(OWN, offset_of!(StartInfo, frames));
    let behind = t.physmap(OWN, Pfn(frames));
    let before = VirtAddr(t.physmap(OWN, Pfn(0)).0 - 8);
    let last = VirtAddr(t.guest_end().0 - 8);
    for address in [VirtAddr(0), VirtAddr(8), SCRATCH, before, behind, last] {
        t.faults(OWN, address, Touch::Read)?;
    }
    Ok(())
}

fn first_root(t: &mut Test<'_>) -> Check {
    let root = t.root(OWN);
    let level = t.entries().root_level();
    t.refused(OWN, &PtPin { frame: root, level }, Error::AlreadyPinned)?;
    // Tests leave no user root behind, and a domain starts without one.
    let target = Target::Page { space: Space::User, address: SCRATCH, flush: false };
    t.refused(OWN, &PteUpdate::One(Update::new(target, 0)), Error::NotRegistered)
}

fn p2m(t: &mut Test<'_>) -> Check {
    let frames = t.start_info(OWN, offset_of!(StartInfo, frames));
    let slots = t.start_info(OWN, offset_of!(StartInfo, max_frames)).next_multiple_of(512);
    // Some of each kind, as there may be many: the lowest, and the highest.
    let some =
        |start: u64, end: u64| (start..end.min(start + 48)).chain(end.max(start + 48) - 48..end);
    for pfn in some(0, frames) {
        let frame = t.p2m(OWN, Pfn(pfn));
        check(frame.0 <= Mfn::MAX.0, "a page has a frame")?;
        for other in some(0, frames).filter(|other| *other < pfn) {
            check(t.p2m(OWN, Pfn(other)) != frame, "each page has another frame")?;
        }
    }
    for pfn in some(frames, slots) {
        equal(t.p2m(OWN, Pfn(pfn)), Mfn::NONE, "a slot without a page")?;
    }
    Ok(())
}

fn p2m_is_the_guests(t: &mut Test<'_>) -> Check {
    // What stands there is nothing to the hypervisor: a page keeps working.
    let page = t.page(OWN)?;
    let own = t.p2m(OWN, page.pfn);
    t.set_p2m(OWN, page.pfn, Mfn(0x1234_5678));
    let address = t.physmap(OWN, page.pfn);
    let wrote = t.reaches(OWN, address, Touch::Write(3));
    let magic = t.caller().read(OWN, START_INFO_PFN, 0);
    t.set_p2m(OWN, page.pfn, own);
    wrote?;
    equal(magic, MAGIC, "magic")?;
    equal(t.read(OWN, page, 0), 3, "what was written")
}

fn module(t: &mut Test<'_>) -> Check {
    let bytes = t.start_info(OWN, offset_of!(StartInfo, module_bytes));
    if bytes == 0 {
        return Err(Stop::Skip("the domain was given no module"));
    }
    equal(bytes, module::BYTES as u64, "bytes of the module")?;
    let first = t.start_info(OWN, offset_of!(StartInfo, module_pfn));
    let after = t.start_info(OWN, offset_of!(StartInfo, stack_pfn));
    equal(after - first, bytes.div_ceil(PAGE_SIZE), "pages of the module")?;
    for index in 0..((after - first) * PAGE_SIZE / 8) as usize {
        let page = Pfn(first + index as u64 / 512);
        equal(t.caller().read(OWN, page, index % 512), module::word(index), "a word of it")?;
    }
    // It is the domain's own memory: what stands there can be written, and put back.
    let address = t.physmap(OWN, Pfn(first));
    let word = t.reaches(OWN, address, Touch::Read)?;
    t.reaches(OWN, address, Touch::Write(!word))?;
    t.reaches(OWN, address, Touch::Write(word))?;
    t.faults(OWN, address, Touch::Execute).map(drop)
}

fn no_module(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    equal(t.start_info(PEER, offset_of!(StartInfo, module_pfn)), 0, "the peer's module_pfn")?;
    equal(t.start_info(PEER, offset_of!(StartInfo, module_bytes)), 0, "the peer's module_bytes")
}
