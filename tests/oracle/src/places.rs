//! What there is to name: arguments are picked from the frames, addresses, domains and handles
//! that a guest could mean, good and bad.

use crate::world::World;
use conformance_host::Cpu;
use hypercall_abi::{DomainId, Mfn};
use std::collections::BTreeMap;

/// Addresses that are worth a try: of the image, at the edges of formats, beyond them.
pub const ADDRESSES: [u64; 9] = [
    0x1000_0200,
    0x1000_0000,
    0,
    0x1000_0001,
    0x40_0000_0000 - 0x1000,
    0x40_0000_0000,
    0x8000_0000_0000 - 16,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
];

/// What the arguments of a step are picked from.
pub struct Places {
    pub(crate) caller: DomainId,
    pub(crate) peer: DomainId,
    pub(crate) own: Vec<Mfn>,
    pub(crate) peers: Vec<Mfn>,
    pub(crate) tables: Vec<Mfn>,
    pub(crate) roots: Vec<Mfn>,
    pub(crate) levels: BTreeMap<Mfn, u64>,
    pub(crate) handled: Vec<Mfn>,
    pub(crate) handles: Vec<u32>,
    pub(crate) special: Vec<Mfn>,
    pub(crate) pages: Vec<u64>,
    pub(crate) now: u64,
}

impl Places {
    fn pick<T: Copy>(list: &[T], byte: u8) -> Option<T> {
        if list.is_empty() { None } else { Some(list[usize::from(byte) % list.len()]) }
    }

    /// A frame: mostly of the pool, sometimes one that is somebody else's affair.
    pub fn frame(&self, byte: u8) -> Mfn {
        let found = match byte {
            0..=127 => Self::pick(&self.own, byte),
            128..=159 => Self::pick(&self.peers, byte),
            160..=183 => Self::pick(&self.tables, byte),
            184..=207 => Self::pick(&self.handled, byte),
            _ => None,
        };
        found.unwrap_or_else(|| self.special[usize::from(byte) % self.special.len()])
    }

    /// A page table, as a rule.
    pub fn table(&self, byte: u8) -> Mfn {
        match Self::pick(&self.tables, byte) {
            Some(table) if byte < 224 => table,
            _ => self.frame(byte.reverse_bits()),
        }
    }

    /// An argument of `pt_switch`.
    pub fn root(&self, byte: u8) -> u64 {
        match byte % 4 {
            0 => u64::MAX,
            1 => u64::MAX - 1,
            2 => Self::pick(&self.roots, byte / 4).unwrap_or(self.special[0]).0,
            _ => self.frame(byte).0,
        }
    }

    /// A level for the frame that `byte` picks: its own, if it is a table; seldom none at all.
    pub fn level(&self, byte: u8, level: u8) -> u64 {
        match self.levels.get(&self.frame(byte)) {
            Some(own) if level < 192 => *own,
            _ if level < 240 => 1 + u64::from(level % 4),
            _ => u64::from(level - 240),
        }
    }

    /// An index of a table.
    pub fn index(&self, byte: u8) -> u16 {
        [0, 1, 2, 3, 255, 256, 511, u16::from(byte) * 2][usize::from(byte % 8)]
    }

    /// A virtual address.
    pub fn address(&self, byte: u8) -> u64 {
        match byte {
            0..=159 => Self::pick(&self.pages, byte).unwrap_or(0),
            _ => ADDRESSES[usize::from(byte) % ADDRESSES.len()],
        }
    }

    /// Who is named.
    pub fn domain(&self, byte: u8) -> DomainId {
        match byte {
            0..=191 => self.peer,
            192..=215 => self.caller,
            216..=239 => DomainId::SELF,
            _ => DomainId(u16::from(byte - 240)),
        }
    }

    /// A handle.
    pub fn handle(&self, byte: u8) -> u64 {
        let found = if byte < 224 { Self::pick(&self.handles, byte) } else { None };
        found.unwrap_or(byte.into()).into()
    }
}

impl<P: Cpu> World<P> {
    /// What that guest's arguments are picked from now.
    pub(crate) fn places(&self, who: usize) -> Places {
        let (mine, other) = (&self.guests[who], &self.guests[1 - who]);
        let oracle = &self.oracle;
        let domain = &oracle.domains[&mine.id];
        let own = |frame: &&Mfn| oracle.owners[*frame] == mine.id;
        let root = |frame: &&Mfn| oracle.tables[*frame].level == oracle.layout.root();
        let tables: Vec<Mfn> = oracle.tables.keys().filter(own).copied().collect();
        let unowned =
            oracle.memory.iter().find(|frame| !oracle.owners.contains_key(frame)).copied();
        let peer_page = oracle.domains.get(&other.id).map(|peer| peer.page);
        let mut special = vec![domain.page, domain.arguments, Mfn(0), Mfn(0x121), Mfn(0x131)];
        special.extend([Mfn(u64::MAX), Mfn(1 << 40), Mfn(0x10_0000)]);
        special.extend(unowned.into_iter().chain(peer_page));
        Places {
            caller: mine.id,
            peer: other.id,
            own: mine.pool.clone(),
            peers: other.pool.clone(),
            roots: tables.iter().filter(root).copied().collect(),
            levels: oracle.tables.iter().map(|(frame, table)| (*frame, table.level)).collect(),
            tables,
            handled: domain.handles.values().map(|handle| handle.frame).collect(),
            handles: domain.handles.keys().copied().collect(),
            special,
            pages: mine.pages.clone(),
            now: oracle.now,
        }
    }
}
