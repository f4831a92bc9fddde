//! What the memory of processes should be: a map from page to content for each of them, with
//! nothing of frames, tables or swapping in it.

use crate::world::{LIMITS, PAGE_BYTES};
use kernel_core::{
    Access,
    memory::{Fault, Pages, Rights},
};
use std::collections::BTreeMap;

/// Content of a page: the bytes that were written, over one that all others have.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub base: u8,
    pub written: BTreeMap<u64, u8>,
}

impl Content {
    fn get(&self, offset: u64) -> u8 {
        self.written.get(&offset).copied().unwrap_or(self.base)
    }
}

/// Memory that several may see: a page of a file, or of a shared mapping.
pub type Common = (bool, u64, u64);

#[derive(Clone, Debug)]
pub enum What {
    /// Its own; before it was written, a page of a file or zeros.
    Private(Option<Common>, Option<Content>),
    Shared(Common),
}

#[derive(Clone, Debug)]
pub struct Page {
    pub rights: Rights,
    pub writable: bool,
    pub what: What,
}

#[derive(Clone, Debug, Default)]
pub struct Process {
    pub pages: BTreeMap<u64, Page>,
    /// The lowest page of its stack, and the one behind the highest.
    pub stack: Pages,
    pub heap_end: u64,
}

#[derive(Default)]
pub struct Contents {
    pub processes: Vec<Process>,
    pub common: BTreeMap<Common, Content>,
    /// Pages of each file.
    pub files: BTreeMap<u64, u64>,
}

impl Contents {
    /// What becomes of touching an address.
    pub fn touch(&mut self, who: usize, address: u64, access: Access) -> Result<(), Fault> {
        let number = address / PAGE_BYTES;
        let process = &mut self.processes[who];
        let stack = process.stack;
        let below = process.pages.range(..stack.start).next_back();
        let floor = below.map_or(64, |(page, _)| page + 1 + LIMITS.stack_gap);
        if !stack.is_empty()
            && number < stack.start
            && number >= floor
            && number + LIMITS.stack >= stack.end
        {
            let page = process.pages[&stack.start].clone();
            let fresh = Page { what: What::Private(None, None), ..page };
            for grown in number..stack.start {
                process.pages.insert(grown, fresh.clone());
            }
            process.stack.start = number;
        }
        let page = process.pages.get(&number).ok_or(Fault::NotMapped)?;
        if !page.rights.allow(access) {
            return Err(Fault::NotAllowed);
        }
        match page.what {
            What::Shared((true, file, index)) | What::Private(Some((_, file, index)), None)
                if index >= self.files[&file] =>
            {
                Err(Fault::Bus)
            }
            _ => Ok(()),
        }
    }

    pub fn load(&self, who: usize, address: u64) -> u8 {
        let common = |of| self.common.get(of).map_or(0, |page| page.get(address % PAGE_BYTES));
        match &self.processes[who].pages[&(address / PAGE_BYTES)].what {
            What::Private(_, Some(content)) => content.get(address % PAGE_BYTES),
            What::Private(Some(of), None) | What::Shared(of) => common(of),
            What::Private(None, None) => 0,
        }
    }

    pub fn store(&mut self, who: usize, address: u64, byte: u8) {
        let page = self.processes[who].pages.get_mut(&(address / PAGE_BYTES)).unwrap();
        let content = match &mut page.what {
            What::Private(_, Some(content)) => content,
            What::Private(of, content) => {
                let before = of.and_then(|of| self.common.get(&of)).cloned();
                content.insert(before.unwrap_or_default())
            }
            What::Shared(of) => self.common.entry(*of).or_default(),
        };
        content.written.insert(address % PAGE_BYTES, byte);
    }

    pub fn covers(&self, who: usize, pages: Pages) -> bool {
        (pages.start..pages.end).all(|page| self.processes[who].pages.contains_key(&page))
    }

    pub fn of(&mut self, who: usize, pages: Pages) -> impl Iterator<Item = &mut Page> {
        self.processes[who].pages.range_mut(pages.start..pages.end).map(|(_, page)| page)
    }

    pub fn unmap(&mut self, who: usize, pages: Pages) {
        self.processes[who].pages.retain(|page, _| !pages.contains(*page));
    }
}
