//! The guest's memory as a device reaches it: by guest-physical address, by copies.

/// A guest-physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct GuestAddress(pub u64);

impl GuestAddress {
    /// So many bytes on; an error beyond all addresses, which a guest may have meant to wrap.
    pub(super) fn plus(self, bytes: u64) -> Result<GuestAddress, OutsideMemory> {
        self.0.checked_add(bytes).map(GuestAddress).ok_or(OutsideMemory)
    }
}

/// Some of the bytes are not in memory that the guest has now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutsideMemory;

/// The memory of one guest.
///
/// The guest runs meanwhile on other processors and may change what is read: each access is a copy, and
/// of no access is it said that two bytes of it are of the same moment, but for aligned 16 bits.
pub trait GuestMemory {
    /// Copies bytes out of the guest's memory.
    fn read(&self, from: GuestAddress, to: &mut [u8]) -> Result<(), OutsideMemory>;

    /// Copies bytes into it; none, if they do not all lie in it.
    fn write(&mut self, to: GuestAddress, from: &[u8]) -> Result<(), OutsideMemory>;
}
