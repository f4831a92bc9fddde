//! The guest with our driver: `balloon::Balloon`, over a kernel whose spare memory is whole extents.

use crate::Size;
use crate::frames::{self, Host, LeafTable, extent_of};
use balloon::{Answer, Balloon, BalloonPort, Statistics};
use hypercall_abi::calls::{BalloonDeflate, BalloonInflate};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Mfn, Pfn};
use std::collections::BTreeMap;

/// Its place among the domains.
pub const DOMAIN: usize = 0;

/// Its kernel, as its balloon knows it.
#[derive(Debug)]
struct Kernel {
    /// The first spare page.
    first: u64,
    /// The frames of the spare pages, in order.
    frames: Vec<Option<Mfn>>,
    /// First pages of spare extents, and of holes.
    free: Vec<Pfn>,
    holes: Vec<Pfn>,
    /// The tables that map spare extents.
    tables: BTreeMap<Pfn, LeafTable>,
    page_table_calls: u64,
}

/// The guest.
#[derive(Debug)]
pub struct Paravirtual {
    balloon: Balloon,
    kernel: Kernel,
}

impl Paravirtual {
    /// The guest that the domain is.
    pub fn new(host: &Host, size: Size) -> Paravirtual {
        let first_spare = size.first_spare();
        let free: Vec<Pfn> =
            (first_spare..size.guest()).step_by(EXTENT_FRAMES as usize).map(Pfn).collect();
        let frames = free
            .iter()
            .map(|&first| extent_of(host, DOMAIN, first).0)
            .flat_map(|first| (first..first + EXTENT_FRAMES).map(|frame| Some(Mfn(frame))))
            .collect();
        let kernel = Kernel {
            first: first_spare,
            frames,
            free,
            holes: Vec::new(),
            tables: frames::leaf_tables(host, DOMAIN, first_spare..size.guest()),
            page_table_calls: 0,
        };
        Paravirtual { balloon: Balloon::new(), kernel }
    }

    /// Follows the target as far as it can now.
    pub fn follow(&mut self, host: &mut Host) {
        let mut port = Port { host, kernel: &mut self.kernel };
        while self.balloon.follow_target(&mut port).is_some_and(|report| report.moved > 0) {}
    }

    /// Counts of the driver.
    pub fn statistics(&self) -> Statistics {
        self.balloon.statistics()
    }

    /// Calls that changed page tables.
    pub fn page_table_calls(&self) -> u64 {
        self.kernel.page_table_calls
    }
}

impl Kernel {
    /// Where the frame of a spare page stands.
    fn place(&self, page: Pfn) -> usize {
        (page.0 - self.first) as usize
    }
}

struct Port<'a> {
    host: &'a mut Host,
    kernel: &'a mut Kernel,
}

impl Port<'_> {
    fn update(&mut self, pages: &[Pfn], frame_of: impl Fn(&Self, Pfn) -> Option<Mfn>) -> usize {
        let pages: Vec<_> = pages.iter().map(|&page| (page, frame_of(self, page))).collect();
        let (done, calls) = frames::update(self.host, DOMAIN, &pages);
        self.kernel.page_table_calls += calls;
        done
    }
}

impl BalloonPort for Port<'_> {
    fn take_page(&mut self) -> Option<Pfn> {
        None
    }

    fn give_page(&mut self, page: Pfn) {
        unreachable!("{page:?} is part of an extent");
    }

    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.kernel.frames[self.kernel.place(page)]
    }

    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        self.update(pages, |_, _| None)
    }

    fn flush(&mut self) {}

    fn map(&mut self, pages: &[Pfn]) -> usize {
        self.update(pages, |port, page| port.frame_of(page))
    }

    fn unmap_extents(&mut self, firsts: &[Pfn]) -> usize {
        let tables: Vec<_> = firsts.iter().map(|first| self.kernel.tables[first]).collect();
        let (done, calls) = frames::take_tables_out(self.host, DOMAIN, &tables);
        self.kernel.page_table_calls += calls;
        done
    }

    fn map_extents(&mut self, firsts: &[Pfn]) -> usize {
        let backed = |first: &Pfn| Some((self.kernel.tables[first], self.frame_of(*first)?));
        let tables: Vec<_> = firsts.iter().map_while(backed).collect();
        let (done, calls) = frames::put_tables_in(self.host, DOMAIN, &tables);
        self.kernel.page_table_calls += calls;
        done
    }

    fn release(&mut self, numbers: &[Mfn]) -> Answer {
        let call = BalloonInflate::frames(numbers.len() as u64);
        frames::give(self.host, DOMAIN, numbers, &call)
    }

    fn make_hole(&mut self, page: Pfn) {
        let place = self.kernel.place(page);
        self.kernel.frames[place] = None;
        if page.0.is_multiple_of(EXTENT_FRAMES) {
            self.kernel.holes.push(page);
        }
    }

    fn obtain(&mut self, numbers: &mut [Mfn]) -> Answer {
        let call = BalloonDeflate::frames(numbers.len() as u64);
        frames::obtain(self.host, DOMAIN, numbers, &call)
    }

    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        unreachable!("{frame:?} came alone, and only extents go");
    }

    fn take_extent(&mut self) -> Option<Pfn> {
        self.kernel.free.pop()
    }

    fn knows_extents(&self) -> bool {
        true
    }

    fn give_extent(&mut self, first: Pfn) {
        self.kernel.free.push(first);
    }

    fn release_extents(&mut self, firsts: &[Mfn]) -> Answer {
        let call = BalloonInflate::extents(firsts.len() as u64);
        frames::give(self.host, DOMAIN, firsts, &call)
    }

    fn extent_room(&self) -> u64 {
        self.kernel.holes.len() as u64
    }

    fn obtain_extents(&mut self, firsts: &mut [Mfn]) -> Answer {
        let call = BalloonDeflate::extents(firsts.len() as u64);
        frames::obtain(self.host, DOMAIN, firsts, &call)
    }

    fn fill_extent(&mut self, first: Mfn) -> Option<Pfn> {
        let page = self.kernel.holes.pop()?;
        let place = self.kernel.place(page);
        let frames = &mut self.kernel.frames[place..place + EXTENT_FRAMES as usize];
        frames.iter_mut().zip(first.0..).for_each(|(to, frame)| *to = Some(Mfn(frame)));
        Some(page)
    }

    fn owned_frames(&mut self) -> u64 {
        self.host.state.domain(self.host.slots[DOMAIN]).frames
    }

    fn target_frames(&mut self) -> u64 {
        self.host.state.domain(self.host.slots[DOMAIN]).balloon.target_frames
    }
}
