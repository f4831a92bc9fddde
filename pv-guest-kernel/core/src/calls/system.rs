//! Calls on the system as a whole: its names and figures, random bytes, its end.

use super::{
    Answer, Stop,
    layout::{self, Names, SysInfo},
    transfer::{MOST, PIECE},
};
use crate::{
    Access, Machine, PAGE, Platform,
    fs::{Errno, Pid},
    kernel::{End, Kernel},
    process::LOAD_BITS,
};
use alloc::{vec, vec::Vec};

/// The kernel's name.
pub(crate) const SYSTEM: &str = "Linux";
/// The version of Linux whose system calls these are; C libraries refuse old ones.
pub(crate) const RELEASE: &str = "6.1.0";
/// Which kernel it really is.
pub(crate) const VERSION: &str = "#1 Paravane guest kernel";

/// The processor's name, as `uname` says it.
pub(crate) fn machine_name(machine: Machine) -> &'static str {
    match machine {
        Machine::X86_64 => "x86_64",
        Machine::Riscv64 => "riscv64",
    }
}

/// What the machine is called, which the superuser can change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostName {
    /// The name of the machine.
    pub node: Vec<u8>,
    /// The NIS domain.
    pub domain: Vec<u8>,
}

impl Default for HostName {
    fn default() -> HostName {
        HostName { node: b"paravane".to_vec(), domain: b"(none)".to_vec() }
    }
}

/// `uname`.
pub(super) fn uname<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, ..]: [u64; 6],
) -> Answer {
    let names = Names {
        system: SYSTEM.as_bytes(),
        node: &kernel.host_name.node,
        release: RELEASE.as_bytes(),
        version: VERSION.as_bytes(),
        machine: machine_name(P::MACHINE).as_bytes(),
        domain: &kernel.host_name.domain,
    };
    let record = layout::utsname(&names);
    kernel.write_bytes(who, address, record.bytes())?;
    Ok(0)
}

/// `sethostname`.
pub(super) fn sethostname<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, ..]: [u64; 6],
) -> Answer {
    kernel.host_name.node = read_name(kernel, who, address, length)?;
    Ok(0)
}

/// `setdomainname`.
pub(super) fn setdomainname<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, ..]: [u64; 6],
) -> Answer {
    kernel.host_name.domain = read_name(kernel, who, address, length)?;
    Ok(0)
}

fn read_name<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    address: u64,
    length: u64,
) -> Result<Vec<u8>, Stop> {
    /// Bytes of a name at most (`__NEW_UTS_LEN`).
    const MOST: usize = 64;
    if !kernel.is_privileged(who) {
        return Err(Errno::EPERM.into());
    }
    let length = usize::try_from(length as i32).ok().filter(|length| *length <= MOST);
    let mut name = vec![0; length.ok_or(Errno::EINVAL)?];
    kernel.user(who).read(address, &mut name)?;
    Ok(name)
}

/// `sysinfo`.
pub(super) fn sysinfo<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, ..]: [u64; 6],
) -> Answer {
    let memory = kernel.memory.info();
    let bytes = |pages: u64| pages * PAGE as u64;
    let info = SysInfo {
        uptime: kernel.platform.now() / 1_000_000_000,
        loads: kernel.load.averages().map(|load| load << (SysInfo::LOAD_BITS - LOAD_BITS)),
        total: bytes(memory.total),
        free: bytes(memory.free),
        shared: bytes(memory.shared + memory.cached),
        swap_total: bytes(memory.swap_total),
        swap_free: bytes(memory.swap_free),
        processes: u16::try_from(kernel.processes.len()).unwrap_or(u16::MAX),
    };
    kernel.write_bytes(who, address, layout::sysinfo(&info).bytes())?;
    Ok(0)
}

/// `getrandom`.
pub(super) fn getrandom<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [address, length, flags, ..]: [u64; 6],
) -> Answer {
    /// Not to wait, the better source, and the worse one: they are all one.
    const KNOWN: u64 = 7;
    super::arguments::only(flags, KNOWN)?;
    let length = length.min(MOST);
    let mut buffer = vec![0; length.min(PIECE as u64) as usize];
    let mut done = 0;
    while done < length {
        let wanted = (length - done).min(PIECE as u64) as usize;
        let at = address.wrapping_add(done);
        let (there, end) = kernel.reachable(who, at, wanted, Access::Write);
        // So few bytes are given together: the C library asks for no more.
        let whole = end == Err(Stop::NoMemory) && length <= PAGE as u64;
        if there == 0 || whole {
            return if done > 0 { Ok(done) } else { end.map(|()| 0) };
        }
        kernel.platform.random(&mut buffer[..there]);
        kernel.user(who).write(at, &buffer[..there])?;
        done += there as u64;
    }
    Ok(done)
}

/// `syslog`: the kernel keeps no log; what it has to say it says on the console.
pub(super) fn syslog<P: Platform>(_: &mut Kernel<P>, _: Pid, [action, ..]: [u64; 6]) -> Answer {
    /// Actions are 0 to 10.
    const LAST: u32 = 10;
    if action as u32 > LAST { Err(Errno::EINVAL.into()) } else { Ok(0) }
}

/// `reboot`: the kernel ends.
pub(super) fn reboot<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [magic, second, command, ..]: [u64; 6],
) -> Answer {
    const MAGIC: u32 = 0xfee1_dead;
    const SECOND: [u32; 4] = [0x2812_1969, 0x0512_1996, 0x1604_1998, 0x2011_2000];
    if !kernel.is_privileged(who) {
        return Err(Errno::EPERM.into());
    }
    if magic as u32 != MAGIC || !SECOND.contains(&(second as u32)) {
        return Err(Errno::EINVAL.into());
    }
    match command as u32 {
        0x0123_4567 => kernel.end = Some(End::Restart),
        0x4321_fedc | 0xcdef_0123 => kernel.end = Some(End::PowerOff),
        // What Ctrl-Alt-Del does: there is none.
        0x89ab_cdef | 0 => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `socket`, `socketpair`: there is no family of addresses. (The C library asks, for the names of
/// users, and goes on.)
pub(super) fn no_sockets<P: Platform>(_: &mut Kernel<P>, _: Pid, _: [u64; 6]) -> Answer {
    Err(Errno::EAFNOSUPPORT.into())
}

/// `getcpu`: there is one.
pub(super) fn getcpu<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    [processor, node, ..]: [u64; 6],
) -> Answer {
    kernel.write_if(who, processor, &[0; 4])?;
    kernel.write_if(who, node, &[0; 4])?;
    Ok(0)
}
