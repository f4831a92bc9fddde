//! `struct stat`, which differs between the machines, `struct statx` and `struct statfs`.

use super::Record;
use crate::{
    Machine, PAGE,
    fs::{DeviceNumber, FsStat, NAME_MAX, Stat, Time},
};

/// Bytes of `struct statfs`.
pub const STATFS: usize = 120;

/// The number of a device as `st_rdev` and `mknod` have it.
pub fn device_number(device: DeviceNumber) -> u64 {
    let DeviceNumber { major, minor } = device;
    u64::from(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

/// The device of a number. Only the lower 32 bits count, as in Linux.
pub fn device_from(number: u64) -> DeviceNumber {
    let number = number as u32;
    let major = number >> 8 & 0xfff;
    DeviceNumber { major, minor: number & 0xff | number >> 12 & 0xf_ff00 }
}

fn rdev(stat: &Stat) -> u64 {
    stat.number.map_or(0, device_number)
}

/// `struct stat` of a machine.
pub fn stat(machine: Machine, stat: &Stat) -> Record<144> {
    let mut record = Record::default();
    record.u64(stat.device).u64(stat.ino);
    match machine {
        Machine::X86_64 => {
            record.u64(stat.links.into()).u32(stat.mode).u32(stat.uid).u32(stat.gid).skip(4);
            record.u64(rdev(stat)).u64(stat.size).u64(PAGE as u64).u64(stat.blocks);
        }
        Machine::Riscv64 => {
            record.u32(stat.mode).u32(stat.links).u32(stat.uid).u32(stat.gid);
            record.u64(rdev(stat)).skip(8).u64(stat.size).u32(PAGE as u32).skip(4);
            record.u64(stat.blocks);
        }
    }
    for time in [stat.atime, stat.mtime, stat.ctime] {
        record.i64(time.seconds).u64(time.nanoseconds.into());
    }
    record.skip(if machine == Machine::X86_64 { 24 } else { 8 });
    record
}

/// `struct statx`. When a file came is not known.
pub fn statx(stat: &Stat) -> Record<256> {
    /// All but the time of birth.
    const BASIC: u32 = 0x7ff;
    let mut record = Record::default();
    record.u32(BASIC).u32(PAGE as u32).u64(0).u32(stat.links).u32(stat.uid).u32(stat.gid);
    record.u16(stat.mode as u16).skip(2).u64(stat.ino).u64(stat.size).u64(stat.blocks).u64(0);
    for time in [stat.atime, Time::default(), stat.ctime, stat.mtime] {
        record.i64(time.seconds).u32(time.nanoseconds).skip(4);
    }
    let number = stat.number.unwrap_or(DeviceNumber { major: 0, minor: 0 });
    record.u32(number.major).u32(number.minor).u32(0).u32(stat.device as u32);
    record.skip(256 - 144);
    record
}

/// `struct statfs`.
pub fn statfs(stat: &FsStat) -> Record<STATFS> {
    let mut record = Record::default();
    record.u64(stat.magic).u64(PAGE as u64);
    record.u64(stat.blocks).u64(stat.blocks_free).u64(stat.blocks_free);
    record.u64(stat.inodes).u64(stat.inodes_free).u64(0);
    record.u64(NAME_MAX as u64).u64(PAGE as u64).u64(0).skip(32);
    record
}

#[cfg(test)]
mod tests {
    use super::{super::u64_at, *};

    const STAT: Stat = Stat {
        device: 0x11,
        ino: 0x22,
        mode: 0o020_644,
        links: 0x44,
        uid: 0x55,
        gid: 0x66,
        number: Some(DeviceNumber { major: 5, minor: 0x301 }),
        size: 0x77,
        blocks: 0x88,
        atime: Time { seconds: -1, nanoseconds: 2 },
        mtime: Time { seconds: 3, nanoseconds: 4 },
        ctime: Time { seconds: 5, nanoseconds: 6 },
    };

    #[test]
    fn device_numbers_go_there_and_back() {
        for (major, minor) in [(0, 0), (5, 1), (0xfff, 0xf_ffff), (1, 256)] {
            let device = DeviceNumber { major, minor };
            assert_eq!(device_from(device_number(device)), device);
        }
        assert_eq!(device_number(DeviceNumber { major: 5, minor: 0x301 }), 0x30_0501);
        assert_eq!(device_from(u64::MAX), DeviceNumber { major: 0xfff, minor: 0xf_ffff });
    }

    #[test]
    fn stat_of_riscv64_is_that_of_the_generic_header() {
        let record = stat(Machine::Riscv64, &STAT);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), 128);
        assert_eq!((u64_at(bytes, 0), u64_at(bytes, 8)), (0x11, 0x22));
        assert_eq!(u64_at(bytes, 16), 0x44 << 32 | 0o020_644);
        assert_eq!((u64_at(bytes, 24), u64_at(bytes, 32)), (0x66 << 32 | 0x55, 0x30_0501));
        assert_eq!((u64_at(bytes, 48), u64_at(bytes, 56)), (0x77, 4096));
        assert_eq!((u64_at(bytes, 64), u64_at(bytes, 72)), (0x88, u64::MAX));
        assert_eq!((u64_at(bytes, 80), u64_at(bytes, 88), u64_at(bytes, 112)), (2, 3, 6));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn structures_of_x86_64_are_those_of_the_c_library() {
        use super::super::u32_at;
        use core::mem::{offset_of, size_of};
        let record = stat(Machine::X86_64, &STAT);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), size_of::<libc::stat>());
        for (offset, value) in [
            (offset_of!(libc::stat, st_dev), 0x11),
            (offset_of!(libc::stat, st_ino), 0x22),
            (offset_of!(libc::stat, st_nlink), 0x44),
            (offset_of!(libc::stat, st_gid), 0x66),
            (offset_of!(libc::stat, st_rdev), 0x30_0501),
            (offset_of!(libc::stat, st_size), 0x77),
            (offset_of!(libc::stat, st_blksize), 4096),
            (offset_of!(libc::stat, st_blocks), 0x88),
            (offset_of!(libc::stat, st_atime), u64::MAX),
            (offset_of!(libc::stat, st_mtime_nsec), 4),
            (offset_of!(libc::stat, st_ctime), 5),
        ] {
            assert_eq!(u64_at(bytes, offset), value, "offset {offset}");
        }
        assert_eq!(u32_at(bytes, offset_of!(libc::stat, st_mode)), 0o020_644);
        assert_eq!(u32_at(bytes, offset_of!(libc::stat, st_uid)), 0x55);

        let record = statx(&STAT);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), size_of::<libc::statx>());
        let time = |at, seconds: i64, nanoseconds| {
            assert_eq!((u64_at(bytes, at), u32_at(bytes, at + 8)), (seconds as u64, nanoseconds));
        };
        time(offset_of!(libc::statx, stx_atime), -1, 2);
        time(offset_of!(libc::statx, stx_mtime), 3, 4);
        time(offset_of!(libc::statx, stx_ctime), 5, 6);
        time(offset_of!(libc::statx, stx_btime), 0, 0);
        assert_eq!(u64_at(bytes, offset_of!(libc::statx, stx_ino)), 0x22);
        assert_eq!(u64_at(bytes, offset_of!(libc::statx, stx_size)), 0x77);
        assert_eq!(u64_at(bytes, offset_of!(libc::statx, stx_blocks)), 0x88);
        for (offset, value) in [
            (offset_of!(libc::statx, stx_mask), libc::STATX_BASIC_STATS),
            (offset_of!(libc::statx, stx_nlink), 0x44),
            (offset_of!(libc::statx, stx_uid), 0x55),
            (offset_of!(libc::statx, stx_gid), 0x66),
            (offset_of!(libc::statx, stx_mode), 0o020_644),
            (offset_of!(libc::statx, stx_rdev_major), 5),
            (offset_of!(libc::statx, stx_rdev_minor), 0x301),
            (offset_of!(libc::statx, stx_dev_minor), 0x11),
        ] {
            assert_eq!(u32_at(bytes, offset), value, "offset {offset}");
        }

        let given = FsStat { magic: 1, blocks: 2, blocks_free: 3, inodes: 4, inodes_free: 5 };
        let record = statfs(&given);
        let bytes = record.bytes();
        assert_eq!(bytes.len(), size_of::<libc::statfs>());
        for (offset, value) in [
            (offset_of!(libc::statfs, f_type), 1),
            (offset_of!(libc::statfs, f_bsize), 4096),
            (offset_of!(libc::statfs, f_blocks), 2),
            (offset_of!(libc::statfs, f_bfree), 3),
            (offset_of!(libc::statfs, f_bavail), 3),
            (offset_of!(libc::statfs, f_files), 4),
            (offset_of!(libc::statfs, f_ffree), 5),
            (offset_of!(libc::statfs, f_namelen), 255),
            (offset_of!(libc::statfs, f_frsize), 4096),
        ] {
            assert_eq!(u64_at(bytes, offset), value, "offset {offset}");
        }
    }
}
