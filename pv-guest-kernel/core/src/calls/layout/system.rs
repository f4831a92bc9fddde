//! `struct utsname`, `struct sysinfo` and `struct rusage`, which are equal on both machines.

use super::{Record, timeval};

/// What `uname` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Names<'a> {
    /// The name of the kernel.
    pub system: &'a [u8],
    /// The name of this machine.
    pub node: &'a [u8],
    /// The version that programs go by.
    pub release: &'a [u8],
    /// The version that people read.
    pub version: &'a [u8],
    /// The processor.
    pub machine: &'a [u8],
    /// The NIS domain.
    pub domain: &'a [u8],
}

/// `struct utsname`. Names are cut to 64 bytes.
pub fn utsname(names: &Names<'_>) -> Record<390> {
    const FIELD: usize = 65;
    let mut record = Record::default();
    for name in
        [names.system, names.node, names.release, names.version, names.machine, names.domain]
    {
        let length = name.len().min(FIELD - 1);
        record.put(&name[..length]).skip(FIELD - length);
    }
    record
}

/// What `sysinfo` says. Memory is in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SysInfo {
    /// Seconds since the start.
    pub uptime: u64,
    /// How many processes wanted to run in the last minute, five, and fifteen, with [`LOAD_BITS`](Self::LOAD_BITS)
    /// behind the point.
    pub loads: [u64; 3],
    /// Memory.
    pub total: u64,
    /// What is free of it.
    pub free: u64,
    /// What processes share.
    pub shared: u64,
    /// Swap area.
    pub swap_total: u64,
    /// What is free of it.
    pub swap_free: u64,
    /// Processes.
    pub processes: u16,
}

impl SysInfo {
    /// Bits behind the point of a load.
    pub const LOAD_BITS: u32 = 16;
}

/// `struct sysinfo`.
pub fn sysinfo(info: &SysInfo) -> Record<112> {
    let mut record = Record::default();
    record.u64(info.uptime);
    info.loads.iter().for_each(|load| {
        record.u64(*load);
    });
    record.u64(info.total).u64(info.free).u64(info.shared).u64(0);
    record.u64(info.swap_total).u64(info.swap_free).u16(info.processes).skip(6);
    record.skip(16).u32(1).skip(4);
    record
}

/// What `getrusage` and `wait4` say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resources {
    /// Nanoseconds that the process ran.
    pub user: u64,
    /// Nanoseconds that the kernel worked for it.
    pub system: u64,
    /// The most that it had in memory, in KiB.
    pub peak_resident: u64,
    /// Faults that needed nothing read.
    pub minor_faults: u64,
    /// Faults that did.
    pub major_faults: u64,
    /// How often it waited.
    pub voluntary_switches: u64,
    /// How often it was interrupted.
    pub involuntary_switches: u64,
}

/// `struct rusage`.
pub fn rusage(used: &Resources) -> Record<144> {
    let mut record = Record::default();
    record.put(timeval(used.user).bytes()).put(timeval(used.system).bytes());
    record.u64(used.peak_resident).skip(24).u64(used.minor_faults).u64(used.major_faults);
    record.skip(48).u64(used.voluntary_switches).u64(used.involuntary_switches);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let long = [b'x'; 100];
        let names = Names {
            system: b"Linux",
            node: &long,
            release: b"",
            version: b"",
            machine: b"",
            domain: &long,
        };
        let record = utsname(&names);
        assert_eq!(&record.bytes()[..6], b"Linux\0");
        assert_eq!(&record.bytes()[128..131], b"x\0\0");
        assert_eq!(record.bytes()[389], 0);
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn structures_are_those_of_the_c_library() {
        use super::super::u64_at;
        use core::mem::{offset_of, size_of};
        let info = SysInfo {
            uptime: 1,
            loads: [2, 3, 4],
            total: 5,
            free: 6,
            shared: 7,
            swap_total: 8,
            swap_free: 9,
            processes: 10,
        };
        let record = sysinfo(&info);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), size_of::<libc::sysinfo>());
        for (offset, value) in [
            (offset_of!(libc::sysinfo, uptime), 1),
            (offset_of!(libc::sysinfo, loads) + 16, 4),
            (offset_of!(libc::sysinfo, totalram), 5),
            (offset_of!(libc::sysinfo, freeram), 6),
            (offset_of!(libc::sysinfo, sharedram), 7),
            (offset_of!(libc::sysinfo, totalswap), 8),
            (offset_of!(libc::sysinfo, freeswap), 9),
            (offset_of!(libc::sysinfo, procs), 10),
            (offset_of!(libc::sysinfo, totalhigh), 0),
            (offset_of!(libc::sysinfo, mem_unit), 1),
        ] {
            assert_eq!(u64_at(bytes, offset), value, "offset {offset}");
        }

        let used = Resources {
            user: 1_000_002_000,
            system: 3_000_004_000,
            peak_resident: 5,
            minor_faults: 6,
            major_faults: 7,
            voluntary_switches: 8,
            involuntary_switches: 9,
        };
        let record = rusage(&used);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), size_of::<libc::rusage>());
        for (offset, value) in [
            (offset_of!(libc::rusage, ru_utime), 1),
            (offset_of!(libc::rusage, ru_utime) + 8, 2),
            (offset_of!(libc::rusage, ru_stime), 3),
            (offset_of!(libc::rusage, ru_maxrss), 5),
            (offset_of!(libc::rusage, ru_minflt), 6),
            (offset_of!(libc::rusage, ru_majflt), 7),
            (offset_of!(libc::rusage, ru_nvcsw), 8),
            (offset_of!(libc::rusage, ru_nivcsw), 9),
        ] {
            assert_eq!(u64_at(bytes, offset), value, "offset {offset}");
        }
        assert_eq!(
            utsname(&Names {
                system: b"",
                node: b"",
                release: b"",
                version: b"",
                machine: b"",
                domain: b""
            })
            .bytes()
            .len(),
            size_of::<libc::utsname>()
        );
        assert_eq!(offset_of!(libc::utsname, domainname), 325);
    }
}
