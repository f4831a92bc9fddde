//! The partner's role: finds the pattern in the page that it is granted, leaves another there.

use super::{
    Order,
    pattern::{self, ANSWERED, ASKED, GRANT, PAGE_GRANT, PORT, STOP, WORDS},
};
use hypercall_abi::{GrantRef, PAGE_SIZE, calls::grant_share::Access, start_info::StartInfo};
use pv_guest::{calls, events, grants::GrantMapping, memory::Memory, println, trap};

/// Serves the honest guest until it says that it is over.
pub fn run(info: &'static StartInfo, order: Order) -> Result<(), &'static str> {
    trap::register(trap::fatal).map_err(|_| "trap_register was refused")?;
    let mut memory = Memory::take(info).map_err(|_| "the memory cannot be taken over")?;
    let port = loop {
        // The grant comes before the port.
        match calls::event_bind(order.peer, PORT) {
            Ok(port) => break port,
            Err(_) => calls::sched_yield(),
        }
    };
    let shared = GrantMapping::new(&mut memory, order.peer, GRANT, Access::ReadWrite);
    let mut shared = shared.map_err(|_| "the first grant cannot be mapped")?;
    calls::event_send(port).map_err(|_| "event_send was refused")?;
    let mut last = 0;
    loop {
        events::wait_any(&[port]);
        match word(&shared, ASKED) {
            STOP => break,
            // A signal of before.
            round if round == last => continue,
            round => last = round,
        }
        answer(&mut memory, order, GrantRef(word(&shared, PAGE_GRANT) as u32), last)?;
        shared.write(8 * ANSWERED, &last.to_le_bytes());
        calls::event_send(port).map_err(|_| "event_send was refused")?;
    }
    println!("{last} pages, all of them right");
    Ok(())
}

fn word(page: &GrantMapping, index: usize) -> u64 {
    let mut bytes = [0; 8];
    page.read(8 * index, &mut bytes);
    u64::from_le_bytes(bytes)
}

fn answer(
    memory: &mut Memory,
    order: Order,
    grant: GrantRef,
    round: u64,
) -> Result<(), &'static str> {
    let page = GrantMapping::new(memory, order.peer, grant, Access::ReadWrite);
    let mut page = page.map_err(|_| "a grant cannot be mapped")?;
    let mut bytes = [0; PAGE_SIZE as usize];
    page.read(0, &mut bytes);
    for index in 0..WORDS {
        let place = 8 * index..8 * index + 8;
        if bytes[place.clone()] != pattern::word(round, 100, index).to_le_bytes() {
            return Err("the granted page does not hold the pattern");
        }
        bytes[place].copy_from_slice(&pattern::word(round, 101, index).to_le_bytes());
    }
    page.write(0, &bytes);
    page.unmap(memory).map_err(|_| "the granted page cannot be unmapped")
}
