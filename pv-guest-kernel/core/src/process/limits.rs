//! What a process may have: [`ResourceLimits`].

use crate::{
    PAGE,
    fs::{DESCRIPTORS, Errno},
    memory::Limits,
};

/// No limit (`RLIM_INFINITY`).
pub const INFINITY: u64 = u64::MAX;

/// Resources in Linux's order, which is the same on both machines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names are those of `getrlimit`")]
pub enum Resource {
    Cpu = 0,
    FileSize = 1,
    Data = 2,
    Stack = 3,
    Core = 4,
    Resident = 5,
    Processes = 6,
    OpenFiles = 7,
    Locked = 8,
    AddressSpace = 9,
    Locks = 10,
    PendingSignals = 11,
    MessageQueues = 12,
    Nice = 13,
    RealTimePriority = 14,
    RealTimeTime = 15,
}

impl Resource {
    const ALL: [Resource; 16] = [
        Resource::Cpu,
        Resource::FileSize,
        Resource::Data,
        Resource::Stack,
        Resource::Core,
        Resource::Resident,
        Resource::Processes,
        Resource::OpenFiles,
        Resource::Locked,
        Resource::AddressSpace,
        Resource::Locks,
        Resource::PendingSignals,
        Resource::MessageQueues,
        Resource::Nice,
        Resource::RealTimePriority,
        Resource::RealTimeTime,
    ];

    /// The one with a number.
    pub fn with_number(number: u64) -> Option<Resource> {
        Resource::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A limit: the one that counts, and how far the process can raise it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What counts.
    pub soft: u64,
    /// What `soft` can be raised to.
    pub hard: u64,
}

/// The limits of a process. Those of [`Resource::Data`], [`Resource::Stack`],
/// [`Resource::AddressSpace`], [`Resource::OpenFiles`] and [`Resource::Processes`] hold; others
/// are kept for who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceLimits([Limit; 16]);

impl ResourceLimits {
    /// The limits of the first process.
    pub fn new(processes: u64) -> ResourceLimits {
        let mut limits = [Limit { soft: INFINITY, hard: INFINITY }; 16];
        let both = |value| Limit { soft: value, hard: value };
        limits[Resource::Stack as usize].soft = 8 << 20;
        limits[Resource::Core as usize].soft = 0;
        limits[Resource::Processes as usize] = both(processes);
        limits[Resource::OpenFiles as usize] = both(DESCRIPTORS.into());
        ResourceLimits(limits)
    }

    /// A limit.
    pub fn get(&self, resource: Resource) -> Limit {
        self.0[resource as usize]
    }

    /// Sets a limit.
    ///
    /// # Errors
    /// `EINVAL` if the soft one is above the hard one; `EPERM` to raise the hard one without
    /// being the superuser, or that of open files above what the kernel can do.
    pub fn set(&mut self, resource: Resource, to: Limit, privileged: bool) -> Result<(), Errno> {
        let limit = &mut self.0[resource as usize];
        if to.soft > to.hard {
            return Err(Errno::EINVAL);
        }
        let most = if resource == Resource::OpenFiles { DESCRIPTORS.into() } else { INFINITY };
        if to.hard > most || (to.hard > limit.hard && !privileged) {
            return Err(Errno::EPERM);
        }
        *limit = to;
        Ok(())
    }

    /// What they say of an address space.
    pub fn of_memory(&self) -> Limits {
        let pages = |resource| self.get(resource).soft / PAGE as u64;
        let most = Limits::default();
        Limits {
            pages: pages(Resource::AddressSpace).min(most.pages),
            data: pages(Resource::Data).min(most.data),
            stack: pages(Resource::Stack).min(STACK_PAGES),
            ..most
        }
    }
}

/// What stack limits are cut to: the place that is kept free for a stack.
pub const STACK_PAGES: u64 = (64 << 20) / PAGE as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_limit_is_not_raised_again() {
        let mut limits = ResourceLimits::new(10);
        let low = Limit { soft: 5, hard: 5 };
        limits.set(Resource::Processes, low, false).unwrap();
        let high = Limit { soft: 5, hard: 6 };
        assert_eq!(limits.set(Resource::Processes, high, false), Err(Errno::EPERM));
        limits.set(Resource::Processes, high, true).unwrap();
        let wrong = Limit { soft: 7, hard: 6 };
        assert_eq!(limits.set(Resource::Processes, wrong, true), Err(Errno::EINVAL));
    }

    #[test]
    fn resources_are_numbered_without_gaps() {
        for (number, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, number);
        }
        assert_eq!(Resource::with_number(16), None);
    }
}
