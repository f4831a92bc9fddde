//! What a call returns: one status of a closed, documented set.
//!
//! The documentation of each [`Error`] is its meaning for every call; a call's page in the
//! book says which of them it can return and in which order they are checked. Whatever the
//! error, nothing has changed, except where the page says that a prefix took effect and the
//! value counts it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A status as it travels: 0 is success, any other value an [`Error`] or unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct Status(pub u64);

impl Status {
    /// The call did what it says.
    pub const SUCCESS: Status = Status(0);

    /// The status as a result. `None`: a status that this version does not know.
    pub const fn decode(self) -> Option<Result<(), Error>> {
        if self.0 == 0 {
            return Some(Ok(()));
        }
        match Error::new(self.0) {
            Some(error) => Some(Err(error)),
            None => None,
        }
    }
}

impl From<Result<(), Error>> for Status {
    fn from(result: Result<(), Error>) -> Status {
        match result {
            Ok(()) => Status::SUCCESS,
            Err(error) => Status(error as u64),
        }
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u64)]
pub enum Error {
    /// No call has this number.
    UnknownCall = 1,
    /// An argument is outside its range or has reserved bits set.
    BadArgument = 2,
    /// No frame of memory has this number: it lies beyond the end, in a hole or in a device.
    BadFrame = 3,
    /// The frame belongs to another domain, to the hypervisor or to nobody, and no live
    /// grant handle of the caller names it.
    NotOwner = 4,
    /// What the frame is used as now forbids what is asked: a page table cannot be mapped
    /// writable, a frame that is mapped writable cannot become a page table.
    TypeConflict = 5,
    /// The page-table entry sets bits that the format reserves or the hypervisor forbids.
    BadEntry = 6,
    /// The level is not one of the page-table format, or not the level that the table has.
    BadLevel = 7,
    /// The frame is not a validated page table.
    NotTable = 8,
    /// The slot or the address lies in the hypervisor's range, or is not canonical.
    HypervisorRange = 9,
    /// No page table of the address space reaches this virtual page.
    NotMapped = 10,
    /// The frame, grant or handle is still referenced: take the references away first. Or
    /// another vCPU's call is validating the table or taking it apart: try again.
    Busy = 11,
    /// The table is pinned already.
    AlreadyPinned = 12,
    /// The table is not pinned.
    NotPinned = 13,
    /// A reference count has reached its largest value.
    CountOverflow = 14,
    /// The hypervisor has no free frame.
    NoMemory = 15,
    /// The domain has reached its limit of this resource.
    QuotaExceeded = 16,
    /// No such domain, or it is being destroyed.
    NoDomain = 17,
    /// The domain has no such grant, or it is not for the caller.
    NoGrant = 18,
    /// The grant is for reading only.
    ReadOnlyGrant = 19,
    /// The caller already has this frame mapped through a handle.
    AlreadyMapped = 20,
    /// No such live handle.
    NoHandle = 21,
    /// No such open port.
    NoPort = 22,
    /// The port is not of the kind or in the state that the call needs.
    PortState = 23,
    /// The caller has not the right to do this.
    NotPermitted = 24,
    /// The call may not stand in a batch.
    NotInBatch = 25,
    /// The vCPU has not registered what the call needs (trap entry, user root).
    NotRegistered = 26,
    /// The trap frame to return to cannot be used: none is held, its flags are not known, its
    /// program counter lies outside the guest's range, or (x86-64) the base of `fs` or `gs` is
    /// not canonical.
    BadTrapFrame = 27,
    /// The frame is one that several pages share, to be read only. It is no page's own: read the
    /// P2M again, name the page instead of the frame, or have it made a frame of the caller's own
    /// by `share_break`.
    Moved = 28,
}

impl Error {
    /// Every error, in the order of their numbers, which begin at 1 without a gap.
    pub const ALL: [Error; 28] = [
        Error::UnknownCall,
        Error::BadArgument,
        Error::BadFrame,
        Error::NotOwner,
        Error::TypeConflict,
        Error::BadEntry,
        Error::BadLevel,
        Error::NotTable,
        Error::HypervisorRange,
        Error::NotMapped,
        Error::Busy,
        Error::AlreadyPinned,
        Error::NotPinned,
        Error::CountOverflow,
        Error::NoMemory,
        Error::QuotaExceeded,
        Error::NoDomain,
        Error::NoGrant,
        Error::ReadOnlyGrant,
        Error::AlreadyMapped,
        Error::NoHandle,
        Error::NoPort,
        Error::PortState,
        Error::NotPermitted,
        Error::NotInBatch,
        Error::NotRegistered,
        Error::BadTrapFrame,
        Error::Moved,
    ];

    /// The error of that number.
    pub const fn new(number: u64) -> Option<Error> {
        if number >= 1 && number <= Error::ALL.len() as u64 {
            Some(Error::ALL[number as usize - 1])
        } else {
            None
        }
    }

    /// The error's name, as it stands in this enumeration.
    pub const fn name(self) -> &'static str {
        match self {
            Error::UnknownCall => "UnknownCall",
            Error::BadArgument => "BadArgument",
            Error::BadFrame => "BadFrame",
            Error::NotOwner => "NotOwner",
            Error::TypeConflict => "TypeConflict",
            Error::BadEntry => "BadEntry",
            Error::BadLevel => "BadLevel",
            Error::NotTable => "NotTable",
            Error::HypervisorRange => "HypervisorRange",
            Error::NotMapped => "NotMapped",
            Error::Busy => "Busy",
            Error::AlreadyPinned => "AlreadyPinned",
            Error::NotPinned => "NotPinned",
            Error::CountOverflow => "CountOverflow",
            Error::NoMemory => "NoMemory",
            Error::QuotaExceeded => "QuotaExceeded",
            Error::NoDomain => "NoDomain",
            Error::NoGrant => "NoGrant",
            Error::ReadOnlyGrant => "ReadOnlyGrant",
            Error::AlreadyMapped => "AlreadyMapped",
            Error::NoHandle => "NoHandle",
            Error::NoPort => "NoPort",
            Error::PortState => "PortState",
            Error::NotPermitted => "NotPermitted",
            Error::NotInBatch => "NotInBatch",
            Error::NotRegistered => "NotRegistered",
            Error::BadTrapFrame => "BadTrapFrame",
            Error::Moved => "Moved",
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Error {}
