//! The oracle's knowledge, and what follows from it: who holds which frame as what.

mod calls;
mod entries;
mod events;
mod memory;
mod movable;
mod paging;
mod processor;
mod sharing;
mod spare;
mod start;

pub use entries::{Entry, Layout};
pub use processor::Registers;
pub use start::New;

use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error, Features, Mfn};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Words of a frame.
const WORDS: usize = 512;
/// First slot of a root that is the hypervisor's.
const RESERVED_SLOT: usize = 256;

/// Who no domain is.
const NOBODY: DomainId = DomainId(0);

/// A validated page table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its level.
    pub level: u64,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Entries that hold their references: all, but while the table is being validated.
    pub entries: usize,
}

/// A grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who may map it.
    pub to: DomainId,
    /// The frame.
    pub frame: Mfn,
    /// Whether it permits writing.
    pub write: bool,
}

/// A grant of another domain that is mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handle {
    /// Whose grant.
    pub from: DomainId,
    /// Its number there.
    pub grant: u32,
    /// The frame.
    pub frame: Mfn,
    /// Whether entries may permit writing.
    pub write: bool,
}

/// A port that is open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Port {
    /// Ports 1 to 3.
    WellKnown,
    /// Reserved for a domain.
    Unbound(DomainId),
    /// Joined with that port of that domain.
    Bound(DomainId, u32),
}

/// A domain that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domain {
    /// Frames that it may own.
    pub max_frames: u64,
    /// Frames that the operator would like it to own.
    pub target_frames: u64,
    /// Frames that its kernel has reported as free and that have not come back.
    pub reported_frames: u64,
    /// Root of the kernel.
    pub kernel_root: Mfn,
    /// Root of processes.
    pub user_root: Option<Mfn>,
    /// The vCPU page.
    pub page: Mfn,
    /// The argument frame.
    pub arguments: Mfn,
    /// The frames of its P2M that it has registered.
    pub p2m: Vec<Mfn>,
    /// Grants that it gives.
    pub grants: BTreeMap<u32, Grant>,
    /// Handles that it has.
    pub handles: BTreeMap<u32, Handle>,
    /// Handles that it had: a name is not used again soon.
    pub old_handles: BTreeSet<u32>,
    /// Ports that it has open.
    pub ports: BTreeMap<u32, Port>,
    /// Console input that waits.
    pub input: VecDeque<u8>,
    /// Calls made.
    pub calls: u64,
    /// Calls refused.
    pub refusals: u64,
    /// Traps delivered.
    pub traps: u64,
    /// When its timer fires.
    pub deadline: Option<u64>,
    /// Where it takes traps: entry and stack.
    pub entry: Option<(u64, u64)>,
    /// Whether it is in virtual user mode.
    pub user: bool,
    /// Whether it waits for an event.
    pub blocked: bool,
    /// Its registers.
    pub registers: Registers,
}

/// How a holder uses a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It names it.
    Plain,
    /// It may write it.
    Write,
    /// It needs it to be a page table.
    Table,
}

/// Something that names a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Whose it is.
    pub domain: DomainId,
    /// As what.
    pub usage: Use,
    /// Whether it is a page-table entry.
    pub entry: bool,
}

/// All that the book lets one know of a machine.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// The page tables.
    pub layout: Layout,
    /// What the hypervisor offers.
    pub features: Features,
    /// Memory for guests.
    pub memory: BTreeSet<Mfn>,
    /// Memory of the hypervisor.
    pub hypervisor: BTreeSet<Mfn>,
    /// The owner of each frame that has one.
    pub owners: BTreeMap<Mfn, DomainId>,
    /// The words of each frame that has an owner.
    pub content: BTreeMap<Mfn, Vec<u64>>,
    /// What the hypervisor's slots of each root hold.
    pub canonical: Vec<u64>,
    /// Page tables.
    pub tables: BTreeMap<Mfn, Table>,
    /// Domains that run.
    pub domains: BTreeMap<DomainId, Domain>,
    /// The counter.
    pub now: u64,
    /// What domains wrote: who, which stream, which bytes.
    pub console: Vec<(DomainId, u64, Vec<u8>)>,
    /// Pages that may be kept in spare memory: whose, under which two numbers.
    spare: BTreeMap<(DomainId, u64, u64), Vec<u64>>,
    /// The value that the core has answered. It is looked at only where the book leaves a
    /// choice: the number of a grant, of a handle, of a port; whether a page is kept.
    told: u64,
    /// A choice that the book does not permit.
    complaint: Option<String>,
}

/// A call's answer: the value, or the error with the value that counts what took effect.
type Answer = Result<u64, (Error, u64)>;

impl Oracle {
    /// Everything that names a frame, frame by frame; that it is owned is not counted.
    pub fn holders(&self) -> BTreeMap<Mfn, Vec<Holder>> {
        let mut holders: BTreeMap<Mfn, Vec<Holder>> = BTreeMap::new();
        let mut add = |frame, domain, usage, entry| {
            holders.entry(frame).or_default().push(Holder { domain, usage, entry });
        };
        let usage = |write| if write { Use::Write } else { Use::Plain };
        for (frame, table) in &self.tables {
            let (owner, words) = (self.owners[frame], &self.content[frame]);
            if table.pinned {
                add(*frame, owner, Use::Table, false);
            }
            let entries = self.layout.guest_entries(table.level).min(table.entries);
            for value in &words[..entries] {
                match self.layout.read(table.level, *value) {
                    Some(Entry::Leaf { frame, write }) => add(frame, owner, usage(write), true),
                    Some(Entry::Table(below)) => add(below, owner, Use::Table, true),
                    Some(Entry::Absent) | None => {}
                }
            }
        }
        for (id, domain) in &self.domains {
            add(domain.page, *id, Use::Write, false);
            add(domain.arguments, *id, Use::Write, false);
            for root in [Some(domain.kernel_root), domain.user_root].into_iter().flatten() {
                add(root, *id, Use::Table, false);
            }
            for frame in &domain.p2m {
                add(*frame, *id, Use::Write, false);
            }
            for grant in domain.grants.values() {
                add(grant.frame, *id, usage(grant.write), false);
            }
            for handle in domain.handles.values() {
                add(handle.frame, *id, usage(handle.write), false);
            }
        }
        holders
    }

    fn holders_of(&self, frame: Mfn) -> Vec<Holder> {
        self.holders().remove(&frame).unwrap_or_default()
    }

    fn is_held_writable(&self, frame: Mfn) -> bool {
        self.holders_of(frame).iter().any(|holder| holder.usage == Use::Write)
    }

    /// `BadFrame`: the number is of no memory.
    fn check_memory(&self, frame: Mfn) -> Result<(), Error> {
        let known = self.memory.contains(&frame) || self.hypervisor.contains(&frame);
        if known { Ok(()) } else { Err(Error::BadFrame) }
    }

    /// `BadFrame`, then `NotOwner`.
    fn check_own(&self, frame: Mfn, domain: DomainId) -> Result<(), Error> {
        self.check_memory(frame)?;
        if self.owners.get(&frame) == Some(&domain) { Ok(()) } else { Err(Error::NotOwner) }
    }

    /// The domain that an argument names, if it runs; `SELF` is the caller.
    fn named(&self, caller: DomainId, number: u64) -> Result<DomainId, Error> {
        let id =
            if number == u64::from(DomainId::SELF.0) { caller } else { DomainId(number as u16) };
        if self.domains.contains_key(&id) { Ok(id) } else { Err(Error::NoDomain) }
    }

    fn domain(&mut self, id: DomainId) -> &mut Domain {
        self.domains.get_mut(&id).expect("the caller runs")
    }

    fn word(&self, frame: Mfn, word: usize) -> u64 {
        self.content[&frame][word]
    }

    /// Writes a word of a frame that somebody owns.
    pub fn set_word(&mut self, frame: Mfn, word: usize, value: u64) {
        self.content.get_mut(&frame).expect("the frame is owned")[word] = value;
    }

    /// Frames that nobody owns.
    pub fn unowned(&self) -> u64 {
        (self.memory.len() - self.owners.len()) as u64
    }

    /// What the book does not permit the core to have chosen.
    pub fn take_complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    fn complain(&mut self, text: String) {
        self.complaint.get_or_insert(text);
    }

    /// Takes frames back that nobody may use any more: those of domains that are gone, but for
    /// those that another domain has mapped.
    fn free_what_nobody_uses(&mut self) {
        let domains = &self.domains;
        let mapped = |frame| domains.values().any(|d| d.handles.values().any(|h| h.frame == frame));
        self.owners.retain(|frame, owner| domains.contains_key(owner) || mapped(*frame));
        self.content.retain(|frame, _| self.owners.contains_key(frame));
    }

    /// A domain ends and is taken apart, for whatever reason.
    pub fn end(&mut self, id: DomainId) {
        // Its ports close: that can be seen in a vCPU page that another domain has mapped.
        for port in self.domains[&id].ports.clone().into_keys().filter(|port| *port >= 4) {
            self.forget_bits(id, port);
        }
        self.domains.remove(&id);
        self.spare.retain(|(domain, ..), _| *domain != id);
        // What others had reserved for it stays theirs, and is for nobody (SHUTDOWN.8).
        for domain in self.domains.values_mut() {
            for port in domain.ports.values_mut() {
                if matches!(port, Port::Bound(other, _) | Port::Unbound(other) if *other == id) {
                    *port = Port::Unbound(NOBODY);
                }
            }
            for grant in domain.grants.values_mut().filter(|grant| grant.to == id) {
                grant.to = NOBODY;
            }
        }
        for (_, table) in self.tables.iter_mut().filter(|(frame, _)| self.owners[*frame] == id) {
            table.pinned = false;
        }
        self.demote_what_nothing_names();
        self.free_what_nobody_uses();
    }
}

/// Checks that a number fits so many bits.
fn fits(value: u64, bits: u32) -> Result<(), Error> {
    if value >> bits == 0 { Ok(()) } else { Err(Error::BadArgument) }
}

/// Checks that a number is one of a range.
fn within(value: u64, range: std::ops::RangeInclusive<u64>) -> Result<(), Error> {
    if range.contains(&value) { Ok(()) } else { Err(Error::BadArgument) }
}
