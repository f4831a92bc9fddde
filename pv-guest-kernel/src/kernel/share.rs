//! Step 4, second half: two domains that run this kernel share a page and signal each other.
//!
//! What both know without being told:
//!
//! 1. The domain with the lower number is the granter. It grants its page before it opens its
//!    port, neither of them having been used before: the grant is number 0, the port is
//!    [`Port::FIRST_DYNAMIC`].
//! 2. The other binds that port, again and again until it is there. Then the grant is there.
//! 3. It reads the message, writes its answer behind it, unmaps the page, finds that it cannot
//!    map the frame any more, and signals. The granter checks the answer, takes the grant back
//!    and signals. Each waits blocked.
#![allow(unsafe_code, reason = "a page that another domain writes is granted")]

use super::{
    refusals,
    surprise::{Surprise, surprise},
};
use alloc::{format, string::String};
use core::str;
use pv_guest::{
    abi::{
        DomainId, Error, GrantRef, Port, VirtAddr, calls::grant_share::Access,
        start_info::StartInfo,
    },
    calls, events,
    grants::{GrantError, GrantMapping},
    memory::Memory,
    physmap, println, time,
};

/// The grant that the lower domain gives.
const GRANT: GrantRef = GrantRef(0);
/// The port that the lower domain opens.
const PORT: Port = Port::FIRST_DYNAMIC;
/// Where in the page the answer lies; the message lies at 0. Both end with a zero byte.
const ANSWER: usize = 2048;
/// Bytes of message and of answer at most.
const TEXT_BYTES: usize = 64;
/// Between two looks at a partner that has not answered yet, in microseconds.
const RETRY: u64 = 1_000;
/// How long the partner is waited for, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// Why the two do not get to the end.
enum Stop {
    /// The partner's domain has ended, which is nothing to this one.
    Gone,
    /// Something went otherwise than it must.
    Surprise(Surprise),
}

impl From<Surprise> for Stop {
    fn from(surprise: Surprise) -> Stop {
        Stop::Surprise(surprise)
    }
}

/// Shares with the partner.
pub fn with_peer(info: &StartInfo, memory: &mut Memory, peer: DomainId) -> Result<(), Surprise> {
    if peer == info.domain {
        return Err(surprise!("peer={} is this domain itself", peer.0));
    }
    let result = if info.domain < peer {
        grant(info.domain, memory, peer)
    } else {
        map(info.domain, memory, peer)
    };
    match result {
        Ok(()) => Ok(()),
        Err(Stop::Gone) => {
            println!("    domain {} is gone; this one goes on", peer.0);
            Ok(())
        }
        Err(Stop::Surprise(surprise)) => Err(surprise),
    }
}

fn message(from: DomainId) -> String {
    format!("hello from domain {}", from.0)
}

fn answer(from: DomainId) -> String {
    format!("domain {} has read it", from.0)
}

fn text(bytes: &[u8; TEXT_BYTES]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(TEXT_BYTES);
    str::from_utf8(&bytes[..end]).unwrap_or("(no text)")
}

/// What a refusal by the hypervisor means here.
fn refused(call: &'static str) -> impl Fn(Error) -> Stop {
    move |error| match error {
        Error::NoDomain => Stop::Gone,
        error => surprise!("{call}: {error}").into(),
    }
}

/// Whether there is such a domain: only then a port can be opened for it.
fn is_there(peer: DomainId) -> bool {
    match calls::event_alloc(peer) {
        Ok(port) => calls::event_close(port).is_ok(),
        Err(error) => error != Error::NoDomain,
    }
}

/// Waits for the partner's signal, blocked; how long, in microseconds.
fn wait(port: Port, peer: DomainId) -> Result<u64, Stop> {
    let start = time::now();
    let mut pause = RETRY;
    loop {
        time::set_timer(pause);
        let came = events::wait_any(&[port, Port::TIMER]);
        time::clear_timer();
        let waited = time::microseconds(time::now() - start);
        if came == port {
            return Ok(waited);
        }
        if !is_there(peer) {
            return Err(Stop::Gone);
        }
        if waited > PATIENCE {
            return Err(surprise!("domain {} has not signalled in {waited} us", peer.0).into());
        }
        pause *= 2;
    }
}

fn signal(port: Port, peer: DomainId) -> Result<(), Stop> {
    match calls::event_send(port) {
        // The other end is closed: the hypervisor does that when a domain ends.
        Err(Error::PortState) if !is_there(peer) => Err(Stop::Gone),
        result => result.map_err(refused("event_send")),
    }
}

fn grant(own: DomainId, memory: &mut Memory, peer: DomainId) -> Result<(), Stop> {
    let mut page = memory.allocate_zeroed().ok_or_else(|| surprise!("no free page"))?;
    let greeting = message(own);
    page.bytes_mut()[..greeting.len()].copy_from_slice(greeting.as_bytes());
    let page = page.into_pfn();
    let frame = memory.p2m().frame_of(page).ok_or_else(|| surprise!("a page without frame"))?;
    // SAFETY: the token of the page was given up: no reference into it is made before the
    // grant is revoked.
    let grant = unsafe { calls::grant_share(peer, frame, Access::ReadWrite) }
        .map_err(refused("grant_share"))?;
    let port = calls::event_alloc(peer).map_err(refused("event_alloc"))?;
    if (grant, port) != (GRANT, PORT) {
        return Err(surprise!("first grant {} and port {}: not 0 and 4", grant.0, port.0).into());
    }
    println!(
        "    granted pfn {} (mfn {:#x}) to domain {}: \"{greeting}\"",
        page.0, frame.0, peer.0
    );
    let waited = wait(port, peer)?;
    println!("    domain {} signalled after {waited} us, in which this one was blocked", peer.0);
    let address = physmap::address(page);
    let mut bytes = [0; TEXT_BYTES];
    read_volatile(VirtAddr(address.0 + ANSWER as u64), &mut bytes);
    if text(&bytes) != answer(peer) {
        return Err(surprise!("the answer is \"{}\"", text(&bytes)).into());
    }
    println!("    domain {} wrote into it: \"{}\"", peer.0, text(&bytes));
    calls::grant_revoke(grant).map_err(refused("grant_revoke"))?;
    // SAFETY: the page is mapped writable, and the partner has no way to it any more.
    memory.free(unsafe { physmap::Page::from_pfn(page) });
    signal(port, peer)?;
    println!("    took the grant back and signalled domain {}", peer.0);
    Ok(())
}

fn read_volatile(address: VirtAddr, bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        // SAFETY: the page is mapped; volatile, as another domain may write it.
        *byte = unsafe { ((address.0 as usize + index) as *const u8).read_volatile() };
    }
}

/// Binds the partner's port as soon as it is there.
fn bind(peer: DomainId) -> Result<(Port, u64), Stop> {
    let deadline = time::now().saturating_add(time::ticks(PATIENCE));
    let mut attempts = 0;
    while time::now() < deadline {
        attempts += 1;
        match calls::event_bind(peer, PORT) {
            Err(Error::NoPort) => time::sleep(RETRY),
            result => {
                let port = result.map_err(refused("event_bind"))?;
                return Ok((port, attempts));
            }
        }
    }
    Err(surprise!("domain {} has opened no port in {PATIENCE} us", peer.0).into())
}

fn map(own: DomainId, memory: &mut Memory, peer: DomainId) -> Result<(), Stop> {
    let (port, attempts) = bind(peer)?;
    println!("    bound port {} of domain {} as {} (attempt {attempts})", PORT.0, peer.0, port.0);
    // A port is pending once when it is bound.
    wait(port, peer)?;
    let mut shared =
        GrantMapping::new(memory, peer, GRANT, Access::ReadWrite).map_err(|error| match error {
            GrantError::Grant(Error::NoDomain) => Stop::Gone,
            error => surprise!("{error}").into(),
        })?;
    let mut bytes = [0; TEXT_BYTES];
    shared.read(0, &mut bytes);
    if text(&bytes) != message(peer) {
        return Err(surprise!("the granted page says \"{}\"", text(&bytes)).into());
    }
    println!("    mapped the grant at {:#x}, read \"{}\"", shared.address().0, text(&bytes));
    let reply = answer(own);
    shared.write(ANSWER, reply.as_bytes());
    let frame = shared.frame();
    shared.unmap(memory).map_err(|error| surprise!("{error}"))?;
    println!("    wrote \"{reply}\" and unmapped it");
    match refusals::map_frame(memory, frame) {
        Err(Error::NotOwner) => {
            println!("    mapping mfn {:#x} without the grant: NotOwner", frame.0);
        }
        other => {
            return Err(surprise!("mapping mfn {:#x} without a grant: {other:?}", frame.0).into());
        }
    }
    signal(port, peer)?;
    let waited = wait(port, peer)?;
    println!(
        "    domain {} took the grant back; blocked for {waited} us until it signalled",
        peer.0
    );
    Ok(())
}
