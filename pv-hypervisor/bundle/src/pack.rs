//! Writing a bundle.

use crate::manifest::{Domain, Image, Manifest, Options};
use crate::parse::check_manifest;
use crate::{BundleError, HEADER_BYTES, MAGIC, VERSION, page_up};
use alloc::vec::Vec;

/// An image, or a module, to pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedImage<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

/// Packs domains and their images into a bundle.
///
/// # Errors
/// The first rule that the manifest breaks, see [`BundleError`]; the rules are those of
/// [`Bundle::parse`](crate::Bundle::parse), which then accepts the result.
pub fn pack(
    domains: &[Domain<'_>],
    images: &[NamedImage<'_>],
    options: Options,
) -> Result<Vec<u8>, BundleError> {
    let mut manifest = Manifest {
        domains: domains.to_vec(),
        images: images
            .iter()
            .map(|image| Image { name: image.name, offset: 0, length: image.bytes.len() as u64 })
            .collect(),
        options,
    };
    check_manifest(&manifest)?;
    if let Some(index) = images.iter().position(|image| image.bytes.is_empty()) {
        return Err(BundleError::ImageRange(index));
    }
    // An offset takes at most ten bytes in the manifest: reserve them, so that the
    // manifest's own length does not move the images that it places.
    let reserved = encode(&manifest)?.len() + 10 * images.len() + HEADER_BYTES;
    let mut end = page_up(reserved as u64).ok_or(BundleError::TooLarge)?;
    for image in &mut manifest.images {
        image.offset = end;
        end = end.checked_add(image.length).and_then(page_up).ok_or(BundleError::TooLarge)?;
    }
    let text = encode(&manifest)?;
    let mut bundle = Vec::with_capacity(usize::try_from(end).map_err(|_| BundleError::TooLarge)?);
    bundle.extend(MAGIC);
    bundle.extend([VERSION, 0, 0, 0]);
    bundle.extend(u32::try_from(text.len()).map_err(|_| BundleError::TooLarge)?.to_le_bytes());
    bundle.extend(&text);
    for (place, image) in manifest.images.iter().zip(images) {
        bundle.resize(usize::try_from(place.offset).map_err(|_| BundleError::TooLarge)?, 0);
        bundle.extend(image.bytes);
    }
    bundle.resize(usize::try_from(end).map_err(|_| BundleError::TooLarge)?, 0);
    Ok(bundle)
}

fn encode(manifest: &Manifest<'_>) -> Result<Vec<u8>, BundleError> {
    postcard::to_allocvec(manifest).map_err(|_| BundleError::TooLarge)
}
