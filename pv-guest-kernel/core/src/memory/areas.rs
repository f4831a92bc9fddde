//! The areas of one address space: [`Areas`], sorted, none of which overlap. Neighbours that
//! could be one are one.

use super::area::{Area, Pages, Rights, Source};
use alloc::vec::Vec;

/// An area more or less refers to a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    More,
    Less,
}

/// Sorted areas.
#[derive(Clone, Debug, Default)]
pub(super) struct Areas {
    list: Vec<Area>,
    /// Where the last one asked for was.
    last: usize,
    /// Pages of all.
    total: u64,
}

impl Areas {
    /// The index of the area of a page.
    #[inline]
    pub(super) fn find(&mut self, page: u64) -> Option<usize> {
        if self.list.get(self.last).is_some_and(|area| area.pages.contains(page)) {
            return Some(self.last);
        }
        let index = self.first_after(page);
        if !self.list.get(index)?.pages.contains(page) {
            return None;
        }
        self.last = index;
        Some(index)
    }

    /// The index of the first area that ends behind a page.
    pub(super) fn first_after(&self, page: u64) -> usize {
        self.list.partition_point(|area| area.pages.end <= page)
    }

    pub(super) fn get(&self, index: usize) -> Option<&Area> {
        self.list.get(index)
    }

    pub(super) fn list(&self) -> &[Area] {
        &self.list
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Pages of all areas.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Those that overlap a range.
    pub(super) fn within(&self, pages: Pages) -> &[Area] {
        let first = self.first_after(pages.start);
        let count = self.list[first..].partition_point(|area| area.pages.start < pages.end);
        &self.list[first..first + count]
    }

    /// Whether every page of a range is in an area.
    pub(super) fn cover(&self, pages: Pages) -> bool {
        let mut next = pages.start;
        for area in self.within(pages) {
            if area.pages.start > next {
                return false;
            }
            next = area.pages.end;
        }
        next >= pages.end
    }

    /// How many areas more there are when a range is cut out of them.
    pub(super) fn cuts(&self, pages: Pages) -> usize {
        let inside = |page| {
            self.list
                .get(self.first_after(page))
                .is_some_and(|area| area.pages.start < page && page < area.pages.end)
        };
        usize::from(inside(pages.start)) + usize::from(inside(pages.end))
    }

    /// Puts an area where there is none, one with its neighbours if it can be. Its reference to
    /// its source is counted.
    pub(super) fn insert(&mut self, area: Area, hold: &mut dyn FnMut(Source, Held)) {
        let index = self.first_after(area.pages.start);
        debug_assert!(self.within(area.pages).is_empty());
        hold(area.source, Held::More);
        self.total += area.pages.len();
        self.list.insert(index, area);
        self.merge(index + 1, hold);
        self.merge(index, hold);
        self.last = 0;
    }

    /// Takes a range out of all areas.
    pub(super) fn remove(&mut self, pages: Pages, hold: &mut dyn FnMut(Source, Held)) {
        if pages.is_empty() {
            return;
        }
        self.split(pages.start, hold);
        self.split(pages.end, hold);
        let first = self.first_after(pages.start);
        let count = self.within(pages).len();
        for area in self.list.drain(first..first + count) {
            self.total -= area.pages.len();
            hold(area.source, Held::Less);
        }
        self.last = 0;
    }

    /// Gives the areas of a range other rights.
    pub(super) fn protect(
        &mut self,
        pages: Pages,
        rights: Rights,
        hold: &mut dyn FnMut(Source, Held),
    ) {
        if pages.is_empty() {
            return;
        }
        self.split(pages.start, hold);
        self.split(pages.end, hold);
        let first = self.first_after(pages.start);
        let count = self.within(pages).len();
        for area in &mut self.list[first..first + count] {
            area.rights = rights;
        }
        for index in (first..=first + count).rev() {
            self.merge(index, hold);
        }
        self.last = 0;
    }

    /// Lets the stack at an index begin at a lower page, which no area has.
    pub(super) fn grow_down(&mut self, index: usize, start: u64) {
        let area = &mut self.list[index];
        self.total += area.pages.start - start;
        area.pages.start = start;
    }

    /// The highest `count` pages in a range that no area has. Below a stack, `gap` pages stay
    /// free.
    pub(super) fn gap(&self, count: u64, within: Pages, gap: u64) -> Option<Pages> {
        let mut end = within.end;
        for area in self.list.iter().rev() {
            if area.pages.end <= end
                && let Some(start) = end.checked_sub(count)
                && start >= area.pages.end.max(within.start)
            {
                return Some(Pages { start, end });
            }
            let guard = if area.grows_down { gap } else { 0 };
            end = end.min(area.pages.start.saturating_sub(guard));
        }
        let start = end.checked_sub(count)?;
        (start >= within.start).then_some(Pages { start, end })
    }

    /// Makes a page the first of its area.
    fn split(&mut self, page: u64, hold: &mut dyn FnMut(Source, Held)) {
        let index = self.first_after(page);
        let Some(area) = self.list.get(index).copied() else { return };
        if area.pages.start < page {
            hold(area.source, Held::More);
            self.list[index] = area.part(Pages { start: 0, end: page });
            self.list.insert(index + 1, area.part(Pages { start: page, end: u64::MAX }));
        }
    }

    /// Makes an area one with the one before it, if it can be.
    fn merge(&mut self, index: usize, hold: &mut dyn FnMut(Source, Held)) {
        let Some(before) = index.checked_sub(1) else { return };
        let Some(area) = self.list.get(index) else { return };
        if self.list[before].goes_on_as(area) {
            hold(area.source, Held::Less);
            self.list[before].pages.end = area.pages.end;
            self.list.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::area::FileId;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    const END: u64 = 64;

    #[derive(Clone, Debug)]
    enum Step {
        Map(Pages, Rights, Option<u64>),
        Remove(Pages),
        Protect(Pages, Rights),
    }

    fn step() -> impl Strategy<Value = Step> {
        let pages = (0..END, 1..12u64)
            .prop_map(|(start, length)| Pages { start, end: (start + length).min(END) });
        let rights = (0..8u8).prop_map(Rights::from_bits_truncate);
        prop_oneof![
            (pages.clone(), rights.clone(), prop::option::of(0..2u64))
                .prop_map(|(pages, rights, file)| Step::Map(pages, rights, file)),
            pages.clone().prop_map(Step::Remove),
            (pages, rights).prop_map(|(pages, rights)| Step::Protect(pages, rights)),
        ]
    }

    type Byte = (Rights, Option<(u64, u64)>);

    fn check(areas: &Areas, model: &BTreeMap<u64, Byte>, held: i64) {
        let mut seen = BTreeMap::new();
        for area in areas.list() {
            assert!(!area.pages.is_empty());
            for page in area.pages.range() {
                let file = match area.source {
                    Source::File { file, .. } => Some((file.0, area.index_of(page))),
                    _ => None,
                };
                assert_eq!(seen.insert(page, (area.rights, file)), None);
            }
        }
        assert_eq!(&seen, model);
        assert_eq!(areas.total(), model.len() as u64);
        assert_eq!(held, areas.len() as i64);
        assert!(areas.list().windows(2).all(|pair| pair[0].pages.end <= pair[1].pages.start));
        assert!(areas.list().windows(2).all(|pair| !pair[0].goes_on_as(&pair[1])));
    }

    proptest! {
        #[test]
        fn areas_are_a_map_from_page_to_sort(steps in prop::collection::vec(step(), 1..60)) {
            let mut areas = Areas::default();
            let mut model: BTreeMap<u64, Byte> = BTreeMap::new();
            let mut held = 0;
            let mut hold = |_, change| held += if change == Held::More { 1 } else { -1 };
            for step in steps {
                match step {
                    Step::Map(pages, rights, file) => {
                        let source = file.map_or(Source::Anonymous, |file| {
                            Source::File { file: FileId(file), index: pages.start }
                        });
                        let before = areas.len();
                        let cuts = areas.cuts(pages);
                        let inside = areas.within(pages).len();
                        areas.remove(pages, &mut hold);
                        prop_assert_eq!(areas.len(), before + cuts - inside);
                        areas.insert(Area {
                            pages, rights, most: Rights::all(), source, shared: false,
                            grows_down: false,
                        }, &mut hold);
                        for page in pages.range() {
                            model.insert(page, (rights, file.map(|file| (file, page))));
                        }
                    }
                    Step::Remove(pages) => {
                        areas.remove(pages, &mut hold);
                        model.retain(|page, _| !pages.contains(*page));
                    }
                    Step::Protect(pages, rights) => {
                        let covered = pages.range().all(|page| model.contains_key(&page));
                        prop_assert_eq!(areas.cover(pages), covered);
                        areas.protect(pages, rights, &mut hold);
                        for page in pages.range() {
                            if let Some(there) = model.get_mut(&page) {
                                there.0 = rights;
                            }
                        }
                    }
                }
                for page in 0..END {
                    let found = areas.find(page).is_some();
                    prop_assert_eq!(found, model.contains_key(&page));
                }
            }
            check(&areas, &model, held);
            for count in 1..20 {
                let free = |start: u64| {
                    (start..start + count).all(|page| !model.contains_key(&page))
                };
                let expected = (4..=END - count).rev().find(|start| free(*start));
                let found = areas.gap(count, Pages { start: 4, end: END }, 0);
                prop_assert_eq!(found.map(|pages| pages.start), expected);
            }
        }
    }

    #[test]
    fn below_a_stack_there_is_a_gap() {
        let mut areas = Areas::default();
        let stack = Area {
            pages: Pages { start: 50, end: 60 },
            rights: Rights::READ | Rights::WRITE,
            most: Rights::all(),
            source: Source::Anonymous,
            shared: false,
            grows_down: true,
        };
        areas.insert(stack, &mut |_, _| ());
        let within = Pages { start: 0, end: 60 };
        assert_eq!(areas.gap(5, within, 10), Some(Pages { start: 35, end: 40 }));
        assert_eq!(areas.gap(41, within, 10), None);
    }
}
