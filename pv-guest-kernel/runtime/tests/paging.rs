//! Page-table trees in all three formats against a plain map of pages.

use hypercall_abi::{Mfn, VirtAddr, addr::Level, start_info::PageTableFormat};
use proptest::prelude::*;
use pv_guest::paging::{
    Entry, Format, PagingError, Protection, TableRead, TableWrite, Visit, find, map, protect,
    unmap, visit,
};
use std::collections::BTreeMap;

const FORMATS: [PageTableFormat; 3] =
    [PageTableFormat::X86_64, PageTableFormat::Sv39, PageTableFormat::Sv48];

struct Model {
    format: Format,
    tables: BTreeMap<Mfn, (Level, [u64; 512])>,
    capacity: usize,
}

impl Model {
    fn new(kind: PageTableFormat, capacity: usize) -> (Model, Mfn) {
        let format = Format::new(kind);
        let root = Mfn(1);
        let tables = BTreeMap::from([(root, (format.root_level(), [0; 512]))]);
        (Model { format, tables, capacity }, root)
    }
}

impl TableRead for Model {
    fn format(&self) -> Format {
        self.format
    }

    fn read(&self, table: Mfn, index: u16) -> u64 {
        self.tables[&table].1[index as usize]
    }
}

impl TableWrite for Model {
    fn write(
        &mut self,
        table: Mfn,
        level: Level,
        index: u16,
        value: u64,
    ) -> Result<(), PagingError> {
        let (is, entries) = self.tables.get_mut(&table).expect("a table is written");
        assert_eq!(*is, level, "the level that is told is the table's");
        entries[index as usize] = value;
        Ok(())
    }

    fn new_table(&mut self, level: Level) -> Result<Mfn, PagingError> {
        if self.tables.len() >= self.capacity {
            return Err(PagingError::NoPage);
        }
        let table = Mfn(self.tables.len() as u64 + 1);
        self.tables.insert(table, (level, [0; 512]));
        Ok(table)
    }

    fn discard_table(&mut self, table: Mfn) {
        self.tables.remove(&table);
    }
}

fn protection() -> impl Strategy<Value = Protection> {
    (0u8..4).prop_map(Protection::from_bits_truncate)
}

/// Addresses that share tables often, spread over the whole half now and then.
fn address(end: u64) -> impl Strategy<Value = u64> {
    prop_oneof![
        (0u64..4, 0u64..3).prop_map(|(page, table)| (page << 12) + (table << 21)),
        (0..end).prop_map(|address| address & !0xfff),
    ]
}

proptest! {
    #[test]
    fn a_tree_maps_what_it_was_told(
        kind in prop::sample::select(&FORMATS[..]),
        steps in prop::collection::vec(
            (0u8..3, address(1 << 47), 0u64..1 << 40, protection()), 0..100),
    ) {
        let (mut model, root) = Model::new(kind, 60);
        let end = model.format.guest_end();
        let mut pages: BTreeMap<u64, (Mfn, Protection)> = BTreeMap::new();
        for (action, address, frame, protection) in steps {
            let (address, frame) = (VirtAddr(address % end), Mfn(frame));
            match action {
                0 => match map(&mut model, root, address, frame, protection) {
                    Ok(()) => {
                        prop_assert!(pages.insert(address.0, (frame, protection)).is_none());
                    }
                    Err(PagingError::Occupied) => prop_assert!(pages.contains_key(&address.0)),
                    Err(error) => prop_assert_eq!(error, PagingError::NoPage),
                },
                1 => {
                    let was = pages.remove(&address.0).map(|(frame, _)| frame);
                    let expected = was.ok_or(PagingError::NotMapped);
                    prop_assert_eq!(unmap(&mut model, root, address), expected);
                }
                _ => {
                    let slot = pages.get_mut(&address.0);
                    let expected = slot.map(|slot| { slot.1 = protection; slot.0 });
                    let expected = expected.ok_or(PagingError::NotMapped);
                    prop_assert_eq!(protect(&mut model, root, address, protection), expected);
                }
            }
            prop_assert_eq!(find(&model, root, address), pages.get(&address.0).copied());
        }
        let mut seen = BTreeMap::new();
        let mut tables = 0;
        visit(&model, root, &mut |visit| match visit {
            Visit::Page { address, frame, protection } => {
                seen.insert(address.0, (frame, protection));
            }
            Visit::Table { level, frame } => {
                assert_eq!(model.tables[&frame].0, level);
                tables += 1;
            }
        });
        prop_assert_eq!(seen, pages);
        prop_assert_eq!(tables, model.tables.len());
    }

    #[test]
    fn entries_say_what_was_written(
        kind in prop::sample::select(&FORMATS[..]),
        frame in (0u64..1 << 40).prop_map(Mfn),
        protection in protection(),
    ) {
        let format = Format::new(kind);
        let entry = format.page_entry(frame, protection);
        prop_assert_eq!(format.decode(Level::L1, entry), Entry::Page(frame, protection));
        let entry = format.table_entry(frame);
        prop_assert_eq!(format.decode(Level::L2, entry), Entry::Table(frame));
    }
}

#[test]
fn entries_are_the_processors_own() {
    let x86 = Format::new(PageTableFormat::X86_64);
    assert_eq!(x86.page_entry(Mfn(0x1234), Protection::READ), 0x8000_0000_0123_4025);
    assert_eq!(x86.page_entry(Mfn(0x1234), Protection::WRITE), 0x8000_0000_0123_4067);
    assert_eq!(x86.page_entry(Mfn(0x1234), Protection::EXECUTE), 0x0123_4025);
    assert_eq!(x86.unused_page_entry(Mfn(0x1234), Protection::WRITE), 0x8000_0000_0123_4007);
    assert_eq!(x86.used_bits(), (0x20, 0x40));
    assert_eq!(x86.table_entry(Mfn(0x1234)), 0x0123_4027);
    let sv39 = Format::new(PageTableFormat::Sv39);
    assert_eq!(sv39.page_entry(Mfn(0x1234), Protection::READ), 0x48d053);
    assert_eq!(sv39.page_entry(Mfn(0x1234), Protection::WRITE), 0x48d0d7);
    assert_eq!(sv39.page_entry(Mfn(0x1234), Protection::EXECUTE), 0x48d05b);
    assert_eq!(sv39.unused_page_entry(Mfn(0x1234), Protection::WRITE), 0x48d017);
    assert_eq!(sv39.used_bits(), (0x40, 0x80));
    assert_eq!(sv39.table_entry(Mfn(0x1234)), 0x48d001);
}

#[test]
fn the_hypervisors_half_cannot_be_mapped() {
    for kind in FORMATS {
        let (mut model, root) = Model::new(kind, 10);
        let end = VirtAddr(model.format.guest_end());
        let result = map(&mut model, root, end, Mfn(9), Protection::READ);
        assert_eq!(result, Err(PagingError::BadAddress));
        assert_eq!(find(&model, root, end), None);
        let result = map(&mut model, root, VirtAddr(0x1001), Mfn(9), Protection::READ);
        assert_eq!(result, Err(PagingError::BadAddress));
    }
}
