//! Entries of directories: `struct linux_dirent64`, and the older `struct linux_dirent`.

use crate::fs::Entry;
use alloc::vec::Vec;

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DirentKind {
    /// Of `getdents64`: the type comes before the name.
    New,
    /// Of `getdents`: the type is the last byte.
    Old,
}

/// Where the name is in an entry of `getdents64`; in one of `getdents` it is a byte before.
pub const DIRENT_NAME: usize = 19;

/// Appends an entry if it fits into `room` bytes with what is there. Whether it did.
pub fn dirent(kind: DirentKind, entry: &Entry<'_>, to: &mut Vec<u8>, room: usize) -> bool {
    // Either way a name has 20 bytes beside it: its zero byte is one of them.
    let length = (DIRENT_NAME + 1 + entry.name.len()).next_multiple_of(8);
    let start = to.len();
    if room - start < length {
        return false;
    }
    to.extend_from_slice(&entry.ino.to_le_bytes());
    to.extend_from_slice(&entry.next.to_le_bytes());
    to.extend_from_slice(&(length as u16).to_le_bytes());
    if kind == DirentKind::New {
        to.push(entry.kind.entry_type());
    }
    to.extend_from_slice(entry.name);
    to.resize(start + length, 0);
    if kind == DirentKind::Old {
        to[start + length - 1] = entry.kind.entry_type();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{super::u64_at, *};
    use crate::fs::FileType;

    #[test]
    fn entries_follow_one_another_while_they_fit() {
        let entry = |name| Entry { ino: 7, next: 9, kind: FileType::Directory, name };
        let mut to = Vec::new();
        assert!(dirent(DirentKind::New, &entry(b"abcd"), &mut to, 56));
        assert!(dirent(DirentKind::Old, &entry(b"abcde"), &mut to, 56));
        assert!(!dirent(DirentKind::New, &entry(b"x"), &mut to, 56));
        assert_eq!(to.len(), 56);
        let (new, old) = to.split_at(24);
        assert_eq!((u64_at(new, 0), u64_at(new, 8), &new[16..18]), (7, 9, &[24, 0][..]));
        assert_eq!(&new[18..], b"\x04abcd\0");
        assert_eq!((u64_at(old, 0), u64_at(old, 8), &old[16..18]), (7, 9, &[32, 0][..]));
        assert_eq!(&old[18..], b"abcde\0\0\0\0\0\0\0\0\x04");
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn the_name_is_where_the_c_library_has_it() {
        assert_eq!(core::mem::offset_of!(libc::dirent64, d_name), DIRENT_NAME);
        assert_eq!(core::mem::offset_of!(libc::dirent64, d_reclen), 16);
        assert_eq!(core::mem::offset_of!(libc::dirent64, d_type), 18);
    }
}
