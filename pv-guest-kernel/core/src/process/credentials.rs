//! Who a process is: [`Credentials`].

use crate::fs::Errno;
use alloc::vec::Vec;

/// Supplementary groups at most.
pub const GROUPS_MAX: usize = 64;

/// A user's or a group's three numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Triple {
    /// Who started it.
    pub real: u32,
    /// Who it is now.
    pub effective: u32,
    /// Who it can be again.
    pub saved: u32,
}

/// Who a process is. All zero, the superuser, is the default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Credentials {
    /// User.
    pub user: Triple,
    /// Group.
    pub group: Triple,
    /// Further groups. They are kept, and give no rights.
    pub groups: Vec<u32>,
}

/// "Leave it as it is", of the calls that set several numbers.
const KEEP: u32 = u32::MAX;

impl Triple {
    fn has(self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// `setuid`: the superuser sets all, others become one of those they are.
    ///
    /// # Errors
    /// `EPERM`; `EINVAL` of -1.
    pub fn set(&mut self, id: u32, privileged: bool) -> Result<(), Errno> {
        match id {
            KEEP => Err(Errno::EINVAL),
            _ if privileged => {
                *self = Triple { real: id, effective: id, saved: id };
                Ok(())
            }
            _ if id == self.real || id == self.saved => {
                self.effective = id;
                Ok(())
            }
            _ => Err(Errno::EPERM),
        }
    }

    /// `setreuid`: the saved number follows when the real one is set, or the effective one is
    /// set to something else than the real one.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn set_two(&mut self, real: u32, effective: u32, privileged: bool) -> Result<(), Errno> {
        let old = *self;
        let may_real = real == KEEP || real == old.real || real == old.effective;
        if !privileged && !(may_real && (effective == KEEP || old.has(effective))) {
            return Err(Errno::EPERM);
        }
        if real != KEEP {
            self.real = real;
        }
        if effective != KEEP {
            self.effective = effective;
        }
        if real != KEEP || (effective != KEEP && effective != old.real) {
            self.saved = self.effective;
        }
        Ok(())
    }

    /// `setresuid`.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn set_three(&mut self, to: Triple, privileged: bool) -> Result<(), Errno> {
        let old = *self;
        let may = |id| privileged || id == KEEP || old.has(id);
        if ![to.real, to.effective, to.saved].into_iter().all(may) {
            return Err(Errno::EPERM);
        }
        let set = |id, was| if id == KEEP { was } else { id };
        *self = Triple {
            real: set(to.real, old.real),
            effective: set(to.effective, old.effective),
            saved: set(to.saved, old.saved),
        };
        Ok(())
    }
}

impl Credentials {
    /// Whether it is the superuser.
    pub fn is_privileged(&self) -> bool {
        self.user.effective == 0
    }

    /// Whether it may send signals to another.
    pub fn may_signal(&self, other: &Credentials) -> bool {
        let user = other.user;
        let is = |id| id == user.real || id == user.saved;
        self.is_privileged() || is(self.user.real) || is(self.user.effective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_superuser_can_become_somebody_and_not_come_back() {
        let mut user = Triple::default();
        user.set(1000, true).unwrap();
        assert_eq!(user.set(0, false), Err(Errno::EPERM));
        assert_eq!(user, Triple { real: 1000, effective: 1000, saved: 1000 });
    }

    #[test]
    fn who_kept_a_number_can_come_back_to_it() {
        let mut user = Triple::default();
        user.set_three(Triple { real: KEEP, effective: 1000, saved: KEEP }, true).unwrap();
        assert_eq!(user.effective, 1000);
        user.set_two(KEEP, 0, false).unwrap();
        assert_eq!(user, Triple::default());
        assert_eq!(user.set_two(5, 6, false), Err(Errno::EPERM));
        assert_eq!(user.set(KEEP, true), Err(Errno::EINVAL));
    }
}
