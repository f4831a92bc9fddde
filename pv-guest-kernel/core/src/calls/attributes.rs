//! Calls on what is known of files beside their content: `stat`, permissions, owners, times.

use super::{
    Answer, Stop,
    arguments::{CWD, EMPTY_PATH, NO_FOLLOW, follow, only},
    layout,
};
use crate::{
    Access, Platform,
    fs::{Caller, Errno, Node, Permission, Pid, SetTime, Time},
    kernel::{Files, Kernel},
};

/// "Do not mount anything": nothing ever is.
const NO_AUTOMOUNT: u64 = 0x800;

/// `stat`.
pub(super) fn stat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, address, ..]: [u64; 6],
) -> Answer {
    newfstatat(kernel, who, [CWD, path, address, 0, 0, 0])
}

/// `lstat`.
pub(super) fn lstat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, address, ..]: [u64; 6],
) -> Answer {
    newfstatat(kernel, who, [CWD, path, address, NO_FOLLOW, 0, 0])
}

/// `fstat`.
pub(super) fn fstat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, ..]: [u64; 6],
) -> Answer {
    let node = kernel.fs.node_of(kernel.description(who, fd)?);
    give_stat(kernel, who, node, address)
}

/// `newfstatat`.
pub(super) fn newfstatat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, address, flags, ..]: [u64; 6],
) -> Answer {
    only(flags, NO_FOLLOW | NO_AUTOMOUNT | EMPTY_PATH)?;
    let node = kernel.find(who, directory, path, flags)?;
    give_stat(kernel, who, node, address)
}

fn give_stat<P: Platform>(kernel: &mut Kernel<P>, who: Pid, node: Node, address: u64) -> Answer {
    let Files { fs, ids, view, .. } = kernel.files(who);
    let stat = fs.stat(&ids.caller(&view), node);
    kernel.write_bytes(who, address, layout::stat(P::MACHINE, &stat).bytes())?;
    Ok(0)
}

/// `statx`. It gives all it knows, whatever is asked for.
pub(super) fn statx<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, flags, mask, address, _]: [u64; 6],
) -> Answer {
    /// How current it is to be: it always is.
    const SYNC: u64 = 0x6000;
    /// A bit of the mask that is kept for what may come.
    const RESERVED: u64 = 0x8000_0000;
    only(flags, NO_FOLLOW | NO_AUTOMOUNT | EMPTY_PATH | SYNC)?;
    if flags & SYNC == SYNC || mask & RESERVED != 0 {
        return Err(Errno::EINVAL.into());
    }
    let node = kernel.find(who, directory, path, flags)?;
    let Files { fs, ids, view, .. } = kernel.files(who);
    let stat = fs.stat(&ids.caller(&view), node);
    kernel.write_bytes(who, address, layout::statx(&stat).bytes())?;
    Ok(0)
}

/// `statfs`.
pub(super) fn statfs<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, address, ..]: [u64; 6],
) -> Answer {
    let node = kernel.find(who, CWD, path, 0)?;
    give_statfs(kernel, who, node, address)
}

/// `fstatfs`.
pub(super) fn fstatfs<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, address, ..]: [u64; 6],
) -> Answer {
    let node = kernel.fs.node_of(kernel.description(who, fd)?);
    give_statfs(kernel, who, node, address)
}

fn give_statfs<P: Platform>(kernel: &mut Kernel<P>, who: Pid, node: Node, address: u64) -> Answer {
    let stat = kernel.fs.statfs(node);
    kernel.write_bytes(who, address, layout::statfs(&stat).bytes())?;
    Ok(0)
}

/// `access`.
pub(super) fn access<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, mode, ..]: [u64; 6],
) -> Answer {
    faccessat2(kernel, who, [CWD, path, mode, 0, 0, 0])
}

/// `faccessat`.
pub(super) fn faccessat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, ..]: [u64; 6],
) -> Answer {
    faccessat2(kernel, who, [directory, path, mode, 0, 0, 0])
}

/// `faccessat2`. It asks for the user who started the process, unless told otherwise.
pub(super) fn faccessat2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, flags, ..]: [u64; 6],
) -> Answer {
    /// `AT_EACCESS`.
    const EFFECTIVE: u64 = 0x200;
    only(flags, EFFECTIVE | NO_FOLLOW | EMPTY_PATH)?;
    let wanted = Permission::from_bits(mode as u32).ok_or(Errno::EINVAL)?;
    let path = kernel.path(who, directory, path)?;
    let real = &kernel.caller(who).credentials;
    let (uid, gid) = (real.user.real, real.group.real);
    let Files { fs, ids, view, .. } = kernel.files(who);
    let caller = match flags & EFFECTIVE {
        0 => Caller { uid, gid, ..ids.caller(&view) },
        _ => ids.caller(&view),
    };
    let node = path.find(fs, &view, &caller, follow(flags), flags & EMPTY_PATH != 0)?;
    fs.permit(&caller, node, wanted)?;
    Ok(0)
}

/// `chmod`.
pub(super) fn chmod<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, mode, ..]: [u64; 6],
) -> Answer {
    fchmodat2(kernel, who, [CWD, path, mode, 0, 0, 0])
}

/// `fchmod`.
pub(super) fn fchmod<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, mode, ..]: [u64; 6],
) -> Answer {
    let node = opened(kernel, who, fd)?;
    set_mode(kernel, who, node, mode)
}

/// `fchmodat`.
pub(super) fn fchmodat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, ..]: [u64; 6],
) -> Answer {
    fchmodat2(kernel, who, [directory, path, mode, 0, 0, 0])
}

/// `fchmodat2`.
pub(super) fn fchmodat2<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, mode, flags, ..]: [u64; 6],
) -> Answer {
    only(flags, NO_FOLLOW | EMPTY_PATH)?;
    let node = kernel.find(who, directory, path, flags)?;
    set_mode(kernel, who, node, mode)
}

fn set_mode<P: Platform>(kernel: &mut Kernel<P>, who: Pid, node: Node, mode: u64) -> Answer {
    let Files { fs, ids, view, .. } = kernel.files(who);
    fs.set_mode(&ids.caller(&view), node, mode as u32)?;
    Ok(0)
}

/// `chown`.
pub(super) fn chown<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, uid, gid, ..]: [u64; 6],
) -> Answer {
    fchownat(kernel, who, [CWD, path, uid, gid, 0, 0])
}

/// `lchown`.
pub(super) fn lchown<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, uid, gid, ..]: [u64; 6],
) -> Answer {
    fchownat(kernel, who, [CWD, path, uid, gid, NO_FOLLOW, 0])
}

/// `fchown`.
pub(super) fn fchown<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [fd, uid, gid, ..]: [u64; 6],
) -> Answer {
    let node = opened(kernel, who, fd)?;
    set_owner(kernel, who, node, uid, gid)
}

/// `fchownat`.
pub(super) fn fchownat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, uid, gid, flags, _]: [u64; 6],
) -> Answer {
    only(flags, NO_FOLLOW | EMPTY_PATH)?;
    let node = kernel.find(who, directory, path, flags)?;
    set_owner(kernel, who, node, uid, gid)
}

fn set_owner<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    node: Node,
    uid: u64,
    gid: u64,
) -> Answer {
    /// It stays who it is.
    const KEEP: u32 = u32::MAX;
    let id = |id: u64| Some(id as u32).filter(|id| *id != KEEP);
    let Files { fs, ids, view, .. } = kernel.files(who);
    fs.set_owner(&ids.caller(&view), node, id(uid), id(gid))?;
    Ok(0)
}

/// The file of a descriptor that is more than a place.
fn opened<P: Platform>(kernel: &Kernel<P>, who: Pid, fd: u64) -> Result<Node, Errno> {
    let id = kernel.description(who, fd)?;
    let place = kernel.fs.flags(id).contains(crate::fs::OpenFlags::PATH);
    if place { Err(Errno::EBADF) } else { Ok(kernel.fs.node_of(id)) }
}

/// `utimensat`; without a path, of a descriptor.
pub(super) fn utimensat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, times, flags, ..]: [u64; 6],
) -> Answer {
    const NOW: u64 = 0x3fff_ffff;
    const KEEP: u64 = 0x3fff_fffe;
    only(flags, NO_FOLLOW | EMPTY_PATH)?;
    let set = |bytes: &[u8]| {
        Ok(match layout::u64_at(bytes, 8) {
            NOW => SetTime::Now,
            KEEP => SetTime::Keep,
            _ => SetTime::To(layout::timespec_from(bytes)?),
        })
    };
    let times = times_of(kernel, who, times, &set)?;
    let node = match path {
        0 if directory as i32 != crate::fs::AT_FDCWD => opened(kernel, who, directory)?,
        path => kernel.find(who, directory, path, flags)?,
    };
    set_times(kernel, who, node, times)
}

/// `utimes`.
pub(super) fn utimes<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, times, ..]: [u64; 6],
) -> Answer {
    futimesat(kernel, who, [CWD, path, times, 0, 0, 0])
}

/// `futimesat`.
pub(super) fn futimesat<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [directory, path, times, ..]: [u64; 6],
) -> Answer {
    let set = |bytes: &[u8]| Ok(SetTime::To(layout::timeval_from(bytes)?));
    let times = times_of(kernel, who, times, &set)?;
    let node = kernel.find(who, directory, path, 0)?;
    set_times(kernel, who, node, times)
}

/// `utime`, in seconds.
pub(super) fn utime<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [path, times, ..]: [u64; 6],
) -> Answer {
    let times = if times == 0 {
        (SetTime::Now, SetTime::Now)
    } else {
        kernel.touch(who, times, 16, Access::Read)?;
        let bytes: [u8; 16] = kernel.read_bytes(who, times)?;
        let to = |at| SetTime::To(Time { seconds: layout::i64_at(&bytes, at), nanoseconds: 0 });
        (to(0), to(8))
    };
    let node = kernel.find(who, CWD, path, 0)?;
    set_times(kernel, who, node, times)
}

/// Two structures with the time of the last access and of the last change; now, if there are
/// none.
fn times_of<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    set: &dyn Fn(&[u8]) -> Result<SetTime, Errno>,
) -> Result<(SetTime, SetTime), Stop> {
    if address == 0 {
        return Ok((SetTime::Now, SetTime::Now));
    }
    let bytes: [u8; 32] = kernel.read_bytes(who, address)?;
    Ok((set(&bytes[..16])?, set(&bytes[16..])?))
}

fn set_times<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    node: Node,
    (atime, mtime): (SetTime, SetTime),
) -> Answer {
    let Files { fs, ids, view, .. } = kernel.files(who);
    fs.set_times(&ids.caller(&view), node, atime, mtime)?;
    Ok(0)
}

/// `setxattr`, `getxattr`, `listxattr`, `removexattr` and their kin: no file has any.
pub(super) fn no_xattr<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Errno::EOPNOTSUPP.into())
}
