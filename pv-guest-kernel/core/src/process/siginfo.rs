//! `siginfo`, which is laid out alike on both machines.

use super::{Cause, Info, Signal};
use crate::fs::Pid;

/// Bytes of a `siginfo`.
pub const SIGINFO: usize = 128;

/// Sent by `kill`.
pub const SI_USER: i32 = 0;
/// Sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// Sent by `tkill`.
pub const SI_TKILL: i32 = -6;

/// A child ended by itself.
pub const CLD_EXITED: i32 = 1;
/// A signal ended a child.
pub const CLD_KILLED: i32 = 2;
/// A signal stopped a child.
pub const CLD_STOPPED: i32 = 5;
/// A child goes on.
pub const CLD_CONTINUED: i32 = 6;

impl Info {
    /// As programs see it.
    pub fn to_bytes(self) -> [u8; SIGINFO] {
        let mut bytes = [0; SIGINFO];
        let mut put = |at: usize, from: &[u8]| bytes[at..at + from.len()].copy_from_slice(from);
        put(0, &self.signal.number().to_le_bytes());
        match self.cause {
            Cause::Kernel => put(8, &SI_KERNEL.to_le_bytes()),
            Cause::Process { code, pid, uid, value } => {
                put(8, &code.to_le_bytes());
                put(16, &pid.0.to_le_bytes());
                put(20, &uid.to_le_bytes());
                put(24, &value.to_le_bytes());
            }
            Cause::Fault { code, address } => {
                put(8, &code.to_le_bytes());
                put(16, &address.to_le_bytes());
            }
            Cause::Child { code, pid, uid, status, user, system } => {
                put(8, &code.to_le_bytes());
                put(16, &pid.0.to_le_bytes());
                put(20, &uid.to_le_bytes());
                put(24, &status.to_le_bytes());
                put(32, &user.to_le_bytes());
                put(40, &system.to_le_bytes());
            }
        }
        bytes
    }

    /// What `sigqueue` sends: the sender says all of it but the signal.
    pub fn from_bytes(signal: Signal, bytes: &[u8; SIGINFO]) -> Info {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let value = u64::from(number(24)) | u64::from(number(28)) << 32;
        let (code, pid, uid) = (number(8) as i32, Pid(number(16)), number(20));
        Info { signal, cause: Cause::Process { code, pid, uid, value } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_arrives_as_it_was_sent() {
        let cause = Cause::Process { code: -1, pid: Pid(7), uid: 1000, value: u64::MAX - 5 };
        let info = Info { signal: Signal::USR1, cause };
        assert_eq!(Info::from_bytes(Signal::USR1, &info.to_bytes()), info);
    }

    #[test]
    fn a_fault_has_its_address_where_programs_look() {
        let cause = Cause::Fault { code: 2, address: 0x1234_5678_9abc };
        let bytes = Info { signal: Signal::SEGV, cause }.to_bytes();
        assert_eq!(bytes[..12], [11, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(bytes[16..24], 0x1234_5678_9abc_u64.to_le_bytes());
    }
}
