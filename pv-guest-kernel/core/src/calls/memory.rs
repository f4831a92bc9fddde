//! Calls on the memory of a process.

use super::{Answer, Stop};
use crate::{
    Access, PAGE, Platform,
    fs::{Errno, Mappable, OpenFlags, Pid},
    kernel::Kernel,
    memory::{AddressSpace, FileId, Mapping, Parts, Place, RemapError, Rights, SpaceError},
};
use alloc::vec::Vec;

/// The flags of `mmap` that count; others are advice.
const SHARED: u32 = 1;
const PRIVATE: u32 = 2;
const SHARED_VALIDATE: u32 = 3;
const TYPE: u32 = 0xf;
const FIXED: u32 = 0x10;
const ANONYMOUS: u32 = 0x20;
const GROWS_DOWN: u32 = 0x100;
const HUGE: u32 = 0x4_0000;
const FIXED_NO_REPLACE: u32 = 0x10_0000;

impl From<SpaceError> for Stop {
    fn from(error: SpaceError) -> Stop {
        Stop::Errno(match error {
            SpaceError::BadRange => Errno::EINVAL,
            SpaceError::Exists => Errno::EEXIST,
            SpaceError::NoRoom | SpaceError::OverLimit | SpaceError::NotMapped => Errno::ENOMEM,
            SpaceError::NotAllowed => Errno::EACCES,
        })
    }
}

/// The address space of a process, and what it works with.
fn space<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
) -> Result<(&mut AddressSpace<P>, Parts<'_, P>), Errno> {
    let user = kernel.user(who);
    Ok((user.space, user.parts))
}

fn rights(protection: u64) -> Result<Rights, Errno> {
    u8::try_from(protection as u32).ok().and_then(Rights::from_bits).ok_or(Errno::EINVAL)
}

/// `mmap`.
pub(super) fn mmap<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, protection, flags, fd, offset]: [u64; 6],
) -> Answer {
    let (rights, flags) = (rights(protection)?, flags as u32);
    if length == 0 || !offset.is_multiple_of(PAGE as u64) {
        return Err(Errno::EINVAL.into());
    }
    let shared = match flags & TYPE {
        SHARED | SHARED_VALIDATE => true,
        PRIVATE => false,
        _ => return Err(Errno::EINVAL.into()),
    };
    let zeros = match (shared, flags & GROWS_DOWN != 0) {
        (true, true) => return Err(Errno::EINVAL.into()),
        (true, false) => Mapping::Shared,
        (false, true) => Mapping::Stack,
        (false, false) => Mapping::Private,
    };
    if flags & HUGE != 0 {
        return Err(Errno::ENOMEM.into());
    }
    let mapping = if flags & ANONYMOUS != 0 {
        zeros
    } else {
        let id = kernel.description(who, fd)?;
        match kernel.fs.mappable(id, shared && rights.contains(Rights::WRITE))? {
            Mappable::Zeros => zeros,
            Mappable::File(ino) => {
                let writable = kernel.fs.flags(id).contains(OpenFlags::RDWR);
                Mapping::File { file: FileId::from(ino), offset, shared, writable }
            }
        }
    };
    let page = address / PAGE as u64 * PAGE as u64;
    let place = match (flags & FIXED_NO_REPLACE != 0, flags & FIXED != 0) {
        (true, _) => Place::Free(address),
        (false, true) => Place::Fixed(address),
        (false, false) if page == 0 => Place::Anywhere,
        (false, false) => Place::Near(page),
    };
    let (space, mut parts) = space(kernel, who)?;
    Ok(space.map(&mut parts, place, length, rights, mapping)?)
}

/// `munmap`.
pub(super) fn munmap<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, ..]: [u64; 6],
) -> Answer {
    let (space, mut parts) = space(kernel, who)?;
    space.unmap(&mut parts, address, length)?;
    Ok(0)
}

/// `mprotect`.
pub(super) fn mprotect<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, protection, ..]: [u64; 6],
) -> Answer {
    let rights = rights(protection)?;
    if length == 0 && address.is_multiple_of(PAGE as u64) {
        return Ok(0);
    }
    let (space, mut parts) = space(kernel, who)?;
    space.protect(&mut parts, address, length, rights)?;
    Ok(0)
}

/// `brk`: where the heap ends now, wherever it was to.
pub(super) fn brk<P: Platform>(kernel: &mut Kernel<P>, who: Pid, [end, ..]: [u64; 6]) -> Answer {
    let (space, mut parts) = space(kernel, who)?;
    Ok(space.set_heap_end(&mut parts, end))
}

/// `madvise`: what says that content is not needed counts, and other advice does nothing.
pub(super) fn madvise<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, advice, ..]: [u64; 6],
) -> Answer {
    const DONT_NEED: u32 = 4;
    const FREE: u32 = 8;
    let (space, mut parts) = space(kernel, who)?;
    if !address.is_multiple_of(PAGE as u64) {
        return Err(Errno::EINVAL.into());
    }
    match advice as u32 {
        DONT_NEED | FREE if length > 0 => space.discard(&mut parts, address, length)?,
        // How it will be used, whether it is merged, of large pages, in dumps, or cold.
        0..=4 | 8 | 12..=17 | 20 | 21 => space.check_mapped(address, length)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `mremap`.
pub(super) fn mremap<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, old, new, flags, to, _]: [u64; 6],
) -> Answer {
    const MAY_MOVE: u32 = 1;
    const TO_FIXED: u32 = 2;
    let flags = flags as u32;
    let fixed = flags & TO_FIXED != 0;
    let pages = |length: u64| {
        let length = length.checked_next_multiple_of(PAGE as u64).ok_or(Errno::EINVAL)?;
        if length == 0 { Err(Errno::EINVAL) } else { Ok(length) }
    };
    let (old, new) = (pages(old)?, pages(new)?);
    if flags & !(MAY_MOVE | TO_FIXED) != 0
        || (fixed && flags & MAY_MOVE == 0)
        || !address.is_multiple_of(PAGE as u64)
    {
        return Err(Errno::EINVAL.into());
    }
    let (space, mut parts) = space(kernel, who)?;
    let fault = |error| match error {
        SpaceError::NotMapped => Stop::Errno(Errno::EFAULT),
        other => other.into(),
    };
    space.check_mapped(address, old).map_err(fault)?;
    if !fixed {
        if new <= old {
            if new < old {
                space.unmap(&mut parts, address + new, old - new)?;
            }
            return Ok(address);
        }
        match space.grow(&mut parts, address, old, new) {
            Ok(()) => return Ok(address),
            Err(error @ (SpaceError::NotMapped | SpaceError::BadRange)) => {
                return Err(fault(error));
            }
            Err(_) if flags & MAY_MOVE == 0 => return Err(Errno::ENOMEM.into()),
            Err(_) => {}
        }
    }
    let place = if fixed { Place::Fixed(to) } else { Place::Anywhere };
    match space.move_to(&mut parts, address, old, new, place) {
        Ok(to) => Ok(to),
        Err(RemapError::Space(error)) => Err(fault(error)),
        Err(RemapError::NoMemory) => Err(Stop::NoMemory),
    }
}

/// `msync`: files and what is mapped of them are the same pages.
pub(super) fn msync<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, flags, ..]: [u64; 6],
) -> Answer {
    const ASYNC: u32 = 1;
    const INVALIDATE: u32 = 2;
    const SYNC: u32 = 4;
    let flags = flags as u32;
    let both = flags & ASYNC != 0 && flags & SYNC != 0;
    if flags & !(ASYNC | INVALIDATE | SYNC) != 0 || both || !address.is_multiple_of(PAGE as u64) {
        return Err(Errno::EINVAL.into());
    }
    let (space, _) = space(kernel, who)?;
    space.check_mapped(address, length)?;
    Ok(0)
}

/// `mlock`, `mlock2`, `mlockall`: no memory is kept from being swapped, and nobody is told that
/// it is.
pub(super) fn mlock<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Errno::EPERM.into())
}

/// `munlock`, `munlockall`.
pub(super) fn munlock<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Ok(0)
}

/// `mincore`.
pub(super) fn mincore<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, vector, ..]: [u64; 6],
) -> Answer {
    /// Pages that are looked at together.
    const PIECE: u64 = 1024;
    if !address.is_multiple_of(PAGE as u64) {
        return Err(Errno::EINVAL.into());
    }
    space(kernel, who)?.0.check_mapped(address, length)?;
    let count = length.div_ceil(PAGE as u64);
    for first in (0..count).step_by(PIECE as usize) {
        let some = (count - first).min(PIECE);
        let to = vector.checked_add(first).ok_or(Errno::EFAULT)?;
        kernel.touch(who, to, some as usize, Access::Write)?;
        let (space, _) = space(kernel, who)?;
        let resident: Vec<u8> = (first..first + some)
            .map(|page| u8::from(space.is_resident(address + page * PAGE as u64)))
            .collect();
        kernel.user(who).write(to, &resident)?;
    }
    Ok(0)
}
