//! What a test sets up: pages, tables, grants, ports; each is noted in the journal and undone
//! after the test.

use core::mem::offset_of;
use core::panic::Location;

use hypercall_abi::{
    DomainId, GrantRef, Mfn, Pfn, Port, Status, VirtAddr,
    addr::Level,
    calls::{
        BalloonDeflate, Call, DomainQuery, EventAlloc, EventBind, GrantMap, GrantShare, PtCreate,
        PteUpdate,
        grant_map::MappedGrant,
        grant_share::Access,
        pte_update::{Space, Target, Update},
    },
    domain_info::DomainInfo,
    start_info::StartInfo,
};
use zerocopy::FromBytes;

use crate::{
    caller::{OWN, Pretence, Side},
    entries::Permit,
    journal::Undo,
    outcome::{Check, Message, Stop},
};

use super::{Page, Test, Told, other};

impl Test<'_> {
    /// Notes what is to be undone.
    ///
    /// # Errors
    /// [`Stop::Error`] when the journal is full.
    #[track_caller]
    pub fn note(&mut self, side: Side, undo: Undo) -> Check {
        if self.journal.note(side, undo) {
            return Ok(());
        }
        Err(Stop::Error(Message::at(Location::caller(), format_args!("the journal is full"))))
    }

    #[track_caller]
    fn set_up<C: Call>(&mut self, side: Side, call: &C) -> Check<u64> {
        let (status, value) = self.call(side, call);
        if status == Status::SUCCESS {
            return Ok(value);
        }
        Err(Stop::Error(Message::at(
            Location::caller(),
            format_args!("set-up: {} refused: {}", C::NUMBER.name(), Told(status)),
        )))
    }

    /// A page that is mapped writable in the physmap, filled with zeros as far as
    /// [`CLEARED`](Self::CLEARED) words.
    ///
    /// # Errors
    /// [`Stop::Error`] when none is left.
    #[track_caller]
    pub fn page(&mut self, side: Side) -> Check<Page> {
        let range = self.caller.pages(side);
        let taken = &mut self.pages_taken[side.index()];
        let pfn = range.start + *taken;
        if pfn >= range.end {
            let place = Location::caller();
            return Err(Stop::Error(Message::at(place, format_args!("no page is left"))));
        }
        *taken += 1;
        let page = Page { pfn: Pfn(pfn), frame: self.p2m(side, Pfn(pfn)) };
        for word in 0..Self::CLEARED {
            self.write(side, page, word, 0);
        }
        Ok(page)
    }

    /// Takes the page that was given out last back, so that the next one is the same.
    pub fn give_back_last_page(&mut self, side: Side) {
        let taken = &mut self.pages_taken[side.index()];
        *taken = taken.saturating_sub(1);
    }

    /// Words that are 0 in a page from [`page`](Self::page).
    pub const CLEARED: usize = 4;

    /// Replaces the entry that maps a page of the kernel's address space, and flushes it.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn set_leaf(&mut self, side: Side, address: VirtAddr, value: u64) -> Check {
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        self.set_up(side, &PteUpdate::One(Update::new(target, value))).map(drop)
    }

    /// A page that the physmap no longer maps.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn unmapped_page(&mut self, side: Side) -> Check<Page> {
        let page = self.page(side)?;
        self.unmap(side, page)?;
        Ok(page)
    }

    /// Takes a page out of the physmap.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn unmap(&mut self, side: Side, page: Page) -> Check {
        self.note(side, Undo::MapWritable(page.pfn))?;
        let address = self.physmap(side, page.pfn);
        self.set_leaf(side, address, 0)
    }

    /// Makes a page's place in the physmap read-only, so that it may become a page table.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn protect(&mut self, side: Side, page: Page) -> Check {
        self.note(side, Undo::MapWritable(page.pfn))?;
        let address = self.physmap(side, page.pfn);
        let leaf = self.entries.leaf(page.frame, Permit::Read);
        self.set_leaf(side, address, leaf)
    }

    /// A page that the physmap maps for reading only.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn table_page(&mut self, side: Side) -> Check<Page> {
        let page = self.page(side)?;
        self.protect(side, page)?;
        Ok(page)
    }

    /// A page whose first words are `words` and the rest 0, read-only in the physmap: a page
    /// table that is not validated yet.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn written_table(&mut self, side: Side, words: &[(usize, u64)]) -> Check<Page> {
        let page = self.page(side)?;
        for word in 0..512 {
            self.write(side, page, word, 0);
        }
        for &(word, value) in words {
            self.write(side, page, word, value);
        }
        self.protect(side, page)?;
        Ok(page)
    }

    /// An empty, validated and pinned table.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn table(&mut self, side: Side, level: Level) -> Check<Page> {
        let page = self.table_page(side)?;
        self.note(side, Undo::Unpin(page.frame))?;
        self.set_up(side, &PtCreate { frame: page.frame, level })?;
        Ok(page)
    }

    /// Writes an entry of a validated table.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn set_entry(&mut self, side: Side, table: Mfn, index: u16, value: u64) -> Check {
        self.note(side, Undo::ClearEntry(table, index))?;
        let target = Target::Entry { table, index };
        self.set_up(side, &PteUpdate::One(Update::new(target, value))).map(drop)
    }

    /// Makes the level-1 table that maps `address` in the kernel's address space, and what
    /// leads to it, if it is not there. The domain must be on its first root.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn reach(&mut self, side: Side, address: VirtAddr) -> Check<Mfn> {
        let mut level = self.entries.root_level();
        let mut table = self.root(side);
        while let Some(below) = level.below() {
            let index = self.entries.index(address, level);
            let entry = self.entry_of(side, table, index)?;
            table = if self.entries.is_present(entry) {
                self.entries.frame(entry)
            } else {
                let page = self.table(side, below)?;
                let link = self.entries.table(page.frame);
                self.set_entry(side, table, index, link)?;
                page.frame
            };
            level = below;
        }
        Ok(table)
    }

    /// Maps a value at an address of the scratch region, with the tables that it needs.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn map(&mut self, side: Side, address: VirtAddr, value: u64) -> Check {
        let table = self.reach(side, address)?;
        let index = self.entries.index(address, Level::L1);
        self.note(side, Undo::ClearEntry(table, index))?;
        self.set_leaf(side, address, value)
    }

    /// Reads an entry of a table that backs one of the domain's pages.
    ///
    /// # Errors
    /// [`Stop::Error`] when the P2M does not have the table.
    #[track_caller]
    pub fn entry_of(&mut self, side: Side, table: Mfn, index: u16) -> Check<u64> {
        let page = self.find(side, table)?;
        Ok(self.caller.read(side, page, index.into()))
    }

    /// The page that a frame backs: the domain's first tables and the tests' pages are
    /// searched.
    #[track_caller]
    fn find(&mut self, side: Side, frame: Mfn) -> Check<Pfn> {
        let tables = self.start_info(side, offset_of!(StartInfo, tables_pfn));
        let free = self.start_info(side, offset_of!(StartInfo, free_pfn));
        let pages = self.caller.pages(side);
        for pfn in (tables..free).chain(pages) {
            if self.p2m(side, Pfn(pfn)) == frame {
                return Ok(Pfn(pfn));
            }
        }
        let place = Location::caller();
        Err(Stop::Error(Message::at(place, format_args!("no page has frame {:#x}", frame.0))))
    }

    /// Grants the other side a page.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn grant(&mut self, side: Side, page: Page, access: Access) -> Check<GrantRef> {
        let domain = self.domain(other(side));
        let value = self.set_up(side, &GrantShare { domain, frame: page.frame, access })?;
        let grant = GrantRef(value as u32);
        self.note(side, Undo::Revoke(grant))?;
        Ok(grant)
    }

    /// Maps a grant that the other side has given.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn open(&mut self, side: Side, grant: GrantRef, access: Access) -> Check<MappedGrant> {
        let domain = self.domain(other(side));
        let value = self.set_up(side, &GrantMap { domain, grant, access })?;
        let mapped = MappedGrant::from_value(value);
        self.note(side, Undo::Unmap(mapped.handle))?;
        Ok(mapped)
    }

    /// Opens a port for `domain`.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn port(&mut self, side: Side, domain: DomainId) -> Check<Port> {
        let port = Port(self.set_up(side, &EventAlloc { domain })? as u32);
        self.note(side, Undo::Close(port))?;
        Ok(port)
    }

    /// A channel from the domain to itself: two ports, neither pending.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn loopback(&mut self, side: Side) -> Check<(Port, Port)> {
        let first = self.port(side, DomainId::SELF)?;
        let bind = EventBind { domain: DomainId::SELF, port: first };
        let second = Port(self.set_up(side, &bind)? as u32);
        self.note(side, Undo::Close(second))?;
        self.clear_pending(side, second);
        Ok((first, second))
    }

    /// A channel between the two domains, neither end pending: the port of [`OWN`], then
    /// that of the peer.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn channel(&mut self) -> Check<(Port, Port)> {
        let peer = self.domain(Side::Peer);
        let own = self.domain(OWN);
        let first = self.port(OWN, peer)?;
        let bind = EventBind { domain: own, port: first };
        let second = Port(self.set_up(Side::Peer, &bind)? as u32);
        self.note(Side::Peer, Undo::Close(second))?;
        self.clear_pending(Side::Peer, second);
        Ok((first, second))
    }

    /// Makes the hypervisor believe something of a frame that a domain owns.
    ///
    /// # Errors
    /// [`Stop::Skip`] where that cannot be done.
    pub fn pretend(&mut self, frame: Mfn, pretence: Pretence) -> Check {
        self.note(OWN, Undo::Confess(frame))?;
        if self.caller.pretend(frame, Some(pretence)) {
            return Ok(());
        }
        Err(Stop::Skip(match pretence {
            Pretence::Room(_) => "2^30 references to a frame take 8 GiB of page tables",
            Pretence::UnderWay => "a domain has one vCPU, so that no other call is under way",
        }))
    }

    /// Takes one frame for a page that lost its own, writes the P2M, and returns it. The
    /// page is not mapped.
    ///
    /// # Errors
    /// [`Stop::Error`] when none is given.
    #[track_caller]
    pub fn populate(&mut self, side: Side, page: Pfn) -> Check<Mfn> {
        self.set_up(side, &BalloonDeflate::frames(1))?;
        let frame = Mfn(self.argument(side, 0));
        self.set_p2m(side, page, frame);
        Ok(frame)
    }

    /// The hypervisor's counts of a domain. Overwrites the argument frame.
    ///
    /// # Errors
    /// [`Stop::Error`] when that is refused.
    #[track_caller]
    pub fn counts(&mut self, side: Side) -> Check<DomainInfo> {
        self.set_up(side, &DomainQuery { domain: DomainId::SELF })?;
        let mut bytes = [0; size_of::<DomainInfo>()];
        for (word, bytes) in bytes.chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&self.argument(side, word).to_ne_bytes());
        }
        DomainInfo::read_from_bytes(&bytes)
            .map_err(|_| Stop::Error(Message::new(format_args!("domain information has no size"))))
    }
}
