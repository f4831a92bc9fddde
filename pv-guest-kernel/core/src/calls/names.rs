//! Calls that make, change and take away names, and that list them.

use super::{
    Answer, Stop,
    arguments::{CWD, EMPTY_PATH, FOLLOW, NO_FOLLOW, only},
    layout::{self, DirentKind, device_from},
};
use crate::{
    Access, Platform,
    fs::{AT_FDCWD, Errno, FileType, Follow, Make, Node, PATH_MAX, Permission, Pid, RenameFlags},
    kernel::{Files, Kernel},
};
use alloc::vec::Vec;

/// `unlinkat` takes a directory away (`AT_REMOVEDIR`).
const REMOVE_DIRECTORY: u64 = 0x200;

/// `mkdir`.
pub(super) fn mkdir<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, mode, ..]: [u64; 6],
) -> Answer {
    mkdirat(kernel, who, [CWD, path, mode, 0, 0, 0])
}

/// `mkdirat`.
pub(super) fn mkdirat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, ..]: [u64; 6],
) -> Answer {
    let path = kernel.path(who, directory, path)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let at = path.at(fs, &view)?;
    fs.mkdir(&ids.caller(&view), at, mode as u32)?;
    Ok(0)
}

/// `mknod`.
pub(super) fn mknod<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, mode, device, ..]: [u64; 6],
) -> Answer {
    mknodat(kernel, who, [CWD, path, mode, device, 0, 0])
}

/// `mknodat`. Of devices, there are those of characters.
pub(super) fn mknodat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, device, ..]: [u64; 6],
) -> Answer {
    let mode = mode as u32;
    let make = match mode & FileType::MASK {
        0 => Make::File,
        kind if kind == FileType::File.mode_bits() => Make::File,
        kind if kind == FileType::Fifo.mode_bits() => Make::Fifo,
        kind if kind == FileType::Device.mode_bits() => Make::Device(device_from(device)),
        // Blocks and sockets, which Linux knows, and what it does not know either.
        0o060_000 | 0o140_000 | 0o040_000 => return Err(Errno::EPERM.into()),
        _ => return Err(Errno::EINVAL.into()),
    };
    let path = kernel.path(who, directory, path)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let at = path.at(fs, &view)?;
    fs.mknod(&ids.caller(&view), at, make, mode & 0o7777)?;
    Ok(0)
}

/// `unlink`.
pub(super) fn unlink<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, ..]: [u64; 6],
) -> Answer {
    unlinkat(kernel, who, [CWD, path, 0, 0, 0, 0])
}

/// `rmdir`.
pub(super) fn rmdir<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [path, ..]: [u64; 6]) -> Answer {
    unlinkat(kernel, who, [CWD, path, REMOVE_DIRECTORY, 0, 0, 0])
}

/// `unlinkat`.
pub(super) fn unlinkat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, flags, ..]: [u64; 6],
) -> Answer {
    only(flags, REMOVE_DIRECTORY)?;
    let path = kernel.path(who, directory, path)?;
    let Files { fs, ids, view, mut store } = kernel.files(who);
    let (caller, at) = (ids.caller(&view), path.at(fs, &view)?);
    if flags & REMOVE_DIRECTORY == 0 {
        fs.unlink(&caller, at, &mut store)?;
    } else {
        fs.rmdir(&caller, at, &mut store)?;
    }
    Ok(0)
}

/// `rename`.
pub(super) fn rename<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from, to, ..]: [u64; 6],
) -> Answer {
    renameat2(kernel, who, [CWD, from, CWD, to, 0, 0])
}

/// `renameat`.
pub(super) fn renameat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from_directory, from, to_directory, to, ..]: [u64; 6],
) -> Answer {
    renameat2(kernel, who, [from_directory, from, to_directory, to, 0, 0])
}

/// `renameat2`, without exchanging.
pub(super) fn renameat2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from_directory, from, to_directory, to, flags, _]: [u64; 6],
) -> Answer {
    let flags = RenameFlags::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let from = kernel.path(who, from_directory, from)?;
    let to = kernel.path(who, to_directory, to)?;
    let Files { fs, ids, view, mut store } = kernel.files(who);
    let (from, to) = (from.at(fs, &view)?, to.at(fs, &view)?);
    fs.rename(&ids.caller(&view), from, to, flags, &mut store)?;
    Ok(0)
}

/// `link`.
pub(super) fn link<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from, to, ..]: [u64; 6],
) -> Answer {
    linkat(kernel, who, [CWD, from, CWD, to, 0, 0])
}

/// `linkat`, not of a descriptor alone.
pub(super) fn linkat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [from_directory, from, to_directory, to, flags, _]: [u64; 6],
) -> Answer {
    only(flags, FOLLOW | EMPTY_PATH)?;
    let from = kernel.path(who, from_directory, from)?;
    let to = kernel.path(who, to_directory, to)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let (from, to) = (from.at(fs, &view)?, to.at(fs, &view)?);
    let follow = if flags & FOLLOW == 0 { Follow::No } else { Follow::Yes };
    fs.link(&ids.caller(&view), from, follow, to)?;
    Ok(0)
}

/// `symlink`.
pub(super) fn symlink<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [text, path, ..]: [u64; 6],
) -> Answer {
    symlinkat(kernel, who, [text, CWD, path, 0, 0, 0])
}

/// `symlinkat`.
pub(super) fn symlinkat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [text, directory, path, ..]: [u64; 6],
) -> Answer {
    let text = kernel.user(who).string(text, PATH_MAX)?;
    let path = kernel.path(who, directory, path)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let at = path.at(fs, &view)?;
    fs.symlink(&ids.caller(&view), &text, at)?;
    Ok(0)
}

/// `readlink`.
pub(super) fn readlink<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, address, length, ..]: [u64; 6],
) -> Answer {
    readlinkat(kernel, who, [CWD, path, address, length, 0, 0])
}

/// `readlinkat`. What does not fit is cut.
pub(super) fn readlinkat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, address, length, ..]: [u64; 6],
) -> Answer {
    let length = usize::try_from(length as i32).ok().filter(|length| *length > 0);
    let length = length.ok_or(Errno::EINVAL)?;
    let node = kernel.find(who, directory, path, EMPTY_PATH | NO_FOLLOW)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let text = fs.readlink_of(&ids.caller(&view), node)?;
    let text = &text[..text.len().min(length)];
    kernel.write_bytes(who, address, text)?;
    Ok(text.len() as u64)
}

/// `getcwd`.
pub(super) fn getcwd<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, ..]: [u64; 6],
) -> Answer {
    let mut path = kernel.fs.path_of(kernel.caller(who).working)?;
    path.push(0);
    if path.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG.into());
    }
    if (path.len() as u64) > length {
        return Err(Errno::ERANGE.into());
    }
    kernel.write_bytes(who, address, &path)?;
    Ok(path.len() as u64)
}

/// `chdir`.
pub(super) fn chdir<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [path, ..]: [u64; 6]) -> Answer {
    let node = kernel.find(who, AT_FDCWD as u64, path, 0)?;
    work_in(kernel, who, node)
}

/// `fchdir`.
pub(super) fn fchdir<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [fd, ..]: [u64; 6]) -> Answer {
    let node = kernel.fs.node_of(kernel.description(who, fd)?);
    work_in(kernel, who, node)
}

fn work_in<P: Platform>(kernel: &mut Kernel<P>, who: Pid, node: Node) -> Answer {
    let Files { fs, ids, view, .. } = kernel.files(who);
    if fs.kind(node) != FileType::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    fs.permit(&ids.caller(&view), node, Permission::EXECUTE)?;
    fs.hold(node);
    let old = core::mem::replace(&mut kernel.caller_mut(who).working, node);
    let (fs, mut store) = kernel.storage();
    fs.release(old, &mut store);
    Ok(0)
}

/// `chroot`: nobody may. Every process has the same root directory.
pub(super) fn chroot<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, ..]: [u64; 6],
) -> Answer {
    kernel.find(who, CWD, path, 0)?;
    Err(Errno::EPERM.into())
}

/// `getdents64`.
pub(super) fn getdents64<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, ..]: [u64; 6],
) -> Answer {
    list(kernel, who, fd, address, length, DirentKind::New)
}

/// `getdents`.
pub(super) fn getdents<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, length, ..]: [u64; 6],
) -> Answer {
    list(kernel, who, fd, address, length, DirentKind::Old)
}

fn list<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    fd: u64,
    address: u64,
    length: u64,
    kind: DirentKind,
) -> Answer {
    /// Bytes that are listed at once at most.
    const MOST: usize = 32 * 1024;
    let id = kernel.description(who, fd)?;
    let length = (length as u32 as usize).min(MOST);
    // What an empty directory or the end of one gives needs no memory, so this may be less.
    let room = match kernel.reachable(who, address, length, Access::Write) {
        (0, Err(Stop::NoMemory)) => return Err(Stop::NoMemory),
        (room, _) => room,
    };
    let mut entries = Vec::new();
    let mut full = false;
    let Files { fs, view, .. } = kernel.files(who);
    fs.list(id, &view, &mut |entry| {
        let fits = layout::dirent(kind, &entry, &mut entries, room);
        full |= !fits;
        fits
    })?;
    if full && entries.is_empty() {
        let errno = if room < length { Errno::EFAULT } else { Errno::EINVAL };
        return Err(errno.into());
    }
    kernel.user(who).write(address, &entries)?;
    Ok(entries.len() as u64)
}

/// `mount`. What is there already can be mounted again, and nothing else: start scripts mount
/// `/proc`, and make the root directory writable.
pub(super) fn mount<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [_, path, kind, flags, ..]: [u64; 6],
) -> Answer {
    const REMOUNT: u64 = 32;
    const KIND_MAX: usize = 64;
    if !kernel.is_privileged(who) {
        return Err(Errno::EPERM.into());
    }
    let node = kernel.find(who, CWD, path, 0)?;
    let kind = if kind == 0 { Vec::new() } else { kernel.user(who).string(kind, KIND_MAX)? };
    let proc = node == Node::Proc(crate::fs::ProcNode::Root);
    if flags & REMOUNT != 0 {
        let mounted = proc || node == kernel.fs.root();
        return if mounted { Ok(0) } else { Err(Errno::EINVAL.into()) };
    }
    match kind.as_slice() {
        b"proc" if proc => Ok(0),
        b"proc" | b"tmpfs" => Err(Errno::EPERM.into()),
        _ => Err(Errno::ENODEV.into()),
    }
}

/// `umount2`. What is mounted is in use.
pub(super) fn umount2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, ..]: [u64; 6],
) -> Answer {
    if !kernel.is_privileged(who) {
        return Err(Errno::EPERM.into());
    }
    let node = kernel.find(who, CWD, path, 0)?;
    let mounted = node == kernel.fs.root() || node == Node::Proc(crate::fs::ProcNode::Root);
    Err(if mounted { Errno::EBUSY } else { Errno::EINVAL }.into())
}
