//! Grants.

use super::call;
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Mfn,
    calls::{
        GrantMap, GrantRevoke, GrantShare, GrantUnmap, grant_map::MappedGrant, grant_share::Access,
    },
};

/// [`GrantShare`]: permits another domain to map a frame.
///
/// # Errors
/// As the book's page says.
///
/// # Safety
/// While the grant lives Rust code holds no reference to what is in the frame, which the other
/// domain can read, and with [`Access::ReadWrite`] change at any time.
pub unsafe fn grant_share(domain: DomainId, frame: Mfn, access: Access) -> Result<GrantRef, Error> {
    // SAFETY: the caller answers for the frame.
    unsafe { call(&GrantShare { domain, frame, access }) }.map(|value| GrantRef(value as u32))
}

/// [`GrantRevoke`]: takes a grant back.
///
/// # Errors
/// As the book's page says; `Busy` while it is mapped.
pub fn grant_revoke(grant: GrantRef) -> Result<(), Error> {
    // SAFETY: it gives nobody access to memory.
    unsafe { call(&GrantRevoke { grant }) }.map(drop)
}

/// [`GrantMap`]: opens a grant of another domain.
///
/// # Errors
/// As the book's page says.
pub fn grant_map(domain: DomainId, grant: GrantRef, access: Access) -> Result<MappedGrant, Error> {
    // SAFETY: it maps nothing by itself.
    unsafe { call(&GrantMap { domain, grant, access }) }.map(MappedGrant::from_value)
}

/// [`GrantUnmap`]: closes a handle.
///
/// # Errors
/// As the book's page says; `Busy` while a page-table entry names the frame.
pub fn grant_unmap(handle: GrantHandle) -> Result<(), Error> {
    // SAFETY: nothing maps the frame any more, or the call is refused.
    unsafe { call(&GrantUnmap { handle }) }.map(drop)
}
