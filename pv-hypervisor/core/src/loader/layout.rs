//! Which page of a new domain holds what, and the map by which its frames are found.

use super::{BuildError, DomainSpec, Segment};
use crate::format::Format;
use crate::machine::{FRAME_WORDS, Machine};
use alloc::vec::Vec;
use hypercall_abi::start_info::BOOT_STACK_BYTES;
use hypercall_abi::{Mfn, PAGE_SIZE};

/// Pages of the boot stack.
pub(super) const STACK_PAGES: u64 = BOOT_STACK_BYTES / PAGE_SIZE;

/// First page of the P2M.
pub(super) const P2M_PFN: u64 = 3;

/// The pages of a domain that is being built.
pub(super) struct Layout {
    pub(super) frames: u64,
    pub(super) p2m_pages: u64,
    pub(super) image: u64,
    pub(super) module: u64,
    pub(super) stack: u64,
    pub(super) tables: u64,
}

/// The machine frames of the pages that hold the P2M: by them every other is found.
pub(super) struct P2m(pub(super) Vec<Mfn>);

impl P2m {
    pub(super) fn get(&self, machine: &impl Machine, pfn: u64) -> Mfn {
        let (page, word) = (pfn as usize / FRAME_WORDS, pfn as usize % FRAME_WORDS);
        Mfn(machine.read(self.0[page], word))
    }

    pub(super) fn set(&self, machine: &mut impl Machine, pfn: u64, frame: Mfn) {
        let (page, word) = (pfn as usize / FRAME_WORDS, pfn as usize % FRAME_WORDS);
        machine.write(self.0[page], word, frame.0);
    }
}

impl Layout {
    /// Where everything of the domain goes; `free` frames are nobody's.
    pub(super) fn plan<F: Format>(spec: &DomainSpec<'_>, free: u64) -> Result<Layout, BuildError> {
        let image = &spec.image;
        let physmap_end = spec
            .max_frames
            .max(spec.frames)
            .checked_mul(PAGE_SIZE)
            .and_then(|bytes| bytes.checked_add(image.physmap_base))
            .filter(|end| *end <= F::GUEST_END)
            .ok_or(BuildError::BadLayout)?;
        let mut previous_end = 1;
        let mut image_pages = 0u64;
        for segment in image.segments {
            let end = segment.address.0.checked_add(segment.memory_size);
            let end = end.filter(|end| *end <= F::GUEST_END).ok_or(BuildError::BadLayout)?;
            let overlaps_physmap = end > image.physmap_base && segment.address.0 < physmap_end;
            if segment.first_page() < previous_end
                || segment.memory_size == 0
                || segment.data.len() as u64 > segment.memory_size
                || overlaps_physmap
            {
                return Err(BuildError::BadLayout);
            }
            previous_end = segment.first_page() + segment.pages();
            image_pages += segment.pages();
        }
        if image.entry.0 >= F::GUEST_END {
            return Err(BuildError::BadLayout);
        }
        let p2m_pages = spec.max_frames.max(spec.frames).div_ceil(FRAME_WORDS as u64);
        let image_pfn = P2M_PFN + p2m_pages;
        let module = image_pfn + image_pages;
        let module_bytes = spec.module.unwrap_or_default().len();
        let stack = module + module_bytes.div_ceil(PAGE_SIZE as usize) as u64;
        let tables = stack + STACK_PAGES;
        if tables >= spec.frames {
            return Err(BuildError::TooSmall { frames: spec.frames });
        }
        if spec.frames > free {
            return Err(BuildError::NoMemory { wanted: spec.frames, free });
        }
        Ok(Layout { frames: spec.frames, p2m_pages, image: image_pfn, module, stack, tables })
    }
}

/// Copies the segments into the pages from `layout.image` on; the frames are zero before.
pub(super) fn load_image(
    machine: &mut impl Machine,
    p2m: &P2m,
    layout: &Layout,
    segments: &[Segment<'_>],
) {
    let mut pfn = layout.image;
    for segment in segments {
        let mut offset = (segment.address.0 % PAGE_SIZE) as usize;
        let mut data = segment.data;
        for page in 0..segment.pages() {
            if data.is_empty() {
                break;
            }
            let (now, rest) = data.split_at(data.len().min(PAGE_SIZE as usize - offset));
            machine.copy_in(p2m.get(machine, pfn + page), offset, now);
            data = rest;
            offset = 0;
        }
        pfn += segment.pages();
    }
}

/// Copies the module into the pages from `layout.module` on; the frames are zero before.
pub(super) fn load_module(machine: &mut impl Machine, p2m: &P2m, layout: &Layout, module: &[u8]) {
    for (pfn, page) in (layout.module..).zip(module.chunks(PAGE_SIZE as usize)) {
        machine.copy_in(p2m.get(machine, pfn), 0, page);
    }
}
