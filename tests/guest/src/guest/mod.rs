//! The image: one of two roles, told by the command line.

mod arch;
mod caller;
mod local;
mod mailbox;
mod peer;
mod report;
mod run;
mod stack;
mod touch;

use conformance::{registry, report::Counts};
use hypercall_abi::{DomainId, start_info::StartInfo};
use local::Local;

pv_guest::entry!(main);

/// What the command line asks for.
struct Order<'a> {
    is_peer: bool,
    tester: Option<DomainId>,
    peers: u16,
    filter: &'a str,
}

impl<'a> Order<'a> {
    fn read(line: &'a str) -> Result<Order<'a>, &'static str> {
        let mut order = Order { is_peer: false, tester: None, peers: 0, filter: "" };
        for word in line.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("role", "tester")) => order.is_peer = false,
                Some(("role", "peer")) => order.is_peer = true,
                Some(("tester", number)) => {
                    let number = number.parse().map_err(|_| "tester=N wants a domain's number")?;
                    order.tester = Some(DomainId(number));
                }
                Some(("peers", number)) => {
                    order.peers = number.parse().map_err(|_| "peers=N wants a number")?;
                }
                Some(("filter", text)) => order.filter = text,
                _ => return Err("the command line has an unknown word"),
            }
        }
        Ok(order)
    }
}

fn main(info: &'static StartInfo) -> Result<(), &'static str> {
    let order = Order::read(info.command_line())?;
    let local = Local::new(info)?;
    match (order.is_peer, order.tester) {
        (true, Some(tester)) => peer::serve(local, tester),
        (true, None) => Err("a peer wants tester=N, the domain that tests"),
        (false, _) => test(caller::Guest::new(local, order.peers), order.filter),
    }
}

/// Runs the tests and reports each.
fn test(mut guest: caller::Guest, filter: &str) -> Result<(), &'static str> {
    let mut counts = Counts::default();
    for case in registry::all().filter(|case| case.matches(filter)) {
        report::started(case);
        let outcome = registry::run(case, &mut guest);
        counts.add(&outcome);
        report::finished(case, &outcome);
    }
    report::done(counts);
    // What the tests found is in the report; a run that came here ended well.
    guest.stop()
}
