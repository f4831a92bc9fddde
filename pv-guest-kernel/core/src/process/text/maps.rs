//! The areas of a process's memory: `/proc/<pid>/maps`.

use crate::{
    PAGE, Platform,
    fs::{Errno, FileSystem, Ino, Node},
    memory::{Area, Rights, Source},
    process::Process,
};
use alloc::{format, vec::Vec};

/// Where the name of an area begins in its line.
const NAME: usize = 73;

/// A line for each area.
///
/// # Errors
/// `ENOMEM`, when it is more than all that is open of `/proc` may be: a name is as long as a
/// process likes, and so are the lines of all areas.
pub fn maps<P: Platform>(process: &Process<P>, fs: &FileSystem) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    let Some(space) = &process.space else { return Ok(text) };
    for area in space.areas() {
        let start = text.len();
        let range = area.pages.addresses();
        let right = |right, letter| if area.rights.contains(right) { letter } else { '-' };
        let (read, write) = (right(Rights::READ, 'r'), right(Rights::WRITE, 'w'));
        let (execute, shared) = (right(Rights::EXECUTE, 'x'), if area.shared { 's' } else { 'p' });
        let (offset, device, inode) = match area.source {
            Source::Anonymous => (0, 0, 0),
            Source::File { file, index } => (index * PAGE as u64, 1, Ino::from(file).number()),
            Source::Shared { object, index } => (index * PAGE as u64, 0, object.0),
        };
        let line = format!(
            "{:08x}-{:08x} {read}{write}{execute}{shared} {offset:08x} 00:{device:02x} {inode}",
            range.start, range.end
        );
        text.extend_from_slice(line.as_bytes());
        let name = name(process, fs, area, space.heap());
        if !name.is_empty() {
            // At least one space is between them.
            text.resize(text.len().max(start + NAME - 1) + 1, b' ');
            text.extend_from_slice(&name);
        }
        text.push(b'\n');
        if text.len() > fs.limits().snapshot_bytes {
            return Err(Errno::ENOMEM);
        }
    }
    Ok(text)
}

fn name<P: Platform>(
    process: &Process<P>,
    fs: &FileSystem,
    area: &Area,
    heap: (u64, u64),
) -> Vec<u8> {
    let range = area.pages.addresses();
    match area.source {
        Source::File { file, .. } => {
            let path = fs.path_of(Node::Inode(Ino::from(file)));
            // A line is a line, whatever names a process makes.
            let line = |path: Vec<u8>| {
                path.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\\012"[..])
            };
            // Linux has the code by which a signal handler returns in its `vdso`.
            let is_code_of_ours = range.contains(&process.image.trampoline);
            let nameless = if is_code_of_ours { "[vdso]" } else { "(deleted)" };
            path.map_or_else(|_| nameless.into(), line)
        }
        Source::Shared { .. } => b"/dev/zero (deleted)".to_vec(),
        Source::Anonymous if range.contains(&process.image.stack) => b"[stack]".to_vec(),
        Source::Anonymous if heap.0 < range.end && range.start < heap.1 => b"[heap]".to_vec(),
        Source::Anonymous => Vec::new(),
    }
}
