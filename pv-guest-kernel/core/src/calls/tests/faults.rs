//! Bad addresses: in each argument of each call that is one, they are `EFAULT`, and nothing
//! has changed.

use super::*;
use alloc::{format, string::String};

/// What a call does with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pointer {
    /// It reads there.
    In,
    /// It writes there.
    Out,
}
use Pointer::{In, Out};

/// All that a call might have changed, as text.
fn state(world: &World) -> String {
    let kernel = &world.kernel;
    let process = kernel.processes.get(world.who).expect("the process is there");
    let areas = process.space.as_ref().map(|space| space.areas());
    format!(
        "{:?} {:?} {:?} {:?} {areas:?} {:?} {:?} {:?} {:?}",
        kernel.fs,
        process.descriptors,
        process.working,
        process.ids,
        kernel.terminal,
        kernel.host_name,
        process.signals.blocked,
        kernel.end,
    )
}

/// A call with good arguments, and which of them are addresses.
type Case = (Call, Vec<u64>, Vec<(usize, Pointer)>);

#[test]
fn a_bad_address_is_an_error_and_changes_nothing() {
    let mut world = World::new();
    world.ok(Call::Setsid, &[]);
    world.ok(Call::Ioctl, &[0, 0x540e, 0]);
    world.file("/f", &[7; 100]);
    let fd = world.open("/f", 2);
    let directory = world.open("/", 0);
    let (reader, writer) = world.pipe(0o4000);
    world.write(writer, b"some").unwrap();
    world.kernel.platform.type_in(b"line\n");
    world.kernel.read_console();
    let [f, new, link] = ["/f", "/new", "/link"].map(|path| world.string(path));
    let target = world.string("/f");
    world.ok(Call::Symlink, &[target, link]);
    let (at, more) = (world.put(&[0; 512]), world.put(&[0; 512]));
    let group = world.put(&[1, 0, 0, 0]);
    let poll = world.put(&[reader as u8, 0, 0, 0, 1, 0, 0, 0]);
    let parts = world.put(&[at, 4].map(u64::to_le_bytes).concat());
    let set = world.put(&(1_u64 << reader).to_le_bytes());
    let cases: Vec<Case> = vec![
        (Call::Read, vec![fd, at, 4], vec![(1, Out)]),
        (Call::Read, vec![0, at, 4], vec![(1, Out)]),
        (Call::Read, vec![reader, at, 4], vec![(1, Out)]),
        (Call::Write, vec![fd, at, 4], vec![(1, In)]),
        (Call::Write, vec![writer, at, 4], vec![(1, In)]),
        (Call::Pread64, vec![fd, at, 4, 0], vec![(1, Out)]),
        (Call::Pwrite64, vec![fd, at, 4, 0], vec![(1, In)]),
        (Call::Readv, vec![fd, parts, 1], vec![(1, In)]),
        (Call::Writev, vec![fd, parts, 1], vec![(1, In)]),
        (Call::Preadv, vec![fd, parts, 1, 0], vec![(1, In)]),
        (Call::Pwritev, vec![fd, parts, 1, 0], vec![(1, In)]),
        (Call::Sendfile, vec![writer, fd, at, 4], vec![(2, Out)]),
        (Call::CopyFileRange, vec![fd, at, fd, more, 0, 0], vec![(1, Out), (3, Out)]),
        (Call::Open, vec![new, 0o101, 0], vec![(0, In)]),
        (Call::Openat, vec![CWD, new, 0o101, 0], vec![(1, In)]),
        (Call::Creat, vec![new, 0], vec![(0, In)]),
        (Call::Pipe, vec![at], vec![(0, Out)]),
        (Call::Pipe2, vec![at, 0], vec![(0, Out)]),
        (Call::Fcntl, vec![fd, 5, at], vec![(2, Out)]),
        (Call::Fcntl, vec![fd, 6, at], vec![(2, In)]),
        (Call::Truncate, vec![f, 9], vec![(0, In)]),
        (Call::Mkdir, vec![new, 0], vec![(0, In)]),
        (Call::Mkdirat, vec![CWD, new, 0], vec![(1, In)]),
        (Call::Mknod, vec![new, 0, 0], vec![(0, In)]),
        (Call::Mknodat, vec![CWD, new, 0, 0], vec![(1, In)]),
        (Call::Unlink, vec![f], vec![(0, In)]),
        (Call::Rmdir, vec![f], vec![(0, In)]),
        (Call::Unlinkat, vec![CWD, f, 0], vec![(1, In)]),
        (Call::Rename, vec![f, new], vec![(0, In), (1, In)]),
        (Call::Renameat, vec![CWD, f, CWD, new], vec![(1, In), (3, In)]),
        (Call::Renameat2, vec![CWD, f, CWD, new, 0], vec![(1, In), (3, In)]),
        (Call::Link, vec![f, new], vec![(0, In), (1, In)]),
        (Call::Linkat, vec![CWD, f, CWD, new, 0], vec![(1, In), (3, In)]),
        (Call::Symlink, vec![f, new], vec![(0, In), (1, In)]),
        (Call::Symlinkat, vec![f, CWD, new], vec![(0, In), (2, In)]),
        (Call::Readlink, vec![link, at, 9], vec![(0, In), (1, Out)]),
        (Call::Readlinkat, vec![CWD, link, at, 9], vec![(1, In), (2, Out)]),
        (Call::Getcwd, vec![at, 9], vec![(0, Out)]),
        (Call::Chdir, vec![f], vec![(0, In)]),
        (Call::Chroot, vec![f], vec![(0, In)]),
        (Call::Getdents64, vec![directory, at, 512], vec![(1, Out)]),
        (Call::Getdents, vec![directory, at, 512], vec![(1, Out)]),
        (Call::Mount, vec![f, f, f, 0, 0], vec![(1, In), (2, In)]),
        (Call::Umount2, vec![f, 0], vec![(0, In)]),
        (Call::Stat, vec![f, at], vec![(0, In), (1, Out)]),
        (Call::Lstat, vec![f, at], vec![(0, In), (1, Out)]),
        (Call::Fstat, vec![fd, at], vec![(1, Out)]),
        (Call::Newfstatat, vec![CWD, f, at, 0], vec![(1, In), (2, Out)]),
        (Call::Statx, vec![CWD, f, 0, 0, at], vec![(1, In), (4, Out)]),
        (Call::Statfs, vec![f, at], vec![(0, In), (1, Out)]),
        (Call::Fstatfs, vec![fd, at], vec![(1, Out)]),
        (Call::Access, vec![f, 0], vec![(0, In)]),
        (Call::Faccessat, vec![CWD, f, 0], vec![(1, In)]),
        (Call::Faccessat2, vec![CWD, f, 0, 0], vec![(1, In)]),
        (Call::Chmod, vec![f, 0], vec![(0, In)]),
        (Call::Fchmodat, vec![CWD, f, 0], vec![(1, In)]),
        (Call::Chown, vec![f, 1, 1], vec![(0, In)]),
        (Call::Lchown, vec![f, 1, 1], vec![(0, In)]),
        (Call::Fchownat, vec![CWD, f, 1, 1, 0], vec![(1, In)]),
        (Call::Utime, vec![f, at], vec![(0, In), (1, In)]),
        (Call::Utimes, vec![f, at], vec![(0, In), (1, In)]),
        (Call::Futimesat, vec![CWD, f, at], vec![(1, In), (2, In)]),
        (Call::Utimensat, vec![CWD, f, at, 0], vec![(1, In), (2, In)]),
        (Call::Poll, vec![poll, 1, 0], vec![(0, Out)]),
        (Call::Ppoll, vec![poll, 1, at, more, 8], vec![(0, Out), (2, In), (3, In)]),
        (Call::Select, vec![64, set, set, set, at], vec![(1, Out), (2, Out), (3, Out), (4, In)]),
        (
            Call::Pselect6,
            vec![64, set, set, set, at, more],
            vec![(1, Out), (2, Out), (3, Out), (4, In), (5, In)],
        ),
        (Call::Mincore, vec![BUFFER, 2 * PAGE as u64, at], vec![(2, Out)]),
        (Call::ClockGettime, vec![0, at], vec![(1, Out)]),
        (Call::ClockGetres, vec![0, at], vec![(1, Out)]),
        (Call::Gettimeofday, vec![at, more], vec![(0, Out), (1, Out)]),
        (Call::Time, vec![at], vec![(0, Out)]),
        (Call::Nanosleep, vec![at, more], vec![(0, In)]),
        (Call::ClockNanosleep, vec![0, 0, at, more], vec![(2, In)]),
        (Call::Adjtimex, vec![at], vec![(0, Out)]),
        (Call::ClockAdjtime, vec![0, at], vec![(1, Out)]),
        (Call::Uname, vec![at], vec![(0, Out)]),
        (Call::Sethostname, vec![at, 9], vec![(0, In)]),
        (Call::Setdomainname, vec![at, 9], vec![(0, In)]),
        (Call::Sysinfo, vec![at], vec![(0, Out)]),
        (Call::Getrandom, vec![at, 9, 0], vec![(0, Out)]),
        (Call::Getcpu, vec![at, more], vec![(0, Out), (1, Out)]),
        (Call::Ioctl, vec![0, 0x5401, at], vec![(2, Out)]),
        (Call::Ioctl, vec![0, 0x5402, at], vec![(2, In)]),
        (Call::Ioctl, vec![0, 0x802c_542a, at], vec![(2, Out)]),
        (Call::Ioctl, vec![0, 0x402c_542b, at], vec![(2, In)]),
        (Call::Ioctl, vec![0, 0x540f, at], vec![(2, Out)]),
        (Call::Ioctl, vec![0, 0x5410, group], vec![(2, In)]),
        (Call::Ioctl, vec![0, 0x5411, at], vec![(2, Out)]),
        (Call::Ioctl, vec![0, 0x5413, at], vec![(2, Out)]),
        (Call::Ioctl, vec![0, 0x5414, at], vec![(2, In)]),
        (Call::Ioctl, vec![0, 0x541b, at], vec![(2, Out)]),
        (Call::Ioctl, vec![fd, 0x541b, at], vec![(2, Out)]),
        (Call::Ioctl, vec![fd, 0x5421, at], vec![(2, In)]),
        (Call::Ioctl, vec![0, 0x5429, at], vec![(2, Out)]),
    ];
    let end = BUFFER + ROOM;
    for (call, args, pointers) in cases {
        for (index, pointer) in pointers {
            // Nowhere, beyond the addresses, where nothing may be done, and half of it there.
            let mut bad = vec![end, NO_ACCESS, 8, u64::MAX, u64::MAX - 7, 1 << 63, end - 1];
            if pointer == Out {
                bad.push(READ_ONLY);
            }
            for address in bad {
                let mut args = args.clone();
                args[index] = address;
                if address == end - 1 {
                    // A string or a transfer of which a byte is there; others need all of it.
                    world.store(address, b"x");
                }
                let before = state(&world);
                let answer = world.call(call, &args);
                let what = format!("{} with {address:#x} as argument {index}", call.name());
                let part = matches!(
                    call,
                    Call::Read | Call::Write | Call::Pread64 | Call::Pwrite64 | Call::Getrandom
                );
                if address == end - 1 && part {
                    assert_eq!(answer, Ok(1), "{what}");
                    continue;
                }
                assert_eq!(answer, Err(Stop::Errno(Errno::EFAULT)), "{what}");
                assert!(before == state(&world), "{what} changed {before}\nto {}", state(&world));
            }
        }
    }
    world.finish();
}
