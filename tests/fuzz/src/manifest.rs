//! The manifest of a bundle whose header is sound and whose image is one page: the bytes are
//! the manifest alone.

use crate::{Found, bundle};
use pv_bundle::{Bundle, MAGIC, VERSION};

const PAGE: usize = 4096;

pub(crate) fn run(manifest: &[u8]) -> Found {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, 0, 0, 0]);
    bytes.extend((manifest.len() as u32).to_le_bytes());
    bytes.extend(manifest);
    bytes.resize(bytes.len().next_multiple_of(PAGE) + PAGE, 0);
    match Bundle::parse(&bytes) {
        Ok(accepted) => bundle::accepted(&accepted, &bytes),
        Err(_) => Ok(()),
    }
}
