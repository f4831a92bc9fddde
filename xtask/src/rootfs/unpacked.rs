//! An archive as the guest kernel unpacks it: the kernel's own code, over pages of the host's.

use anyhow::{Result, anyhow};
use kernel_core::fs::{At, Caller, FileSystem, Follow, Limits, OpenFlags, Stat, Storage, cpio};
use kernel_core::{PAGE, Pfn};

/// Pages of a guest with the least memory that runs programs: 32 MiB.
const PAGES: usize = 8192;

/// A file system that was unpacked.
pub struct Unpacked {
    fs: FileSystem,
    pages: Pages,
}

#[derive(Default)]
struct Pages {
    all: Vec<[u8; PAGE]>,
    free: Vec<Pfn>,
}

impl Pages {
    fn page(&mut self, page: Pfn) -> &mut [u8; PAGE] {
        &mut self.all[page.0 as usize]
    }
}

impl Storage for Pages {
    fn take(&mut self) -> Option<Pfn> {
        self.free.pop().or_else(|| {
            let new = Pfn(self.all.len() as u64);
            (self.all.len() < PAGES).then(|| {
                self.all.push([0; PAGE]);
                new
            })
        })
    }

    fn give(&mut self, page: Pfn) {
        self.free.push(page);
    }

    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.all[page.0 as usize][offset..][..to.len()]);
    }

    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        self.page(page)[offset..][..from.len()].copy_from_slice(from);
    }

    fn clear(&mut self, page: Pfn) {
        self.page(page).fill(0);
    }

    fn random(&mut self, to: &mut [u8]) {
        to.fill(0);
    }
}

impl Unpacked {
    /// Unpacks an archive, and adds what the kernel adds.
    pub fn new(archive: &[u8]) -> Result<Unpacked> {
        let mut pages = Pages::default();
        let mut fs = cpio::unpack(archive, Limits::default(), &mut pages)
            .map_err(|refused| anyhow!("the guest kernel refuses it: {refused}"))?;
        fs.set_up().map_err(|errno| anyhow!("the guest kernel cannot set it up: {errno}"))?;
        Ok(Unpacked { fs, pages })
    }

    fn at<'a>(path: &'a str, fs: &FileSystem) -> At<'a> {
        At { start: fs.root(), path: path.as_bytes() }
    }

    /// What is at a path.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        let node = self
            .fs
            .find(&Caller::KERNEL, Self::at(path, &self.fs), Follow::Yes)
            .map_err(|errno| anyhow!("{path}: {errno}"))?;
        Ok(self.fs.stat(&Caller::KERNEL, node))
    }

    /// What a file holds.
    pub fn content(&mut self, path: &str) -> Result<Vec<u8>> {
        let size = self.stat(path)?.size as usize;
        let at = Self::at(path, &self.fs);
        let opened = self
            .fs
            .open(&Caller::KERNEL, at, OpenFlags::empty(), 0, &mut self.pages)
            .map_err(|errno| anyhow!("{path}: {errno}"))?;
        let mut content = vec![0; size];
        let mut done = 0;
        while done < size {
            let read = self.fs.read(opened.description, &mut content[done..], &mut self.pages);
            match read.map_err(|stop| anyhow!("{path}: {stop:?}"))? {
                0 => break,
                more => done += more,
            }
        }
        self.fs.close(opened.description, &mut self.pages);
        content.truncate(done);
        Ok(content)
    }
}
