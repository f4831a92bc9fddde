//! The image: one of two roles, told by the command line.

mod arch;
mod calls;
mod extents;
mod measure;
mod memory;
mod paging;
mod peer;
mod sharing;
mod traps;
mod worst;

use hypercall_abi::{DomainId, start_info::StartInfo};
use measure::Bench;

pv_guest::entry!(main);

fn main(info: &'static StartInfo) -> Result<(), &'static str> {
    let (mut is_peer, mut is_worst, mut is_extents) = (false, false, false);
    let mut other = None;
    for word in info.command_line().split_ascii_whitespace() {
        match word.split_once('=') {
            Some(("role", role)) => {
                (is_peer, is_worst) = (role == "peer", role == "worst");
                is_extents = role == "extents";
            }
            Some(("peer", number)) => other = number.parse().ok().map(DomainId),
            _ => return Err("the command line has an unknown word"),
        }
    }
    pv_guest::events::mask();
    traps::register(info);
    let mut bench = Bench::new(info)?;
    match (is_peer, other) {
        (true, Some(other)) => {
            peer::serve(&mut bench, other);
            return Ok(());
        }
        (true, None) => return Err("a peer wants peer=N, the domain that measures"),
        (false, _) => {}
    }
    if is_extents {
        extents::rows(&mut bench);
        return Ok(());
    }
    let met = other.map(|other| sharing::meet(&mut bench, other));
    if is_worst {
        worst::calls(&mut bench, met);
    }
    calls::rows(&mut bench);
    paging::rows(&mut bench);
    traps::rows(&mut bench);
    memory::rows(&mut bench);
    if let Some(met) = met {
        sharing::rows(&mut bench, met);
    }
    Ok(())
}
