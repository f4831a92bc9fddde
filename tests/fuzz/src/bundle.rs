//! The bundle: what is accepted lies within its bytes and keeps the limits.

use crate::{Found, ensure};
use pv_bundle::manifest::{MAX_DOMAINS, MAX_IMAGES, MAX_MEMORY, MIN_MEMORY};
use pv_bundle::{Architecture, Bundle, GuestImage};

pub(crate) fn run(bytes: &[u8]) -> Found {
    match Bundle::parse(bytes) {
        Ok(bundle) => accepted(&bundle, bytes),
        // An error is a sentence.
        Err(error) => ensure(!error.to_string().is_empty(), || "an error without a word".into()),
    }
}

/// What holds of a bundle that is accepted.
pub(crate) fn accepted(bundle: &Bundle<'_>, bytes: &[u8]) -> Found {
    let manifest = bundle.manifest();
    let (domains, images) = (manifest.domains.len(), manifest.images.len());
    ensure(domains <= MAX_DOMAINS && images <= MAX_IMAGES, || {
        format!("{domains} domains, {images} images")
    })?;
    for domain in &manifest.domains {
        let sane = domain.memory >= MIN_MEMORY
            && domain.memory <= domain.max_memory
            && (MIN_MEMORY..=domain.memory).contains(&domain.min_memory)
            && (MIN_MEMORY..=domain.max_memory).contains(&domain.limit)
            && domain.shares != 0
            && domain.max_memory <= MAX_MEMORY;
        ensure(sane, || format!("{domain:?}"))?;
        let image = bundle.image(domain.image).ok_or("a domain without an image")?;
        let inside = |file: &[u8]| {
            let found = bytes.as_ptr_range().contains(&file.as_ptr()) && !file.is_empty();
            ensure(found, || "an image or a module outside the bundle".into())
        };
        inside(image)?;
        if let Some(module) = domain.module {
            inside(bundle.image(module).ok_or("a domain without its module")?)?;
        }
        for architecture in [Architecture::X86_64, Architecture::Riscv64] {
            if let Ok(image) = GuestImage::parse(image, architecture) {
                let module = domain.module.and_then(|module| bundle.image(module));
                let bytes = module.unwrap_or_default().len() as u64;
                let _ = image.check_memory(domain.memory, domain.max_memory, bytes);
            }
        }
    }
    Ok(())
}
