//! A heap in memory that the caller lends: whose page comes next.

use super::Price;

/// A guest's next page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub price: Price,
    pub guest: usize,
}

/// Which of two pages comes first.
pub(super) type Before = fn(&Entry, &Entry) -> bool;

/// The cheapest first; of two at one price, the guest's with the lower number.
pub(super) fn cheapest(a: &Entry, b: &Entry) -> bool {
    (a.price, a.guest) < (b.price, b.guest)
}

/// The dearest first; the other way round throughout.
pub(super) fn dearest(a: &Entry, b: &Entry) -> bool {
    cheapest(b, a)
}

/// Puts entries into the order of a heap.
pub(super) fn arrange<T: Entries + ?Sized>(heap: &mut T, length: usize, before: Before) {
    for index in (0..length / 2).rev() {
        sink(heap, length, index, before);
    }
}

/// Moves an entry down to where it belongs.
pub(super) fn sink<T: Entries + ?Sized>(
    heap: &mut T,
    length: usize,
    mut index: usize,
    before: Before,
) {
    loop {
        let mut first = index;
        for child in [2 * index + 1, 2 * index + 2] {
            if child < length && before(&heap.entry(child), &heap.entry(first)) {
                first = child;
            }
        }
        if first == index {
            return;
        }
        heap.exchange(index, first);
        index = first;
    }
}

/// Where the entries lie.
pub(super) trait Entries {
    /// The entry at that index.
    fn entry(&self, index: usize) -> Entry;
    /// Exchanges two.
    fn exchange(&mut self, a: usize, b: usize);
}
