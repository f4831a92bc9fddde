//! The honest role: rounds of work that is checked, as long as the hostile domain is there.
#![allow(unsafe_code, reason = "a page is shared with the partner")]

use super::{
    Order,
    pattern::{self, ANSWERED, ASKED, GRANT, PAGE_GRANT, PORT, STOP, WORDS},
};
use hypercall_abi::{
    DomainId, Error, Pfn, Port, VirtAddr, calls::grant_share::Access, domain_info::DomainInfo,
    start_info::StartInfo,
};
use pv_guest::{
    calls, events,
    memory::Memory,
    paging::Protection,
    physmap::{self, Page},
    println,
    space::AddressSpace,
    time, trap,
};

/// Pages that keep their pattern from one round to the next.
const KEPT: usize = 24;
/// Pages of the process of each round, and where.
const MAPPED: u64 = 6;
const AREA: u64 = 0x60_0000;
/// Microseconds that are slept in each round.
const NAP: u64 = 50;

struct Work {
    memory: Memory,
    order: Order,
    shared: Pfn,
    kept: [Option<Page>; KEPT],
    frames: u64,
}

/// Works until the hostile domain is gone.
pub fn run(info: &'static StartInfo, order: Order) -> Result<(), &'static str> {
    trap::register(trap::fatal).map_err(|_| "trap_register was refused")?;
    let mut memory = Memory::take(info).map_err(|_| "the memory cannot be taken over")?;
    let mut kept = [const { None }; KEPT];
    for page in &mut kept {
        *page = Some(memory.allocate().ok_or("too little memory")?);
    }
    let shared = memory.allocate_zeroed().ok_or("too little memory")?.into_pfn();
    share(&mut memory, order.peer, shared)?;
    let frames = query()?.frames;
    let mut work = Work { memory, order, shared, kept, frames };
    work.fill(0);
    let mut round = 0;
    while work.is_hostile_there()? {
        round += 1;
        work.round(round)?;
    }
    work.put(ASKED, STOP);
    calls::event_send(PORT).map_err(|_| "the partner's port is not there")?;
    println!("{round} rounds, all of them right");
    Ok(())
}

/// Opens page and port for the partner, and waits until it has both.
fn share(memory: &mut Memory, peer: DomainId, page: Pfn) -> Result<(), &'static str> {
    let frame = memory.p2m().frame_of(page).ok_or("a page without a frame")?;
    // SAFETY: no reference of Rust's leads into the page.
    let grant = unsafe { calls::grant_share(peer, frame, Access::ReadWrite) };
    let port = calls::event_alloc(peer);
    if grant != Ok(GRANT) || port != Ok(PORT) {
        return Err("the page or the port for the partner is not the first");
    }
    events::wait_any(&[PORT]);
    Ok(())
}

fn query() -> Result<DomainInfo, &'static str> {
    calls::domain_query(DomainId::SELF).map_err(|_| "domain_query was refused")
}

impl Work {
    fn word(&self, index: usize) -> u64 {
        // SAFETY: the page is mapped.
        unsafe { physmap::read_word(self.shared, index) }
    }

    fn put(&mut self, index: usize, value: u64) {
        // SAFETY: the page is mapped writable, and no reference of Rust's leads into it.
        unsafe { physmap::write_word(self.shared, index, value) }
    }

    /// Only for a domain that is there a port can be opened.
    fn is_hostile_there(&self) -> Result<bool, &'static str> {
        match calls::event_alloc(self.order.hostile) {
            Ok(port) => calls::event_close(port).map(|()| true).map_err(|_| "a port is gone"),
            Err(Error::NoDomain) => Ok(false),
            Err(_) => Err("no port can be opened for the hostile domain"),
        }
    }

    fn round(&mut self, round: u64) -> Result<(), &'static str> {
        self.check(round - 1)?;
        self.fill(round);
        self.exchange(round)?;
        self.process(round)?;
        let deadline = time::now() + time::ticks(NAP);
        time::set_timer(NAP);
        events::wait_any(&[Port::TIMER]);
        if time::now() < deadline {
            return Err("the timer came too early");
        }
        let now = query()?;
        if now.frames != self.frames || now.grants != 1 || now.ports != 4 || now.handles != 0 {
            return Err("frames, grants or ports are not what they were");
        }
        Ok(())
    }

    fn fill(&mut self, round: u64) {
        for (purpose, page) in self.kept.iter_mut().flatten().enumerate() {
            fill(page, round, purpose as u64);
        }
    }

    fn check(&self, round: u64) -> Result<(), &'static str> {
        let pages = self.kept.iter().flatten().enumerate();
        let mut pages = pages.map(|(purpose, page)| holds(page, round, purpose as u64));
        if pages.all(|holds| holds) { Ok(()) } else { Err("memory is not what was written") }
    }

    /// Grants a page; the partner finds the pattern in it and leaves another.
    fn exchange(&mut self, round: u64) -> Result<(), &'static str> {
        let mut page = self.memory.allocate().ok_or("no page is free")?;
        fill(&mut page, round, 100);
        let frame = self.memory.p2m().frame_of(page.pfn()).ok_or("a page without a frame")?;
        // SAFETY: no reference of Rust's leads into the page until the grant is gone.
        let grant = unsafe { calls::grant_share(self.order.peer, frame, Access::ReadWrite) };
        let grant = grant.map_err(|_| "grant_share was refused")?;
        self.put(PAGE_GRANT, grant.0.into());
        self.put(ASKED, round);
        calls::event_send(PORT).map_err(|_| "event_send was refused")?;
        while self.word(ANSWERED) != round {
            events::wait_any(&[PORT]);
        }
        calls::grant_revoke(grant).map_err(|_| "grant_revoke was refused")?;
        if !holds(&page, round, 101) {
            return Err("the partner's answer is not in the page");
        }
        self.memory.free(page);
        Ok(())
    }

    /// Makes an address space, fills it, looks through it, takes it apart.
    fn process(&mut self, round: u64) -> Result<(), &'static str> {
        let memory = &mut self.memory;
        let mut space = AddressSpace::new(memory).map_err(|_| "no address space")?;
        for index in 0..MAPPED {
            let mut page = memory.allocate().ok_or("no page is free")?;
            fill(&mut page, round, 200 + index);
            let address = VirtAddr(AREA + index * 0x20_1000);
            let mapped = space.map(memory, address, page, Protection::WRITE);
            mapped.map_err(|_| "a page cannot be mapped")?;
        }
        memory.flush().map_err(|_| "the updates were refused")?;
        space.activate(memory).map_err(|_| "pt_switch was refused")?;
        for index in 0..MAPPED {
            let mut bytes = [0; 8];
            let address = VirtAddr(AREA + index * 0x20_1000 + 8);
            space.read(memory, address, &mut bytes).map_err(|_| "a page is not mapped")?;
            if u64::from_le_bytes(bytes) != pattern::word(round, 200 + index, 1) {
                return Err("the process has another page");
            }
        }
        space.destroy(memory).map_err(|_| "the address space cannot be taken apart")
    }
}

fn fill(page: &mut Page, round: u64, purpose: u64) {
    for (index, bytes) in page.bytes_mut().as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *bytes = pattern::word(round, purpose, index).to_le_bytes();
    }
}

fn holds(page: &Page, round: u64, purpose: u64) -> bool {
    let words = page.bytes().as_chunks::<8>().0;
    debug_assert!(words.len() == WORDS);
    let mut words = words.iter().enumerate();
    words.all(|(index, bytes)| *bytes == pattern::word(round, purpose, index).to_le_bytes())
}
