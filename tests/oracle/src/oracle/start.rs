//! What a domain starts with: `spec/src/abi/start.md`.

use super::{Domain, Entry, Layout, Oracle, Port, Registers, Table, WORDS};
use hypercall_abi::{DomainId, Features, Mfn};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is known of a new domain.
pub struct New {
    /// Who it is.
    pub id: DomainId,
    /// Its frames, and what they hold.
    pub frames: BTreeMap<Mfn, Vec<u64>>,
    /// Its first three pages: start information, vCPU page, argument frame.
    pub pages: [Mfn; 3],
    /// Its registers.
    pub registers: Registers,
}

/// Words of the start information.
const MAX_FRAMES: usize = 5;
const ROOT: usize = 9;

impl Oracle {
    /// A machine without domains.
    pub fn new(
        layout: Layout,
        features: Features,
        memory: BTreeSet<Mfn>,
        hypervisor: BTreeSet<Mfn>,
        canonical: Vec<u64>,
    ) -> Oracle {
        Oracle {
            layout,
            features,
            memory,
            hypervisor,
            owners: BTreeMap::new(),
            content: BTreeMap::new(),
            canonical,
            tables: BTreeMap::new(),
            domains: BTreeMap::new(),
            now: 0,
            console: Vec::new(),
            spare: BTreeMap::new(),
            told: 0,
            complaint: None,
        }
    }

    /// A domain has been built.
    pub fn start(&mut self, new: New) {
        let [info, page, arguments] = new.pages;
        let frames = new.frames.len() as u64;
        for (frame, words) in new.frames {
            self.owners.insert(frame, new.id);
            self.content.insert(frame, words);
        }
        let root = Mfn(self.word(info, ROOT));
        let domain = Domain {
            max_frames: self.word(info, MAX_FRAMES),
            target_frames: frames,
            reported_frames: 0,
            kernel_root: root,
            user_root: None,
            page,
            arguments,
            grants: BTreeMap::new(),
            handles: BTreeMap::new(),
            old_handles: BTreeSet::new(),
            p2m: Vec::new(),
            ports: (1..=3).map(|port| (port, Port::WellKnown)).collect(),
            input: VecDeque::new(),
            calls: 0,
            refusals: 0,
            traps: 0,
            deadline: None,
            entry: None,
            user: false,
            blocked: false,
            registers: new.registers,
        };
        self.domains.insert(new.id, domain);
        // START.5: the tables are validated, and the root is pinned.
        self.note_tables(root, self.layout.root());
        self.tables.get_mut(&root).expect("noted").pinned = true;
    }

    fn note_tables(&mut self, frame: Mfn, level: u64) {
        self.tables.insert(frame, Table { level, pinned: false, entries: WORDS });
        for index in 0..self.layout.guest_entries(level) {
            if let Some(Entry::Table(below)) = self.layout.read(level, self.word(frame, index)) {
                self.note_tables(below, level - 1);
            }
        }
    }
}
