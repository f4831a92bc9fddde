//! `/dev/spare`: pages that the machine keeps as long as it has memory to spare. It is read and written by
//! whole pages. What is at an offset is what was written there last, or nothing: then a read ends there, as at
//! the end of a file. A write that finds no memory fails with `ENOSPC`, and nothing is there.

use super::{Errno, Storage, io::Stop};
use crate::PAGE;

/// The number of the page at an offset.
fn first_page(offset: u64, length: usize) -> Result<u64, Errno> {
    if !offset.is_multiple_of(PAGE as u64) || !length.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    Ok(offset / PAGE as u64)
}

/// Reads pages up to the first that is not there: how many bytes.
pub(super) fn read(offset: u64, to: &mut [u8], storage: &mut dyn Storage) -> Result<usize, Stop> {
    let first = first_page(offset, to.len())?;
    let (pages, _) = to.as_chunks_mut::<PAGE>();
    let mut there = 0;
    for (number, page) in (first..).zip(pages) {
        if !storage.spare_get(number, page) {
            break;
        }
        there += 1;
    }
    Ok(there * PAGE)
}

/// Writes pages up to the first that is not kept: how many bytes.
pub(super) fn write(offset: u64, from: &[u8], storage: &mut dyn Storage) -> Result<usize, Stop> {
    let first = first_page(offset, from.len())?;
    let (pages, _) = from.as_chunks::<PAGE>();
    let numbered = (first..).zip(pages);
    let kept = numbered.take_while(|(number, page)| storage.spare_put(*number, page)).count();
    if kept == 0 && !from.is_empty() {
        return Err(Errno::ENOSPC.into());
    }
    Ok(kept * PAGE)
}
