//! Error numbers of the Linux system-call interface: [`Errno`]. They are equal on both machines.

use core::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal $meaning:literal,)*) => {
        /// Why a system call failed.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i32)]
        pub enum Errno {
            $(#[doc = $meaning] $name = $number,)*
        }

        impl Errno {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name, as C programs write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What it says.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

errnos! {
    EPERM = 1 "operation not permitted",
    ENOENT = 2 "no such file or directory",
    ESRCH = 3 "no such process",
    EINTR = 4 "interrupted system call",
    EIO = 5 "input or output error",
    ENXIO = 6 "no such device or address",
    E2BIG = 7 "argument list too long",
    ENOEXEC = 8 "not a program that can be executed",
    EBADF = 9 "bad file descriptor",
    ECHILD = 10 "no child processes",
    EAGAIN = 11 "resource temporarily unavailable",
    ENOMEM = 12 "no memory",
    EACCES = 13 "permission denied",
    EFAULT = 14 "bad address",
    ENOTBLK = 15 "not a block device",
    EBUSY = 16 "device or resource busy",
    EEXIST = 17 "file exists",
    EXDEV = 18 "link across file systems",
    ENODEV = 19 "no such device",
    ENOTDIR = 20 "not a directory",
    EISDIR = 21 "is a directory",
    EINVAL = 22 "invalid argument",
    ENFILE = 23 "too many open files in the system",
    EMFILE = 24 "too many open files in the process",
    ENOTTY = 25 "not a terminal",
    ETXTBSY = 26 "program file is busy",
    EFBIG = 27 "file too large",
    ENOSPC = 28 "no space left in the file system",
    ESPIPE = 29 "seek on a file that has no position",
    EROFS = 30 "read-only file system",
    EMLINK = 31 "too many links",
    EPIPE = 32 "pipe without a reader",
    EDOM = 33 "argument outside the domain of the function",
    ERANGE = 34 "result too large",
    EDEADLK = 35 "deadlock would follow",
    ENAMETOOLONG = 36 "file name too long",
    ENOLCK = 37 "no locks available",
    ENOSYS = 38 "system call not there",
    ENOTEMPTY = 39 "directory not empty",
    ELOOP = 40 "too many symbolic links",
    ENODATA = 61 "no data",
    ETIME = 62 "timer expired",
    EOVERFLOW = 75 "value too large for its type",
    ENOTSOCK = 88 "not a socket",
    EOPNOTSUPP = 95 "operation not supported",
    EAFNOSUPPORT = 97 "address family not supported",
    ETIMEDOUT = 110 "timed out",
}

impl Errno {
    /// Its number.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The answer of a system call that failed so.
    pub const fn answer(self) -> i64 {
        -(self as i32 as i64)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.meaning())
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, string::ToString};

    #[test]
    fn numbers_are_those_of_the_host() {
        // Where the host is Linux its own numbers decide, by way of the kinds that std derives.
        let kind = |errno: Errno| std::io::Error::from_raw_os_error(errno.number()).kind();
        if cfg!(target_os = "linux") {
            assert_eq!(kind(Errno::ENOENT), std::io::ErrorKind::NotFound);
            assert_eq!(kind(Errno::EPIPE), std::io::ErrorKind::BrokenPipe);
            assert_eq!(kind(Errno::ENOTEMPTY), std::io::ErrorKind::DirectoryNotEmpty);
            assert_eq!(kind(Errno::ETIMEDOUT), std::io::ErrorKind::TimedOut);
            assert_eq!(kind(Errno::EOPNOTSUPP), std::io::ErrorKind::Unsupported);
        }
    }

    #[test]
    fn names_and_numbers_are_distinct_and_ordered() {
        let names: BTreeSet<_> = Errno::ALL.iter().map(|errno| errno.name()).collect();
        assert_eq!(names.len(), Errno::ALL.len());
        assert!(Errno::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        assert!(Errno::ALL.iter().all(|errno| errno.answer() == -i64::from(errno.number())));
        assert_eq!(Errno::ENOENT.to_string(), "ENOENT: no such file or directory");
    }
}
