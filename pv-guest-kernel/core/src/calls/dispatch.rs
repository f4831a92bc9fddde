//! From the number of a system call to what serves it: [`dispatch`].

use super::{
    Answer, Call, Stop, alarm, attributes, decode, descriptors, files, identity, limits, memory,
    names, poll, process, signal, sizes, system, terminal, time,
};
use crate::{
    Platform,
    fs::{Errno, Pid},
    kernel::Kernel,
};
use alloc::format;

/// What serves a call: it gets the caller and the call's arguments, all of them hostile.
type Handler<P> = fn(&mut Kernel<P>, Pid, [u64; 6]) -> Answer;

/// Makes a call of a process.
pub(crate) fn dispatch<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    number: u64,
    args: [u64; 6],
) -> Answer {
    match decode(P::MACHINE, number).and_then(handler) {
        Some(handle) => handle(kernel, who, args),
        None => missing(kernel, who, number),
    }
}

fn handler<P: Platform>(call: Call) -> Option<Handler<P>> {
    Some(match call {
        Call::Read => files::read,
        Call::Write => files::write,
        Call::Pread64 => files::pread64,
        Call::Pwrite64 => files::pwrite64,
        Call::Readv => files::readv,
        Call::Writev => files::writev,
        Call::Preadv => files::preadv,
        Call::Pwritev => files::pwritev,
        Call::Lseek => files::lseek,
        Call::Open => files::open,
        Call::Openat => files::openat,
        Call::Creat => files::creat,
        Call::Sendfile => files::sendfile,
        Call::CopyFileRange => files::copy_file_range,
        Call::Close => descriptors::close,
        Call::CloseRange => descriptors::close_range,
        Call::Dup => descriptors::dup,
        Call::Dup2 => descriptors::dup2,
        Call::Dup3 => descriptors::dup3,
        Call::Fcntl => descriptors::fcntl,
        Call::Flock => descriptors::flock,
        Call::Pipe => descriptors::pipe,
        Call::Pipe2 => descriptors::pipe2,
        Call::Truncate => sizes::truncate,
        Call::Ftruncate => sizes::ftruncate,
        Call::Fallocate => sizes::fallocate,
        Call::Fsync | Call::Fdatasync => sizes::fsync,
        Call::Sync => sizes::sync,
        Call::Syncfs | Call::SyncFileRange => sizes::syncfs,
        Call::Fadvise64 => sizes::fadvise64,
        Call::Mkdir => names::mkdir,
        Call::Mkdirat => names::mkdirat,
        Call::Mknod => names::mknod,
        Call::Mknodat => names::mknodat,
        Call::Unlink => names::unlink,
        Call::Unlinkat => names::unlinkat,
        Call::Rmdir => names::rmdir,
        Call::Rename => names::rename,
        Call::Renameat => names::renameat,
        Call::Renameat2 => names::renameat2,
        Call::Link => names::link,
        Call::Linkat => names::linkat,
        Call::Symlink => names::symlink,
        Call::Symlinkat => names::symlinkat,
        Call::Readlink => names::readlink,
        Call::Readlinkat => names::readlinkat,
        Call::Getcwd => names::getcwd,
        Call::Chdir => names::chdir,
        Call::Fchdir => names::fchdir,
        Call::Chroot => names::chroot,
        Call::Getdents => names::getdents,
        Call::Getdents64 => names::getdents64,
        Call::Mount => names::mount,
        Call::Umount2 => names::umount2,
        Call::Stat => attributes::stat,
        Call::Lstat => attributes::lstat,
        Call::Fstat => attributes::fstat,
        Call::Newfstatat => attributes::newfstatat,
        Call::Statx => attributes::statx,
        Call::Statfs => attributes::statfs,
        Call::Fstatfs => attributes::fstatfs,
        Call::Access => attributes::access,
        Call::Faccessat => attributes::faccessat,
        Call::Faccessat2 => attributes::faccessat2,
        Call::Chmod => attributes::chmod,
        Call::Fchmod => attributes::fchmod,
        Call::Fchmodat => attributes::fchmodat,
        Call::Fchmodat2 => attributes::fchmodat2,
        Call::Chown => attributes::chown,
        Call::Lchown => attributes::lchown,
        Call::Fchown => attributes::fchown,
        Call::Fchownat => attributes::fchownat,
        Call::Utime => attributes::utime,
        Call::Utimes => attributes::utimes,
        Call::Futimesat => attributes::futimesat,
        Call::Utimensat => attributes::utimensat,
        Call::Setxattr
        | Call::Lsetxattr
        | Call::Fsetxattr
        | Call::Getxattr
        | Call::Lgetxattr
        | Call::Fgetxattr
        | Call::Listxattr
        | Call::Llistxattr
        | Call::Flistxattr
        | Call::Removexattr
        | Call::Lremovexattr
        | Call::Fremovexattr => attributes::no_xattr,
        Call::Poll => poll::poll,
        Call::Ppoll => poll::ppoll,
        Call::Select => poll::select,
        Call::Pselect6 => poll::pselect6,
        Call::Mmap => memory::mmap,
        Call::Munmap => memory::munmap,
        Call::Mprotect => memory::mprotect,
        Call::Brk => memory::brk,
        Call::Madvise => memory::madvise,
        Call::Mremap => memory::mremap,
        Call::Msync => memory::msync,
        Call::Mincore => memory::mincore,
        Call::Mlock | Call::Mlock2 | Call::Mlockall => memory::mlock,
        Call::Munlock | Call::Munlockall => memory::munlock,
        Call::ClockGettime => time::clock_gettime,
        Call::ClockGetres => time::clock_getres,
        Call::ClockNanosleep => time::clock_nanosleep,
        Call::Nanosleep => time::nanosleep,
        Call::Gettimeofday => time::gettimeofday,
        Call::Time => time::time,
        Call::Adjtimex => time::adjtimex,
        Call::ClockAdjtime => time::clock_adjtime,
        Call::Settimeofday | Call::ClockSettime => time::set_time,
        Call::Uname => system::uname,
        Call::Sethostname => system::sethostname,
        Call::Setdomainname => system::setdomainname,
        Call::Sysinfo => system::sysinfo,
        Call::Getrandom => system::getrandom,
        Call::Syslog => system::syslog,
        Call::Reboot => system::reboot,
        Call::Getcpu => system::getcpu,
        Call::Socket | Call::Socketpair => system::no_sockets,
        Call::Ioctl => terminal::ioctl,

        Call::Getpid | Call::Gettid => process::getpid,
        Call::Getppid => process::getppid,
        Call::SetTidAddress => process::set_tid_address,
        Call::Fork => process::fork,
        Call::Vfork => process::vfork,
        Call::Clone => process::clone,
        Call::Execve => process::execve,
        Call::Exit | Call::ExitGroup => process::exit,
        Call::Wait4 => process::wait4,
        Call::Waitid => process::waitid,

        Call::Getuid => identity::getuid,
        Call::Geteuid => identity::geteuid,
        Call::Getgid => identity::getgid,
        Call::Getegid => identity::getegid,
        Call::Setuid => identity::setuid,
        Call::Setgid => identity::setgid,
        Call::Setreuid => identity::setreuid,
        Call::Setregid => identity::setregid,
        Call::Setresuid => identity::setresuid,
        Call::Setresgid => identity::setresgid,
        Call::Getresuid => identity::getresuid,
        Call::Getresgid => identity::getresgid,
        Call::Setfsuid => identity::setfsuid,
        Call::Setfsgid => identity::setfsgid,
        Call::Getgroups => identity::getgroups,
        Call::Setgroups => identity::setgroups,
        Call::Umask => identity::umask,
        Call::Getpgid => identity::getpgid,
        Call::Getpgrp => identity::getpgrp,
        Call::Getsid => identity::getsid,
        Call::Setpgid => identity::setpgid,
        Call::Setsid => identity::setsid,

        Call::Prlimit64 => limits::prlimit64,
        Call::Getrlimit => limits::getrlimit,
        Call::Setrlimit => limits::setrlimit,
        Call::Getrusage => limits::getrusage,
        Call::Times => limits::times,
        Call::Getpriority => limits::getpriority,
        Call::Setpriority => limits::setpriority,
        Call::SchedYield => limits::sched_yield,
        Call::SchedGetaffinity => limits::sched_getaffinity,
        Call::SchedSetaffinity => limits::sched_setaffinity,
        Call::SchedGetscheduler | Call::SchedGetPriorityMax | Call::SchedGetPriorityMin => {
            limits::sched_other
        }
        Call::Prctl => limits::prctl,
        Call::ArchPrctl => limits::arch_prctl,
        Call::Personality => limits::personality,
        Call::SetRobustList => limits::set_robust_list,
        Call::RiscvFlushIcache => limits::riscv_flush_icache,
        Call::Futex => limits::futex,
        Call::Clone3 | Call::Rseq | Call::Membarrier | Call::RiscvHwprobe => limits::not_there,

        Call::RtSigaction => signal::rt_sigaction,
        Call::RtSigprocmask => signal::rt_sigprocmask,
        Call::RtSigpending => signal::rt_sigpending,
        Call::RtSigsuspend => signal::rt_sigsuspend,
        Call::RtSigtimedwait => signal::rt_sigtimedwait,
        Call::RtSigreturn => signal::rt_sigreturn,
        Call::Sigaltstack => signal::sigaltstack,
        Call::Pause => signal::pause,
        Call::Kill => signal::kill,
        Call::Tkill => signal::tkill,
        Call::Tgkill => signal::tgkill,
        Call::RtSigqueueinfo => signal::rt_sigqueueinfo,
        Call::Getitimer => alarm::getitimer,
        Call::Setitimer => alarm::setitimer,
        Call::Alarm => alarm::alarm,

        _ => return None,
    })
}

/// A call that the kernel does not have: it says so, the first time.
fn missing<P: Platform>(kernel: &mut Kernel<P>, who: Pid, number: u64) -> Answer {
    // What a program asks for must not fill the kernel's heap.
    if kernel.missing.len() < 512 && kernel.missing.insert(number) {
        let name = decode(P::MACHINE, number).map_or("unknown", Call::name);
        let line = format!("process {}: no system call {number} ({name})\n", who.0);
        kernel.platform.console_write(line.as_bytes());
    }
    Err(Stop::Errno(Errno::ENOSYS))
}
