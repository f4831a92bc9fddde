//! A directory: names of inodes, in an order that stays while names come and go.

use super::inode::Ino;
use alloc::{collections::BTreeMap, sync::Arc};

/// The place of the first entry in the order: `.` and `..` are before it.
pub(super) const FIRST: u64 = 2;

/// Each entry has a place in an order that only grows. Who lists a directory remembers a place,
/// so that an entry that was there throughout is seen exactly once.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    names: BTreeMap<Arc<[u8]>, (u64, Ino)>,
    order: BTreeMap<u64, Arc<[u8]>>,
    next: u64,
}

impl Directory {
    pub fn new() -> Self {
        Self { names: BTreeMap::new(), order: BTreeMap::new(), next: FIRST }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn find(&self, name: &[u8]) -> Option<Ino> {
        self.names.get(name).map(|&(_, ino)| ino)
    }

    /// Adds a name that is not there.
    pub fn insert(&mut self, name: &[u8], ino: Ino) {
        let name: Arc<[u8]> = name.into();
        self.order.insert(self.next, name.clone());
        self.names.insert(name, (self.next, ino));
        self.next += 1;
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some((place, _)) = self.names.remove(name) {
            self.order.remove(&place);
        }
    }

    /// Lets a name that is there mean another inode; it keeps its place.
    pub fn replace(&mut self, name: &[u8], ino: Ino) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.1 = ino;
        }
    }

    /// The first entry at or behind a place, and the place behind it.
    pub fn at(&self, place: u64) -> Option<(u64, &[u8], Ino)> {
        let (place, name) = self.order.range(place..).next()?;
        let (_, ino) = self.names.get(name)?;
        Some((place + 1, name, *ino))
    }

    /// A name of an inode.
    pub fn name_of(&self, ino: Ino) -> Option<&[u8]> {
        self.names.iter().find(|(_, entry)| entry.1 == ino).map(|(name, _)| &**name)
    }
}
