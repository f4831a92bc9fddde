//! Grants, and pages that share frames.

use super::call;
use crate::{argument, sync};
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Mfn, Pfn,
    calls::{
        GrantMap, GrantRevoke, GrantShare, GrantUnmap, P2mRegister, ShareAdvise, ShareBreak,
        grant_map::MappedGrant, grant_share::Access, share_advise::Advice,
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

/// [`P2mRegister`]: tells the hypervisor the next frames of the P2M, 64 at most.
///
/// # Errors
/// As the book's page says.
///
/// # Safety
/// The frames hold the guest's P2M, whose slots the hypervisor writes from then on: whoever reads
/// them takes that into account.
pub unsafe fn p2m_register(frames: &[Mfn]) -> Result<(), Error> {
    sync::masked(|| {
        argument::store(frames);
        // SAFETY: the caller answers for the frames.
        unsafe { call(&P2mRegister { count: frames.len() as u64 }) }.map(drop)
    })
}

/// [`ShareAdvise`]: says of pages that follow one another whether they may share frames, and of
/// up to 64 what is in them: see [`ShareAdvise::content`].
///
/// # Errors
/// As the book's page says.
pub fn share_advise(first: Pfn, count: u64, advice: Advice, content: u64) -> Result<(), Error> {
    // SAFETY: a page that shares a frame has the same content and can be written as before.
    unsafe { call(&ShareAdvise { first, count, advice, content }) }.map(drop)
}

/// Gives a page a frame of its own that does not change until it is advised to be shared:
/// [`ShareAdvise`] to keep it, and [`ShareBreak`].
///
/// # Errors
/// As the book's pages say: `NoMemory` when there is no frame for it.
pub fn keep_page(page: Pfn) -> Result<(), Error> {
    keep_pages(page, 1)
}

/// As [`keep_page`], for up to 512 pages that follow one another.
///
/// # Errors
/// As [`keep_page`]; some of the pages may have frames of their own then.
pub fn keep_pages(first: Pfn, count: u64) -> Result<(), Error> {
    share_advise(first, count, Advice::Keep, 0)?;
    // SAFETY: the pages keep their content.
    unsafe { call(&ShareBreak { first, count }) }.map(drop)
}
