//! Pages in spare memory.

use super::call;
use hypercall_abi::{
    Error, Mfn,
    calls::{SpareDrop, SpareGet, SparePut, spare_put::SpareName},
};

/// [`SparePut`]: keeps a copy of a frame as long as nobody needs the memory. False: nothing is kept under
/// the name.
///
/// # Errors
/// As the book's page says.
pub fn spare_put(frame: Mfn, name: SpareName) -> Result<bool, Error> {
    // SAFETY: it reads a frame of the caller's and changes no memory of it.
    unsafe { call(&SparePut { frame, name }) }.map(|value| value == 1)
}

/// [`SpareGet`]: copies a page that was kept into a frame that is mapped writable. False: it is not there, and the frame
/// is as it was.
///
/// # Errors
/// As the book's page says: `TypeConflict` while the frame is not mapped writable, as that of a page
/// may be for a while that is [advised](super::share_advise) to be shared.
///
/// # Safety
/// Rust code holds no reference to what is in the frame.
pub unsafe fn spare_get(frame: Mfn, name: SpareName) -> Result<bool, Error> {
    // SAFETY: the caller answers for the frame.
    unsafe { call(&SpareGet { frame, name }) }.map(|value| value == 1)
}

/// [`SpareDrop`]: keeps a page no more. False: there was none.
///
/// # Errors
/// None; the call's shape has one.
pub fn spare_drop(name: SpareName) -> Result<bool, Error> {
    // SAFETY: it touches no memory of the caller's.
    unsafe { call(&SpareDrop { name }) }.map(|value| value == 1)
}
