//! Any calls with any arguments: nothing panics, and all counts hold.

use super::*;
use proptest::prelude::*;

/// The calls of this part of the kernel, and the fork that makes pages shared.
const CALLS: &[Call] = &[
    Call::Access,
    Call::Adjtimex,
    Call::Brk,
    Call::Chdir,
    Call::Chmod,
    Call::Chown,
    Call::Chroot,
    Call::ClockGetres,
    Call::ClockGettime,
    Call::ClockNanosleep,
    Call::Close,
    Call::CloseRange,
    Call::CopyFileRange,
    Call::Creat,
    Call::Dup,
    Call::Dup2,
    Call::Dup3,
    Call::Faccessat,
    Call::Faccessat2,
    Call::Fadvise64,
    Call::Fallocate,
    Call::Fchdir,
    Call::Fchmod,
    Call::Fchmodat,
    Call::Fchmodat2,
    Call::Fchown,
    Call::Fchownat,
    Call::Fcntl,
    Call::Fdatasync,
    Call::Flock,
    Call::Fstat,
    Call::Fstatfs,
    Call::Fsync,
    Call::Ftruncate,
    Call::Futimesat,
    Call::Getcpu,
    Call::Getcwd,
    Call::Getdents,
    Call::Getdents64,
    Call::Getrandom,
    Call::Gettimeofday,
    Call::Getxattr,
    Call::Ioctl,
    Call::Lchown,
    Call::Link,
    Call::Linkat,
    Call::Lseek,
    Call::Lstat,
    Call::Madvise,
    Call::Mincore,
    Call::Mkdir,
    Call::Mkdirat,
    Call::Mknod,
    Call::Mknodat,
    Call::Mlock,
    Call::Mmap,
    Call::Mount,
    Call::Mprotect,
    Call::Mremap,
    Call::Msync,
    Call::Munlock,
    Call::Munmap,
    Call::Nanosleep,
    Call::Newfstatat,
    Call::Open,
    Call::Openat,
    Call::Pipe,
    Call::Pipe2,
    Call::Poll,
    Call::Ppoll,
    Call::Pread64,
    Call::Preadv,
    Call::Pselect6,
    Call::Pwrite64,
    Call::Pwritev,
    Call::Read,
    Call::Readlink,
    Call::Readlinkat,
    Call::Readv,
    Call::Reboot,
    Call::Rename,
    Call::Renameat,
    Call::Renameat2,
    Call::Rmdir,
    Call::Select,
    Call::Sendfile,
    Call::Setdomainname,
    Call::Sethostname,
    Call::Settimeofday,
    Call::Stat,
    Call::Statfs,
    Call::Statx,
    Call::Symlink,
    Call::Symlinkat,
    Call::Sync,
    Call::Syncfs,
    Call::Sysinfo,
    Call::Syslog,
    Call::Time,
    Call::Truncate,
    Call::Umount2,
    Call::Uname,
    Call::Unlink,
    Call::Unlinkat,
    Call::Utime,
    Call::Utimensat,
    Call::Utimes,
    Call::Write,
    Call::Writev,
];

/// Calls that have the more effect, the more often they are made.
const OFTEN: &[Call] = &[
    Call::Openat,
    Call::Read,
    Call::Write,
    Call::Mmap,
    Call::Mremap,
    Call::Munmap,
    Call::Pipe2,
    Call::Mkdirat,
    Call::Renameat2,
    Call::Ftruncate,
    Call::Close,
    Call::Writev,
    Call::Sendfile,
];

const PATHS: [&str; 10] =
    ["/f", "/d", "/d/f", "f", "/fifo", "/link", "/proc/self/maps", "/dev/tty", "/proc/1/fd/3", ""];

/// Where the paths are, a string of `PATHS` every 32 bytes; behind them are words.
const STRINGS: u64 = BUFFER;
const WORDS: u64 = BUFFER + 1024;
const P: u64 = PAGE as u64;

fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..10_u64,
        6 => (0..PATHS.len() as u64).prop_map(|index| STRINGS + 32 * index),
        4 => (0..64_u64).prop_map(|index| WORDS + 8 * index),
        2 => (0..70_u64).prop_map(|page| BUFFER + page * P),
        1 => (0..4_u64).prop_map(|page| 0x2000_0000 + page * P),
        2 => (0..6_u64).prop_map(|pages| pages * P),
        1 => Just(CWD),
        2 => prop::sample::select(vec![0o100, 0o102, 0o1102, 0o2101, 0o4000, 0o10_000_000, 0x22,
            0x12, 0x32, 0x100, 0x200, 0x400, 0x1000, 0x010_1ff, 0x5401, 0x5402, 0x540e, 0x5410, 0x541b]),
        1 => any::<u64>(),
        1 => Just(u64::MAX),
        1 => 0..100_000_u64,
    ]
}

fn call() -> impl Strategy<Value = (Call, [u64; 6])> {
    let call = prop_oneof![
        2 => prop::sample::select(CALLS),
        3 => prop::sample::select(OFTEN),
    ];
    (call, prop::array::uniform6(argument()))
}

fn start<const RISCV: bool>(pages: u64) -> World<RISCV> {
    let mut world = World::<RISCV>::with_pages(pages);
    for (index, path) in PATHS.iter().enumerate() {
        let mut bytes = [0; 32];
        bytes[..path.len()].copy_from_slice(path.as_bytes());
        world.store(STRINGS + 32 * index as u64, &bytes);
    }
    let words: Vec<u8> = (0..64_u64)
        .flat_map(|index| {
            if index % 2 == 0 { BUFFER + index * 900 } else { index * 100 }.to_le_bytes()
        })
        .collect();
    world.store(WORDS, &words);
    world.ok(Call::Mknodat, &[CWD, STRINGS + 4 * 32, 0o010_644, 0]);
    world.ok(Call::Symlinkat, &[STRINGS + 2 * 32, CWD, STRINGS + 5 * 32]);
    world
}

fn play<const RISCV: bool>(pages: u64, calls: &[(Call, [u64; 6])], fork_at: usize) {
    let mut world = start::<RISCV>(pages);
    let machine = <Model<RISCV> as Platform>::MACHINE;
    let mut other = None;
    for (step, (call, args)) in calls.iter().enumerate() {
        if step == fork_at {
            // There may be no page for it.
            other = world.call(Call::Clone, &[17]).ok().map(|child| Pid(child as u32));
        }
        if let Some(other) = other
            && step % 3 == 0
        {
            world.who = if world.who == INIT { other } else { INIT };
        }
        if call.number(machine).is_none() {
            continue;
        }
        // What waits is given up half of the time, and made again otherwise.
        if matches!(world.call(*call, args), Err(Stop::Wait(_) | Stop::NoMemory)) {
            if step % 2 == 0 {
                let _ = world.call(*call, args);
            }
            let who = world.who;
            let opening = world.kernel.processes.get_mut(who).unwrap().progress.opening.take();
            if let Some(id) = opening {
                let (fs, mut store) = world.kernel.storage();
                fs.close(id, &mut store);
            }
            world.kernel.finish_call(who);
        }
        world.kernel.serve_wakes();
        if step % 8 == 0 {
            world.audit();
        }
    }
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn calls_with_any_arguments_do_no_harm(
        calls in prop::collection::vec(call(), 1..150),
        pages in prop_oneof![60..120_u64, Just(1024)],
        fork_at in 0..60_usize,
    ) {
        play::<false>(pages, &calls, fork_at);
        play::<true>(pages, &calls, fork_at);
    }
}
