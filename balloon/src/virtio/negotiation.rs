//! What device and driver agree on, and how far they are with that.

use bitflags::bitflags;

bitflags! {
    /// What a device can do and a driver wants. Bits that have no name here are not offered: hints of
    /// free pages serve migration, of which there is none; rings and descriptors of other kinds are more to
    /// check and make nothing of this cheaper.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Features: u64 {
        /// The driver says so before it uses pages of the balloon, and waits. Required: the frame is
        /// somebody else's, and a page without one would stop the guest at any moment.
        const MUST_TELL_HOST = 1 << 0;
        /// There is a queue for statistics.
        const STATS_VQ = 1 << 1;
        /// The driver may take pages out of the balloon, whatever the target, when the guest is out of
        /// memory.
        const DEFLATE_ON_OOM = 1 << 2;
        /// The guest fills free pages with a value, and says which. Accepted, as Linux reports no free page
        /// otherwise; frames come back as zeros, so that with another value reports are answered and take
        /// nothing.
        const PAGE_POISON = 1 << 4;
        /// There is a queue for reports of free pages.
        const PAGE_REPORTING = 1 << 5;
        /// The device is one of virtio 1. Required: there is no legacy interface.
        const VERSION_1 = 1 << 32;
    }
}

impl Features {
    /// Whether a driver may want just that. Bits that were not offered make it wrong, for whatever they
    /// would mean.
    pub(super) fn accepts(bits: u64) -> Option<Features> {
        let required = Features::VERSION_1 | Features::MUST_TELL_HOST;
        Features::from_bits(bits).filter(|features| features.contains(required))
    }
}

bitflags! {
    /// How far a driver has come.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Status: u8 {
        /// The guest has seen the device.
        const ACKNOWLEDGE = 1;
        /// It has a driver.
        const DRIVER = 2;
        /// The driver is ready.
        const DRIVER_OK = 4;
        /// Both agree on features.
        const FEATURES_OK = 8;
        /// The device has met a [`Fault`](super::Fault), and does nothing until it is reset.
        const NEEDS_RESET = 64;
        /// The driver has given up.
        const FAILED = 128;
    }
}
