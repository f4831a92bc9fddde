//! The vCPU page: what the hypervisor and one vCPU of the guest tell each other without a
//! call. Both sides write it; the hypervisor believes nothing that it reads there.
//!
//! | offset | size | what |
//! |---:|---:|---|
//! | 0 | 64 | [`VcpuHeader`] |
//! | 64 | 128 | pending bits, one a port: bit `p % 64` of word `p / 64` |
//! | 192 | 128 | mask bits, likewise; a set bit masks the port |
//! | 1024 | | [`TRAP_FRAMES`](crate::trap::TRAP_FRAMES) trap frames, one after another |
//!
//! To take events: clear `events_pending` with an atomic exchange, then take pending bits one word
//! at a time with another. The hypervisor sets the port's bit first and `events_pending` after
//! it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Offset of the pending bits: [`EVENT_WORDS`] words.
pub const PENDING_OFFSET: usize = 64;
/// Offset of the mask bits: [`EVENT_WORDS`] words.
pub const MASK_OFFSET: usize = 192;
/// Words of 64 bits in each of the two bitmaps.
pub const EVENT_WORDS: usize = 16;
/// Offset of the first trap frame.
pub const TRAP_FRAMES_OFFSET: usize = 1024;

/// Offset of `events_pending` in the page.
pub const EVENTS_PENDING_OFFSET: usize = 0;
/// Offset of `events_masked` in the page.
pub const EVENTS_MASKED_OFFSET: usize = 8;
/// Offset of `trap_depth` in the page.
pub const TRAP_DEPTH_OFFSET: usize = 16;
/// Offset of `target_frames` in the page.
pub const TARGET_FRAMES_OFFSET: usize = 24;

/// The first 64 bytes of the page. Each field has a word of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuHeader {
    /// Not 0: some unmasked port became pending. Set by the hypervisor, cleared by the guest.
    pub events_pending: u64,
    /// Not 0: no event traps. Set by a trap; set and cleared by the guest, after which it
    /// looks at `events_pending` itself.
    pub events_masked: u64,
    /// Trap frames held, 0 to [`TRAP_FRAMES`](crate::trap::TRAP_FRAMES).
    pub trap_depth: u64,
    /// Frames that the operator would like the domain to own, as `domain_query` tells them: set by
    /// the hypervisor before it raises [`Port::BALLOON`](crate::Port::BALLOON).
    pub target_frames: u64,
    /// Reserved: 0.
    pub reserved: [u64; 4],
}

const _: () = {
    assert!(size_of::<VcpuHeader>() == PENDING_OFFSET);
    assert!(core::mem::offset_of!(VcpuHeader, events_pending) == EVENTS_PENDING_OFFSET);
    assert!(core::mem::offset_of!(VcpuHeader, events_masked) == EVENTS_MASKED_OFFSET);
    assert!(core::mem::offset_of!(VcpuHeader, trap_depth) == TRAP_DEPTH_OFFSET);
    assert!(core::mem::offset_of!(VcpuHeader, target_frames) == TARGET_FRAMES_OFFSET);
    assert!(PENDING_OFFSET + 8 * EVENT_WORDS == MASK_OFFSET);
    assert!(EVENT_WORDS * 64 == crate::Port::COUNT as usize);
    let frames = crate::trap::TRAP_FRAMES as usize;
    assert!(
        TRAP_FRAMES_OFFSET + frames * size_of::<crate::trap::X86_64TrapFrame>()
            <= crate::PAGE_SIZE as usize
    );
    assert!(
        TRAP_FRAMES_OFFSET + frames * size_of::<crate::trap::Riscv64TrapFrame>()
            <= crate::PAGE_SIZE as usize
    );
};
