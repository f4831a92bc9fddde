//! The peer: gives grants, then answers events until it is told to do something else.
//!
//! What the two say to each other beside events stands in the first granted page: word 0 is
//! what the peer does, word 1 the peer's port, word 2 counts its yields.

use super::{measure::Bench, traps};
use hypercall_abi::{
    DomainId, Port,
    calls::{EventAlloc, EventSend, GrantShare, SchedYield, grant_share::Access},
};

/// Pages that the peer grants: one to talk in, and those that are mapped. Its quota is 256.
pub const GRANTS: usize = 250;

/// The peer sleeps, and answers each event with one.
pub const ECHO: u64 = 0;
/// The peer yields all the time.
pub const YIELD: u64 = 1;
/// The peer ends.
pub const STOP: u64 = 2;

/// Does what the measuring domain wants.
pub fn serve(bench: &mut Bench, domain: DomainId) {
    let talk = bench.page();
    let port = Port(bench.must(&EventAlloc { domain }) as u32);
    bench.write(talk.pfn, 1, port.0.into());
    for index in 0..GRANTS {
        let page = if index == 0 { talk } else { bench.page() };
        bench.must(&GrantShare { domain, frame: page.frame, access: Access::ReadWrite });
    }
    loop {
        match bench.read(talk.pfn, 0) {
            ECHO => {
                traps::wait_for_event();
                bench.go(&EventSend { port });
            }
            YIELD => {
                let count = bench.read(talk.pfn, 2);
                bench.write(talk.pfn, 2, count + 1);
                bench.go(&SchedYield);
            }
            _ => return,
        }
    }
}
