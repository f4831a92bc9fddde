//! The image: one of three roles, told by the command line.

mod arch;
mod arguments;
mod excursion;
mod honest;
mod hostile;
mod partner;
mod pattern;
mod pool;
mod random;

use hypercall_abi::{DomainId, start_info::StartInfo};

pv_guest::entry!(main);

/// What the command line asks for.
#[derive(Clone, Copy)]
pub struct Order {
    role: Role,
    peer: DomainId,
    hostile: DomainId,
    calls: u64,
    seed: u64,
}

#[derive(Clone, Copy)]
enum Role {
    Hostile,
    Honest,
    Partner,
}

impl Order {
    fn read(line: &str) -> Result<Order, &'static str> {
        let mut order = Order {
            role: Role::Honest,
            peer: DomainId(0),
            hostile: DomainId(0),
            calls: 0,
            seed: 1,
        };
        for word in line.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').ok_or("a word without `=`")?;
            let number = || value.parse::<u64>().map_err(|_| "a value that is no number");
            match (key, value) {
                ("role", "hostile") => order.role = Role::Hostile,
                ("role", "honest") => order.role = Role::Honest,
                ("role", "partner") => order.role = Role::Partner,
                ("peer", _) => order.peer = DomainId(number()? as u16),
                ("hostile", _) => order.hostile = DomainId(number()? as u16),
                ("calls", _) => order.calls = number()?,
                ("seed", _) => order.seed = number()?,
                _ => return Err("the command line has an unknown word"),
            }
        }
        Ok(order)
    }
}

fn main(info: &'static StartInfo) -> Result<(), &'static str> {
    let order = Order::read(info.command_line())?;
    match order.role {
        Role::Hostile => hostile::run(info, order),
        Role::Honest => honest::run(info, order),
        Role::Partner => partner::run(info, order),
    }
}
