//! Memory that processes share without a file: [`SharedObjects`].
//!
//! A page of it is made when it is first touched, and stays until no area maps the object any
//! more. It is not swapped: its uses are not told apart by process.

use super::{
    Frames, Kind, SharedId,
    entry::{Entry, State},
    leaf::Leaves,
    pages::PageMap,
};
use crate::{NoPage, Pfn, Platform};
use alloc::collections::BTreeMap;

#[derive(Debug)]
struct Object {
    areas: u64,
    pages: PageMap,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct SharedObjects {
    objects: BTreeMap<SharedId, Object>,
    next: u64,
}

impl SharedObjects {
    /// A new one, which no area maps yet.
    pub(super) fn create(&mut self) -> SharedId {
        let id = SharedId(self.next);
        self.next += 1;
        self.objects.insert(id, Object { areas: 0, pages: PageMap::default() });
        id
    }

    /// An area more maps it.
    pub(super) fn keep(&mut self, id: SharedId) {
        self.object(id).areas += 1;
    }

    /// An area less maps it; behind the last, its pages come back.
    pub(super) fn release(&mut self, id: SharedId, frames: &mut Frames, leaves: &mut Leaves) {
        let object = self.object(id);
        object.areas -= 1;
        if object.areas == 0 {
            object.pages.drain(leaves, |entry| {
                if let State::Present(page) = entry.state() {
                    frames.give(page);
                }
            });
            self.objects.remove(&id);
        }
    }

    /// A page of it, which is made if need be.
    ///
    /// # Errors
    /// [`NoPage`].
    pub(super) fn page<P: Platform>(
        &mut self,
        id: SharedId,
        index: u64,
        platform: &mut P,
        frames: &mut Frames,
        leaves: &mut Leaves,
    ) -> Result<Pfn, NoPage> {
        let pages = &mut self.object(id).pages;
        if let State::Present(page) = pages.get(index).state() {
            return Ok(page);
        }
        pages.reserve(index, leaves)?;
        let Ok(page) = frames.take(Kind::Shared) else {
            pages.prune(index..index + 1, leaves);
            return Err(NoPage);
        };
        platform.clear(page);
        pages.set(index, Entry::hidden(page));
        Ok(page)
    }

    /// Every page of every one.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.objects.values().flat_map(|object| object.pages.iter().map(|(_, entry)| entry))
    }

    /// How many areas map each.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn areas(&self) -> BTreeMap<SharedId, u64> {
        self.objects.iter().map(|(id, object)| (*id, object.areas)).collect()
    }

    fn object(&mut self, id: SharedId) -> &mut Object {
        self.objects.get_mut(&id).expect("an area keeps its shared object")
    }
}
