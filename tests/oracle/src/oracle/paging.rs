//! Page tables: `pt_create`, `pt_pin`, `pt_unpin`, `pt_switch`, `pte_update`, and the rules that
//! an entry obeys. Clauses are those of the calls' pages and of `spec/src/abi/page-tables.md`.

use super::{Answer, Entry, Oracle, Table, Use, WORDS};
use hypercall_abi::{DomainId, Error, Mfn};

impl Oracle {
    /// PTE.1 to PTE.8: the value may stand in a table of that level. A table below it that is
    /// not validated yet has then been.
    fn accept(&mut self, caller: DomainId, level: u64, value: u64) -> Result<(), Error> {
        match self.layout.read(level, value).ok_or(Error::BadEntry)? {
            Entry::Absent => Ok(()),
            Entry::Leaf { frame, write } => {
                self.check_memory(frame)?;
                if self.owners.get(&frame) != Some(&caller) {
                    let handles = &self.domains[&caller].handles;
                    let handle = handles.values().find(|handle| handle.frame == frame);
                    let handle = handle.ok_or(Error::NotOwner)?;
                    if write && !handle.write {
                        return Err(Error::ReadOnlyGrant);
                    }
                }
                let is_table = self.tables.contains_key(&frame);
                if write && is_table { Err(Error::TypeConflict) } else { Ok(()) }
            }
            Entry::Table(below) => {
                self.check_own(below, caller)?;
                match self.tables.get(&below) {
                    Some(table) if table.level == level - 1 => Ok(()),
                    Some(_) => Err(Error::BadLevel),
                    None if self.is_held_writable(below) => Err(Error::TypeConflict),
                    None => self.promote(caller, below, level - 1),
                }
            }
        }
    }

    /// PT_PIN.8, PT_PIN.9 and PT_PIN.12: makes a frame a table, its entries checked in order.
    /// On an error the oracle is to be thrown away: callers work on a copy.
    fn promote(&mut self, caller: DomainId, frame: Mfn, level: u64) -> Result<(), Error> {
        self.tables.insert(frame, Table { level, pinned: false, entries: 0 });
        for index in 0..WORDS {
            let value = self.word(frame, index);
            if index < self.layout.guest_entries(level) {
                self.accept(caller, level, value)?;
            } else if value != 0 {
                return Err(Error::HypervisorRange);
            } else {
                self.set_word(frame, index, self.canonical[index]);
            }
            self.tables.get_mut(&frame).expect("just made").entries = index + 1;
        }
        Ok(())
    }

    /// PT_UNPIN.6 to PT_UNPIN.8: a table that nothing names as a table is one no more.
    pub(super) fn demote_what_nothing_names(&mut self) {
        loop {
            let holders = self.holders();
            let is_named = |frame| {
                let holders = holders.get(frame).map_or(&[][..], Vec::as_slice);
                holders.iter().any(|holder| holder.usage == Use::Table)
            };
            let unnamed = self.tables.keys().find(|frame| !is_named(frame)).copied();
            let Some(frame) = unnamed else { return };
            let level = self.tables.remove(&frame).expect("found").level;
            for index in self.layout.guest_entries(level)..WORDS {
                self.set_word(frame, index, 0);
            }
        }
    }

    fn check_level(&self, level: u64) -> Result<(), Error> {
        if (1..=self.layout.root()).contains(&level) { Ok(()) } else { Err(Error::BadLevel) }
    }

    pub(super) fn pt_create(
        &mut self,
        caller: DomainId,
        frame: Mfn,
        level: u64,
    ) -> Result<u64, Error> {
        self.check_level(level)?;
        self.check_own(frame, caller)?;
        if self.tables.contains_key(&frame) || self.is_held_writable(frame) {
            return Err(Error::TypeConflict);
        }
        let words = (0..WORDS).map(|index| {
            if index < self.layout.guest_entries(level) { 0 } else { self.canonical[index] }
        });
        let words = words.collect();
        self.content.insert(frame, words);
        self.tables.insert(frame, Table { level, pinned: true, entries: WORDS });
        Ok(0)
    }

    pub(super) fn pt_pin(
        &mut self,
        caller: DomainId,
        frame: Mfn,
        level: u64,
    ) -> Result<u64, Error> {
        self.check_level(level)?;
        self.check_own(frame, caller)?;
        match self.tables.get(&frame) {
            Some(table) if table.level != level => return Err(Error::BadLevel),
            Some(table) if table.pinned => return Err(Error::AlreadyPinned),
            Some(_) => {}
            None if self.is_held_writable(frame) => return Err(Error::TypeConflict),
            None => {
                let mut tried = self.clone();
                tried.promote(caller, frame, level)?;
                *self = tried;
            }
        }
        self.tables.get_mut(&frame).expect("validated").pinned = true;
        Ok(0)
    }

    pub(super) fn pt_unpin(&mut self, caller: DomainId, frame: Mfn) -> Result<u64, Error> {
        self.check_own(frame, caller)?;
        let table = self.tables.get_mut(&frame).ok_or(Error::NotTable)?;
        if !table.pinned {
            return Err(Error::NotPinned);
        }
        table.pinned = false;
        self.demote_what_nothing_names();
        Ok(0)
    }

    pub(super) fn pt_switch(
        &mut self,
        caller: DomainId,
        kernel: u64,
        user: u64,
    ) -> Result<u64, Error> {
        const KEEP: u64 = u64::MAX;
        const NONE: u64 = u64::MAX - 1;
        if kernel == NONE {
            return Err(Error::BadArgument);
        }
        for root in [kernel, user].into_iter().filter(|root| ![KEEP, NONE].contains(root)) {
            self.check_own(Mfn(root), caller)?;
            let table = self.tables.get(&Mfn(root)).ok_or(Error::NotTable)?;
            if table.level != self.layout.root() {
                return Err(Error::BadLevel);
            }
        }
        let domain = self.domain(caller);
        if kernel != KEEP {
            domain.kernel_root = Mfn(kernel);
        }
        match user {
            KEEP => {}
            NONE => domain.user_root = None,
            root => domain.user_root = Some(Mfn(root)),
        }
        self.demote_what_nothing_names();
        Ok(0)
    }

    /// Where an update writes: table and index.
    fn target(&self, caller: DomainId, target: u64) -> Result<(Mfn, usize), Error> {
        let (kind, flush, address) = (target & 3, target & 4 != 0, target & !7);
        if kind == 3 || (kind == 0 && flush) || (kind != 0 && address % 4096 != 0) {
            return Err(Error::BadArgument);
        }
        if kind == 0 {
            let (frame, index) = (Mfn(address / 4096), (address % 4096 / 8) as usize);
            self.check_own(frame, caller)?;
            let level = self.tables.get(&frame).ok_or(Error::NotTable)?.level;
            if index >= self.layout.guest_entries(level) {
                return Err(Error::HypervisorRange);
            }
            return Ok((frame, index));
        }
        let domain = &self.domains[&caller];
        let root = if kind == 1 { Some(domain.kernel_root) } else { domain.user_root };
        let mut table = root.ok_or(Error::NotRegistered)?;
        if address >= self.layout.guest_end() {
            return Err(Error::HypervisorRange);
        }
        for level in (2..=self.layout.root()).rev() {
            let value = self.word(table, self.layout.index(address, level));
            match self.layout.read(level, value) {
                Some(Entry::Table(below)) => table = below,
                _ => return Err(Error::NotMapped),
            }
        }
        Ok((table, self.layout.index(address, 1)))
    }

    fn update(&mut self, caller: DomainId, target: u64, mut value: u64) -> Result<(), Error> {
        let by_page = Self::by_page(target);
        let (table, index) = self.target(caller, by_page.unwrap_or(target))?;
        if by_page.is_some() {
            if self.tables[&table].level != 1 {
                return Err(Error::BadLevel);
            }
            value = self.with_frame(caller, value)?;
        }
        let mut tried = self.clone();
        tried.accept(caller, self.tables[&table].level, value)?;
        *self = tried;
        self.set_word(table, index, value);
        self.demote_what_nothing_names();
        Ok(())
    }

    /// The updates in the argument frame.
    pub(super) fn updates(&mut self, caller: DomainId, count: u64) -> Answer {
        let arguments = self.domains[&caller].arguments;
        for done in 0..count {
            let target = self.word(arguments, 2 * done as usize);
            let value = self.word(arguments, 2 * done as usize + 1);
            self.update(caller, target, value).map_err(|error| (error, done))?;
        }
        Ok(count)
    }

    pub(super) fn pte_update(&mut self, caller: DomainId, args: &super::Args) -> Answer {
        match args[0] {
            0 => self.update(caller, args[1], args[2]).map(|()| 1).map_err(|error| (error, 0)),
            count @ 1..=256 => self.updates(caller, count),
            _ => Err((Error::BadArgument, 0)),
        }
    }

    pub(super) fn tlb_flush(&self, scope: u64, address: u64) -> Result<u64, Error> {
        match scope {
            0 => Ok(0),
            1 if address < self.layout.guest_end() => Ok(0),
            1 => Err(Error::HypervisorRange),
            _ => Err(Error::BadArgument),
        }
    }
}
