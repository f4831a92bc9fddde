//! Calls on the size of files, and on when their content is safe. It always is: there is no disk.

use super::{Answer, Stop, arguments::CWD};
use crate::{
    PAGE, Platform,
    fs::{DescriptionId, Errno, FileType, MAX_FILE, Node, OpenFlags, Pid},
    kernel::{Files, Kernel},
};

/// `truncate`.
pub(super) fn truncate<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, size, ..]: [u64; 6],
) -> Answer {
    let node = kernel.find(who, CWD, path, 0)?;
    let Files { fs, ids, view, mut store } = kernel.files(who);
    let detached = fs.set_size(&ids.caller(&view), node, size as i64, &mut store)?;
    kernel.give_back(detached);
    Ok(0)
}

/// `ftruncate`.
pub(super) fn ftruncate<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, size, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    set_size(kernel, id, size as i64)?;
    Ok(0)
}

fn set_size<P: Platform>(kernel: &mut Kernel<P>, id: DescriptionId, size: i64) -> Result<(), Stop> {
    let (fs, mut store) = kernel.storage();
    let detached = fs.set_size_of(id, size, &mut store)?;
    kernel.give_back(detached);
    Ok(())
}

/// `fallocate`, without making holes.
pub(super) fn fallocate<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, mode, offset, length, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    let (offset, length) = (offset as i64, length as i64);
    if offset < 0 || length <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if mode as u32 != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if !kernel.fs.flags(id).is_write() {
        return Err(Errno::EBADF.into());
    }
    let ino = match kernel.fs.node_of(id) {
        Node::Inode(ino) if kernel.fs.kind(Node::Inode(ino)) == FileType::File => ino,
        node if kernel.fs.kind(node) == FileType::Fifo => return Err(Errno::ESPIPE.into()),
        _ => return Err(Errno::ENODEV.into()),
    };
    let end = offset as u64 + length as u64;
    if end > MAX_FILE {
        return Err(Errno::EFBIG.into());
    }
    let old = kernel.fs.size_of(ino);
    if end > old {
        set_size(kernel, id, end as i64)?;
    }
    for index in offset as u64 / PAGE as u64..end.div_ceil(PAGE as u64) {
        let (fs, mut store) = kernel.storage();
        if let Err(errno) = fs.page_of(ino, index, true, &mut store) {
            set_size(kernel, id, old as i64)?;
            // What is only reserved is not worth the end of a process.
            return Err(if errno == Errno::ENOMEM { Errno::ENOSPC } else { errno }.into());
        }
    }
    Ok(0)
}

/// `fsync` and `fdatasync`.
pub(super) fn fsync<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [fd, ..]: [u64; 6]) -> Answer {
    let id = kernel.description(who, fd)?;
    if kernel.fs.flags(id).contains(OpenFlags::PATH) {
        return Err(Errno::EBADF.into());
    }
    match kernel.fs.kind(kernel.fs.node_of(id)) {
        FileType::File | FileType::Directory => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `sync`.
pub(super) fn sync<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Ok(0)
}

/// `syncfs`.
pub(super) fn syncfs<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [fd, ..]: [u64; 6]) -> Answer {
    kernel.description(who, fd)?;
    Ok(0)
}

/// `fadvise64`: advice that does nothing.
pub(super) fn fadvise64<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, _, _, advice, ..]: [u64; 6],
) -> Answer {
    let id = kernel.description(who, fd)?;
    if kernel.fs.kind(kernel.fs.node_of(id)) == FileType::Fifo {
        return Err(Errno::ESPIPE.into());
    }
    if advice as u32 > 5 { Err(Errno::EINVAL.into()) } else { Ok(0) }
}
