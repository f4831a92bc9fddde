//! Whether the core is as the oracle knows that it must be: every frame with its owner, type and
//! counts, every byte of a domain's memory, and all that a domain has open.

use crate::oracle::{Domain, Grant, Handle, Holder, Oracle, Port, Use};
use conformance_host::Cpu;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Mfn};
use pv_core::event::PortState;
use pv_core::frame::{Frame, Hold, Type};
use pv_core::model::ModelMachine;
use pv_core::vcpu::{Mode, RunState};
use pv_core::{Machine, Registers, State};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Compares; the first difference as an error.
pub fn compare<P: Cpu>(
    oracle: &Oracle,
    state: &State<P>,
    machine: &ModelMachine<P::Format>,
    registers: &BTreeMap<DomainId, P::Registers>,
) -> Result<(), String> {
    frames(oracle, state, machine)?;
    let running = state.domains().filter(|(_, domain)| domain.is_running());
    same("running domains", running.map(|(_, d)| d.id).collect(), keys(&oracle.domains))?;
    for (id, domain) in &oracle.domains {
        one_domain(oracle, *id, domain, state, &registers[id])
            .map_err(|text| format!("domain {}: {text}", id.0))?;
    }
    let console: Vec<_> = machine
        .console
        .iter()
        .map(|(domain, stream, bytes)| (*domain, *stream as u64, bytes.clone()))
        .collect();
    same("the operator's console", console, oracle.console.clone())
}

/// One difference, told with both sides.
fn same<T: PartialEq + Debug>(what: &str, core: T, book: T) -> Result<(), String> {
    if core == book {
        return Ok(());
    }
    Err(format!("{what}\n  in the core:      {core:x?}\n  by the book: {book:x?}"))
}

fn keys<K: Ord + Copy, V>(map: &BTreeMap<K, V>) -> Vec<K> {
    map.keys().copied().collect()
}

fn frames<P: Cpu>(
    oracle: &Oracle,
    state: &State<P>,
    machine: &ModelMachine<P::Format>,
) -> Result<(), String> {
    let holders = oracle.holders();
    let mut owned = 0;
    for (number, frame) in state.frames.iter() {
        let held = holders.get(&number).map_or(&[][..], Vec::as_slice);
        let told = match frame {
            Frame::Reserved => !known(oracle, number),
            Frame::Hypervisor => oracle.hypervisor.contains(&number),
            Frame::Free { .. } => is_unowned(oracle, number) && machine.is_zero(number),
            Frame::Dirty { .. } | Frame::Spare { .. } => is_unowned(oracle, number),
            // Nothing is shared where the oracle looks on.
            Frame::Shared(_) => false,
            Frame::Owned(frame) => {
                owned += 1;
                same_frame(oracle, number, frame, held)?;
                same_content(oracle, machine, number)?;
                true
            }
        };
        if !told {
            return Err(format!("{number:x?} is {frame:x?}, which the book does not let it be"));
        }
    }
    same("frames that have an owner", owned, oracle.owners.len())
}

fn known(oracle: &Oracle, frame: Mfn) -> bool {
    oracle.memory.contains(&frame) || oracle.hypervisor.contains(&frame)
}

fn is_unowned(oracle: &Oracle, frame: Mfn) -> bool {
    oracle.memory.contains(&frame) && !oracle.owners.contains_key(&frame)
}

fn same_frame(
    oracle: &Oracle,
    number: Mfn,
    core: &pv_core::frame::Owned,
    holders: &[Holder],
) -> Result<(), String> {
    let what = |of: &str| format!("{of} of {number:x?}");
    same(&what("the owner"), Some(core.owner), oracle.owners.get(&number).copied())?;
    if !oracle.domains.contains_key(&core.owner) {
        // What is left of a domain that is gone: only that it stays is told by the book.
        return Ok(());
    }
    let writers = holders.iter().filter(|holder| holder.usage == Use::Write).count();
    let parents = holders.iter().filter(|holder| holder.usage == Use::Table).count();
    let table = oracle.tables.get(&number).map(|table| (table.level, table.pinned));
    let core_table = match core.kind {
        Type::Table(level) => Some((u64::from(level.number()), core.hold == Hold::Pinned)),
        Type::None | Type::WasTable | Type::Writable => None,
    };
    same(&what("table level and pin"), core_table, table)?;
    same(&what("whether writable"), core.kind == Type::Writable, writers > 0)?;
    let count = if table.is_some() { parents } else { writers };
    same(&what("the type count"), core.type_count as usize, count)?;
    same(&what("the reference count"), core.references as usize, 1 + holders.len())
}

fn same_content<F: pv_core::format::Format>(
    oracle: &Oracle,
    machine: &ModelMachine<F>,
    frame: Mfn,
) -> Result<(), String> {
    let book = &oracle.content[&frame];
    let differs = match machine.content(frame) {
        Some(words) => words.iter().zip(book).position(|(core, book)| core != book),
        None => Some(0),
    };
    match differs {
        None => Ok(()),
        Some(word) => {
            let what = format!("word {word:#x} of {frame:x?}");
            same(&what, machine.read(frame, word), book[word])
        }
    }
}

fn one_domain<P: Cpu>(
    oracle: &Oracle,
    id: DomainId,
    book: &Domain,
    state: &State<P>,
    registers: &P::Registers,
) -> Result<(), String> {
    let (slot, core) =
        state.domains().find(|(_, domain)| domain.id == id).ok_or("it is not there")?;
    let vcpu = state.vcpu(slot);
    let frames = oracle.owners.values().filter(|owner| **owner == id).count() as u64;
    let tables = oracle.tables.keys().filter(|frame| oracle.owners[frame] == id).count() as u64;
    same("registers", registers.words().to_vec(), book.registers.words.clone())?;
    same("the kernel root", vcpu.kernel_root, Some(book.kernel_root))?;
    same("the user root", vcpu.user_root, book.user_root)?;
    same("user mode", vcpu.mode == Mode::User, book.user)?;
    same("blocked", vcpu.state == RunState::Blocked, book.blocked)?;
    same("the deadline", vcpu.deadline, book.deadline)?;
    let entry = vcpu.traps.map(|entry| (entry.entry.0, entry.stack.0));
    same("the trap entry", entry, book.entry)?;
    same("frames", core.frames, frames)?;
    same("page tables", core.tables, tables)?;
    same("traps", core.counters.traps, book.traps)?;
    same("refusals", core.counters.total_refusals(), book.refusals)?;
    same("console input", core.console_input.clone(), book.input.clone())?;
    same("grants", core.grants.iter().map(grant).collect(), book.grants.clone())?;
    same("handles", core.handles.iter().map(handle).collect(), book.handles.clone())?;
    same("ports", core.ports.iter().map(port).collect(), book.ports.clone())
}

fn grant((number, grant): (hypercall_abi::GrantRef, &pv_core::grant::Grant)) -> (u32, Grant) {
    let write = grant.access == Access::ReadWrite;
    (number.0, Grant { to: grant.grantee, frame: grant.frame, write })
}

fn handle((name, handle): (hypercall_abi::GrantHandle, &pv_core::grant::Handle)) -> (u32, Handle) {
    let write = handle.access == Access::ReadWrite;
    let (from, grant) = (handle.granter, handle.grant.0);
    (name.0, Handle { from, grant, frame: handle.frame, write })
}

fn port((number, state): (hypercall_abi::Port, PortState)) -> (u32, Port) {
    let state = match state {
        PortState::Closed | PortState::WellKnown => Port::WellKnown,
        PortState::Unbound(domain) => Port::Unbound(domain),
        PortState::Bound(domain, port) => Port::Bound(domain, port.0),
    };
    (number.0, state)
}

#[cfg(test)]
mod tests {
    use crate::World;
    use crate::oracle::Oracle;
    use hypercall_abi::{DomainId, Mfn};
    use pv_core::X86_64;

    const ONE: DomainId = DomainId(1);

    /// What is found when the oracle expects something else of the machine.
    fn found<R>(expect: impl FnOnce(&mut Oracle) -> R) -> String {
        let mut world = World::<X86_64>::new();
        world.check().expect("the machine is as the book says");
        expect(&mut world.oracle);
        world.check().expect_err("it is as the oracle expects it")
    }

    fn one(oracle: &mut Oracle) -> &mut crate::oracle::Domain {
        oracle.domains.get_mut(&ONE).expect("it runs")
    }

    #[test]
    fn each_thing_that_is_not_as_the_book_says_is_found() {
        let root = |oracle: &mut Oracle| one(oracle).kernel_root;
        assert!(found(|o| one(o).registers.words[3] ^= 1).contains("registers"));
        assert!(found(|o| one(o).user = true).contains("user mode"));
        assert!(found(|o| one(o).blocked = true).contains("blocked"));
        assert!(found(|o| one(o).deadline = Some(7)).contains("deadline"));
        assert!(found(|o| one(o).entry = None).contains("trap entry"));
        assert!(found(|o| one(o).refusals += 1).contains("refusals"));
        assert!(found(|o| one(o).traps += 1).contains("traps"));
        assert!(found(|o| one(o).input.push_back(1)).contains("console input"));
        assert!(found(|o| o.console.push((ONE, 0, vec![1]))).contains("console"));
        assert!(found(|o| one(o).grants.pop_first()).contains("count of"));
        assert!(found(|o| one(o).handles.pop_first()).contains("count of"));
        assert!(found(|o| one(o).ports.pop_last()).contains("ports"));
        assert!(found(|o| o.domains.remove(&ONE)).contains("count"));
        assert!(found(|o| o.owners.pop_last()).contains("owner"));
        assert!(found(|o| o.hypervisor.pop_last()).contains("does not let it be"));
        assert!(found(|o| o.memory.insert(Mfn(0x131))).contains("does not let it be"));
        let page = |o: &mut Oracle| one(o).page;
        assert!(
            found(|o| {
                let page = page(o);
                o.set_word(page, 511, 7)
            })
            .contains("word 0x1ff")
        );
        let pinned = found(|o| {
            let root = root(o);
            o.tables.get_mut(&root).expect("it is one").pinned = false;
        });
        assert!(pinned.contains("pin"), "{pinned}");
    }
}
