//! How Linux's structures lie in the memory of processes, field by field, on each machine.

mod directory;
mod stat;
mod system;
mod terminal;
mod time;

pub use directory::{DIRENT_NAME, DirentKind, dirent};
pub use stat::{STATFS, device_from, device_number, stat, statfs, statx};
pub use system::{Names, Resources, SysInfo, rusage, sysinfo, utsname};
pub use terminal::{TERMIOS, TERMIOS2, settings_from, termios, termios2, window_from, winsize};
pub use time::{TIMESPEC, nanoseconds, timespec, timespec_from, timeval, timeval_from};

/// Bytes of a structure, little-endian, written one field after the other.
#[derive(Clone, Debug)]
pub struct Record<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Default for Record<N> {
    fn default() -> Self {
        Record { bytes: [0; N], at: 0 }
    }
}

impl<const N: usize> Record<N> {
    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.at]
    }

    /// Bytes as they are.
    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        self
    }

    /// Zeros.
    pub(super) fn skip(&mut self, count: usize) -> &mut Self {
        self.at += count;
        assert!(self.at <= N, "the record has {N} bytes");
        self
    }

    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }
}

/// The field of `N` bytes at an offset.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    core::array::from_fn(|index| bytes[at + index])
}

/// The number of 32 bits at an offset.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(field(bytes, at))
}

/// The number of 64 bits at an offset.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(field(bytes, at))
}

/// The signed number of 64 bits at an offset.
pub fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(field(bytes, at))
}
