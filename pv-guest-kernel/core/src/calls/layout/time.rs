//! `struct timespec` and `struct timeval`, which are two words on both machines.

use super::{Record, i64_at};
use crate::fs::{Errno, Time};

/// Bytes of `struct timespec`, and of `struct timeval`.
pub const TIMESPEC: usize = 16;

const SECOND: u64 = 1_000_000_000;

/// `struct timespec` of so many nanoseconds.
pub fn timespec(nanoseconds: u64) -> Record<TIMESPEC> {
    let mut record = Record::default();
    record.u64(nanoseconds / SECOND).u64(nanoseconds % SECOND);
    record
}

/// `struct timeval` of so many nanoseconds.
pub fn timeval(nanoseconds: u64) -> Record<TIMESPEC> {
    let mut record = Record::default();
    record.u64(nanoseconds / SECOND).u64(nanoseconds % SECOND / 1000);
    record
}

/// The time that a `struct timespec` says.
///
/// # Errors
/// `EINVAL` if the nanoseconds are no part of a second.
pub fn timespec_from(bytes: &[u8]) -> Result<Time, Errno> {
    let nanoseconds = u32::try_from(i64_at(bytes, 8)).map_err(|_| Errno::EINVAL)?;
    if u64::from(nanoseconds) >= SECOND {
        return Err(Errno::EINVAL);
    }
    Ok(Time { seconds: i64_at(bytes, 0), nanoseconds })
}

/// The time that a `struct timeval` says.
///
/// # Errors
/// `EINVAL` if the microseconds are no part of a second.
pub fn timeval_from(bytes: &[u8]) -> Result<Time, Errno> {
    let microseconds = u32::try_from(i64_at(bytes, 8)).map_err(|_| Errno::EINVAL)?;
    if microseconds >= 1_000_000 {
        return Err(Errno::EINVAL);
    }
    Ok(Time { seconds: i64_at(bytes, 0), nanoseconds: microseconds * 1000 })
}

/// A span of time in nanoseconds; what is too long never ends.
///
/// # Errors
/// `EINVAL` of a negative one.
pub fn nanoseconds(time: Time) -> Result<u64, Errno> {
    let seconds = u64::try_from(time.seconds).map_err(|_| Errno::EINVAL)?;
    Ok(seconds.saturating_mul(SECOND).saturating_add(time.nanoseconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        let time = Time { seconds: 3, nanoseconds: 4_005_006 };
        assert_eq!(timespec_from(timespec(3_004_005_006).bytes()), Ok(time));
        let time = Time { seconds: 3, nanoseconds: 4_005_000 };
        assert_eq!(timeval_from(timeval(3_004_005_006).bytes()), Ok(time));
        assert_eq!(nanoseconds(time), Ok(3_004_005_000));
    }

    #[test]
    fn hostile_times_are_refused_or_long() {
        let mut bytes = [0; TIMESPEC];
        for wrong in [SECOND, u64::MAX, 1 << 63, SECOND + (1 << 32)] {
            bytes[8..].copy_from_slice(&wrong.to_le_bytes());
            assert_eq!(timespec_from(&bytes), Err(Errno::EINVAL));
            assert_eq!(timeval_from(&bytes), Err(Errno::EINVAL));
        }
        assert_eq!(nanoseconds(Time { seconds: -1, nanoseconds: 0 }), Err(Errno::EINVAL));
        assert_eq!(nanoseconds(Time { seconds: i64::MAX, nanoseconds: 0 }), Ok(u64::MAX));
    }
}
