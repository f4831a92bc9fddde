//! The first file system, from a cpio archive in the `newc` format: [`unpack`].
//!
//! An archive is not trusted: it is taken whole or refused whole, with the entry and the rule
//! ([`Refused`]). Names are followed by directories only: an archive that makes a symbolic link
//! and then a name below it would otherwise write where the link leads. Archives may be put one
//! behind the other, as Linux allows of its initial file systems.

use super::{
    DeviceNumber, Errno, FileSystem, FileType, Ino, Limits, NAME_MAX, PATH_MAX, Storage, Time,
    content::FileContent, directory::Directory, inode::Content, pipe::Pipe, space::entry_bytes,
};
use crate::PAGE;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;
use xxhash_rust::xxh64::xxh64;

const MAGIC: &[u8] = b"070701";
const TRAILER: &[u8] = b"TRAILER!!!";
/// Bytes of a header: the magic and thirteen numbers of eight digits.
const HEADER: usize = 6 + 13 * 8;
/// Entries start at multiples of this, and so does content.
const ALIGN: usize = 4;

macro_rules! rules {
    ($($rule:ident = $meaning:literal,)*) => {
        /// Why an archive is refused.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Rule {
            $(#[doc = $meaning] $rule,)*
            /// The file system has no room for it.
            Room(Errno),
        }

        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$rule => f.write_str($meaning),)*
                    Self::Room(errno) => {
                        write!(f, "does not fit ({errno}): make it smaller, or give the kernel more memory")
                    }
                }
            }
        }
    };
}

rules! {
    Truncated = "the archive ends before its trailer: it is cut off; copy it whole",
    Magic = "is not in the newc format: write the archive with `cpio -o -H newc`",
    Number = "has a number that is not hexadecimal: the archive is damaged",
    NameEnd = "has a name that ends behind the archive: it is cut off or damaged",
    NameForm = "has a name without exactly one zero byte, at its end: it is damaged",
    NameEmpty = "has no name: name it",
    NameLong = "has a name of more than 4095 bytes, or 255 in one part: shorten it",
    Absolute = "has a name from the root: write names without a first `/`",
    DotDot = "has `..` in its name: write names that stay below the root",
    ContentEnd = "has content that ends behind the archive: it is cut off or damaged",
    Type = "is no file, directory, symbolic link, FIFO or character device: leave it out",
    Target = "is a symbolic link that says nothing, too much, or a zero byte: mend or omit it",
    Content = "has content, but its type has none: the archive is damaged",
    Parent = "is in what is no directory, or comes before it: put directories first",
    Twice = "was there before: name it once",
}

/// An archive that was not unpacked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Which entry, from 1.
    pub entry: usize,
    /// Its name, as far as it could be read.
    pub name: Vec<u8>,
    /// Where it begins.
    pub offset: usize,
    /// Why.
    pub rule: Rule,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.name);
        let Self { entry, offset, rule, .. } = self;
        write!(f, "cpio archive: entry {entry} {name:?} at byte {offset} {rule}")
    }
}

impl core::error::Error for Refused {}

/// A file system with what is in an archive.
///
/// # Errors
/// [`Refused`]; all pages are given back.
pub fn unpack(
    archive: &[u8],
    limits: Limits,
    storage: &mut dyn Storage,
) -> Result<FileSystem, Refused> {
    let mut unpacking = Unpacking {
        fs: FileSystem::new(limits),
        linked: BTreeMap::new(),
        times: Vec::new(),
        storage,
    };
    match unpacking.all(archive) {
        Ok(()) => Ok(unpacking.finish()),
        Err(refused) => {
            unpacking.fs.dispose(unpacking.storage);
            Err(refused)
        }
    }
}

/// One entry, as the archive has it.
struct Record<'a> {
    /// Inode and device: entries that agree are one file.
    identity: (u32, u32, u32),
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: u32,
    number: DeviceNumber,
    name: &'a [u8],
    content: &'a [u8],
    end: usize,
}

/// A number for what is in a page of a file, not 0. Whoever compares pages by it compares them in full
/// afterwards.
fn content_number(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0).max(1)
}

/// The part of an archive from a place on, if it is that long.
fn part(archive: &[u8], from: usize, length: usize) -> Option<&[u8]> {
    archive.get(from..from.checked_add(length)?)
}

impl<'a> Record<'a> {
    fn parse(archive: &'a [u8], offset: usize) -> Result<Self, (&'a [u8], Rule)> {
        let none: &[u8] = b"";
        let magic = part(archive, offset, MAGIC.len()).ok_or((none, Rule::Truncated))?;
        if magic != MAGIC {
            return Err((none, Rule::Magic));
        }
        let header = part(archive, offset, HEADER).ok_or((none, Rule::Truncated))?;
        let mut numbers = [0; 13];
        for (number, digits) in numbers.iter_mut().zip(header[MAGIC.len()..].chunks_exact(8)) {
            *number = hexadecimal(digits).ok_or((none, Rule::Number))?;
        }
        let [ino, mode, uid, gid, links, mtime, size, major, minor, of_major, of_minor, length, _] =
            numbers;
        let from = offset + HEADER;
        if length as usize > PATH_MAX {
            return Err((none, Rule::NameLong));
        }
        let name = part(archive, from, length as usize).ok_or((none, Rule::NameEnd))?;
        let name = match name {
            [name @ .., 0] if !name.contains(&0) => name,
            _ => return Err((none, Rule::NameForm)),
        };
        let from = (from + length as usize).next_multiple_of(ALIGN);
        let content = part(archive, from, size as usize).ok_or((name, Rule::ContentEnd))?;
        Ok(Self {
            identity: (major, minor, ino),
            mode,
            uid,
            gid,
            links,
            mtime,
            number: DeviceNumber { major: of_major, minor: of_minor },
            name,
            content,
            end: (from + size as usize).next_multiple_of(ALIGN),
        })
    }

    /// What the entry makes; `None` for a directory that is there already.
    fn content(&self) -> Result<Content, Rule> {
        let kind = [
            FileType::File,
            FileType::Directory,
            FileType::Symlink,
            FileType::Fifo,
            FileType::Device,
        ]
        .into_iter()
        .find(|kind| kind.mode_bits() == self.mode & FileType::MASK)
        .ok_or(Rule::Type)?;
        let text = self.content;
        match kind {
            FileType::File => return Ok(Content::File(FileContent::default())),
            FileType::Symlink if text.is_empty() || text.len() >= PATH_MAX || text.contains(&0) => {
                return Err(Rule::Target);
            }
            FileType::Symlink => return Ok(Content::Symlink(text.into())),
            _ if !text.is_empty() => return Err(Rule::Content),
            _ => {}
        }
        Ok(match kind {
            FileType::Fifo => Content::Fifo(Pipe::default()),
            FileType::Device => Content::Device(self.number),
            _ => Content::Directory(Directory::new()),
        })
    }
}

/// Eight hexadecimal digits; no sign, no space.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value: u32, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

struct Unpacking<'a> {
    fs: FileSystem,
    /// Files of several names, by what the archive calls them.
    linked: BTreeMap<(u32, u32, u32), Ino>,
    /// Times of directories: what is put into one changes its own.
    times: Vec<(Ino, Time)>,
    storage: &'a mut dyn Storage,
}

impl Unpacking<'_> {
    fn all(&mut self, archive: &[u8]) -> Result<(), Refused> {
        let (mut offset, mut entry, mut ended) = (0, 0, false);
        loop {
            if ended {
                // What pads an archive, and what may follow it.
                let rest = archive.get(offset..).unwrap_or(&[]);
                let Some(zeros) = rest.iter().position(|&byte| byte != 0) else { return Ok(()) };
                offset += zeros;
                // Files of another archive have numbers of their own.
                self.linked.clear();
            }
            entry += 1;
            let refused = |name: &[u8], rule| Refused { entry, name: name.to_vec(), offset, rule };
            let record =
                Record::parse(archive, offset).map_err(|(name, rule)| refused(name, rule))?;
            ended = record.name == TRAILER;
            if !ended {
                self.entry(&record).map_err(|rule| refused(record.name, rule))?;
            }
            offset = record.end;
        }
    }

    fn entry(&mut self, record: &Record<'_>) -> Result<(), Rule> {
        let made = record.content()?;
        let is_directory = matches!(made, Content::Directory(_));
        let (directory, name) = self.place(record.name)?;
        let there = match name {
            b"" => Some(directory),
            name => self.fs.entries(directory).find(name),
        };
        let linked = record.links > 1 && matches!(made, Content::File(_));
        let ino = match there {
            Some(ino) if is_directory && self.is_directory(ino) => ino,
            Some(_) => return Err(Rule::Twice),
            None => match self.linked.get(&record.identity).filter(|_| linked) {
                Some(&ino) => {
                    self.fs.space.take_name(entry_bytes(name)).map_err(Rule::Room)?;
                    self.fs.entries(directory).insert(name, ino);
                    self.fs.inodes[ino].links += 1;
                    ino
                }
                None => self
                    .fs
                    .make((record.uid, record.gid), directory, name, made, 0)
                    .map_err(Rule::Room)?,
            },
        };
        if linked {
            self.linked.insert(record.identity, ino);
        }
        let time = Time { seconds: record.mtime.into(), nanoseconds: 0 };
        let inode = &mut self.fs.inodes[ino];
        inode.mode = record.mode & 0o7777;
        (inode.uid, inode.gid) = (record.uid, record.gid);
        inode.set_times(time);
        if is_directory {
            self.times.push((ino, time));
        }
        let Content::File(content) = &mut inode.content else { return Ok(()) };
        if !record.content.is_empty() {
            // Another entry of the same file may have had content: the last one counts.
            content.free(self.storage, &mut self.fs.space);
        }
        let mut done = 0;
        while done < record.content.len() {
            let rest = &record.content[done..];
            let written = content.write(done as u64, rest, self.storage, &mut self.fs.space);
            done += written.map_err(Rule::Room)?;
        }
        if self.storage.names_content() {
            for (number, page) in content.numbered_pages() {
                let from = record.content.len().min(number as usize * PAGE);
                let to = record.content.len().min(from + PAGE);
                self.storage.name_content(page, content_number(&record.content[from..to]));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> FileSystem {
        for (directory, time) in self.times {
            self.fs.inodes[directory].set_times(time);
        }
        self.fs
    }

    /// The directory of a name, and its last part; none for the root.
    fn place<'n>(&mut self, name: &'n [u8]) -> Result<(Ino, &'n [u8]), Rule> {
        if name.is_empty() {
            return Err(Rule::NameEmpty);
        }
        if name[0] == b'/' {
            return Err(Rule::Absolute);
        }
        let (mut directory, mut last): (Ino, &[u8]) = (self.fs.root, b"");
        for part in name.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
            if part == b".." {
                return Err(Rule::DotDot);
            }
            if part.len() > NAME_MAX {
                return Err(Rule::NameLong);
            }
            if !last.is_empty() {
                let next = self.fs.entries(directory).find(last).ok_or(Rule::Parent)?;
                if !self.is_directory(next) {
                    return Err(Rule::Parent);
                }
                directory = next;
            }
            last = part;
        }
        Ok((directory, last))
    }

    fn is_directory(&self, ino: Ino) -> bool {
        matches!(self.fs.inodes[ino].content, Content::Directory(_))
    }
}
