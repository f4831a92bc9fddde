//! Reading a bundle, every byte of it untrusted.

use crate::manifest::{
    Domain, Image, MAX_COMMAND_LINE, MAX_DOMAINS, MAX_IMAGES, MAX_MEMORY, MAX_NAME, MIN_MEMORY,
    Manifest,
};
use crate::{BundleError, HEADER_BYTES, MAGIC, VERSION};
use hypercall_abi::PAGE_SIZE;

/// A bundle whose manifest has been checked: every image that it names lies inside it.
/// What the images hold is checked by [`GuestImage::parse`](crate::GuestImage::parse).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle<'a> {
    manifest: Manifest<'a>,
    bytes: &'a [u8],
}

impl<'a> Bundle<'a> {
    /// Reads the bundle at the start of `bytes`; what follows its last image is ignored,
    /// as boot loaders round a module's length up.
    ///
    /// # Errors
    /// The first rule that it breaks, see [`BundleError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Bundle<'a>, BundleError> {
        let start = bytes.get(..MAGIC.len()).ok_or(BundleError::Magic)?;
        if start != MAGIC {
            return Err(BundleError::Magic);
        }
        let header = bytes.get(..HEADER_BYTES).ok_or(BundleError::Truncated)?;
        if header[8] != VERSION || header[9..12] != [0; 3] {
            return Err(BundleError::Version(header[8]));
        }
        let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(HEADER_BYTES))
            .ok_or(BundleError::Truncated)?;
        let text = bytes.get(HEADER_BYTES..end).ok_or(BundleError::Truncated)?;
        let (manifest, rest) =
            postcard::take_from_bytes::<Manifest<'a>>(text).map_err(|_| BundleError::Manifest)?;
        if !rest.is_empty() {
            return Err(BundleError::Manifest);
        }
        check_manifest(&manifest)?;
        check_places(&manifest, end as u64, bytes.len() as u64)?;
        Ok(Bundle { manifest, bytes })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// The bytes of image `index`; `None` for one that is not there.
    pub fn image(&self, index: u16) -> Option<&'a [u8]> {
        let image = self.manifest.images.get(usize::from(index))?;
        let start = usize::try_from(image.offset).ok()?;
        let end = start.checked_add(usize::try_from(image.length).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// The rules of a manifest that do not depend on where images lie.
pub(crate) fn check_manifest(manifest: &Manifest<'_>) -> Result<(), BundleError> {
    if manifest.domains.is_empty() {
        return Err(BundleError::NoDomain);
    }
    if manifest.domains.len() > MAX_DOMAINS {
        return Err(BundleError::TooManyDomains);
    }
    if manifest.images.len() > MAX_IMAGES {
        return Err(BundleError::TooManyImages);
    }
    for (index, domain) in manifest.domains.iter().enumerate() {
        check_domain(index, domain, manifest.images.len())?;
        let earlier = manifest.domains[..index].iter().position(|other| other.name == domain.name);
        if let Some(earlier) = earlier {
            return Err(BundleError::SameName(earlier, index));
        }
    }
    for (index, image) in manifest.images.iter().enumerate() {
        if !is_name(image.name) {
            return Err(BundleError::ImageName(index));
        }
    }
    let slice = manifest.options.slice_ms;
    if !(1..=1000).contains(&slice) {
        return Err(BundleError::Slice(slice));
    }
    Ok(())
}

fn check_domain(index: usize, domain: &Domain<'_>, images: usize) -> Result<(), BundleError> {
    if !is_name(domain.name) {
        return Err(BundleError::DomainName(index));
    }
    if domain.command_line.len() > MAX_COMMAND_LINE
        || domain.command_line.contains(char::is_control)
    {
        return Err(BundleError::CommandLine(index));
    }
    let pages = |bytes: u64| bytes.is_multiple_of(PAGE_SIZE);
    if !pages(domain.memory) || !(MIN_MEMORY..=MAX_MEMORY).contains(&domain.memory) {
        return Err(BundleError::Memory(index, domain.memory));
    }
    if !pages(domain.max_memory) || !(domain.memory..=MAX_MEMORY).contains(&domain.max_memory) {
        return Err(BundleError::MaxMemory(index, domain.max_memory));
    }
    if !pages(domain.min_memory) || !(MIN_MEMORY..=domain.memory).contains(&domain.min_memory) {
        return Err(BundleError::LeastMemory(index, domain.min_memory));
    }
    if !pages(domain.limit) || !(MIN_MEMORY..=domain.max_memory).contains(&domain.limit) {
        return Err(BundleError::Limit(index, domain.limit));
    }
    if domain.shares == 0 {
        return Err(BundleError::Shares(index));
    }
    if usize::from(domain.image) >= images {
        return Err(BundleError::NoImage(index, domain.image));
    }
    if let Some(module) = domain.module.filter(|module| usize::from(*module) >= images) {
        return Err(BundleError::NoModule(index, module));
    }
    Ok(())
}

/// Each image on pages of its own, after the manifest, inside the file.
fn check_places(manifest: &Manifest<'_>, start: u64, length: u64) -> Result<(), BundleError> {
    for (index, image) in manifest.images.iter().enumerate() {
        let end = end_of(image).ok_or(BundleError::ImageRange(index))?;
        if image.length == 0
            || !image.offset.is_multiple_of(PAGE_SIZE)
            || image.offset < start
            || end > length
        {
            return Err(BundleError::ImageRange(index));
        }
        for (earlier, other) in manifest.images[..index].iter().enumerate() {
            let other_end = end_of(other).ok_or(BundleError::ImageRange(earlier))?;
            if image.offset < other_end && other.offset < end {
                return Err(BundleError::ImagesOverlap(earlier, index));
            }
        }
    }
    Ok(())
}

fn end_of(image: &Image<'_>) -> Option<u64> {
    image.offset.checked_add(image.length)
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control)
}
