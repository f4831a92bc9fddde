//! The configuration space: four numbers of 32 bits, little-endian.

/// Its length.
pub const CONFIG_BYTES: usize = 16;

/// What stands in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Pages that the device wants in the balloon.
    pub num_pages: u32,
    /// Pages that the driver says are. A word, no more: the device counts itself.
    pub actual: u32,
    /// Of hints of free pages, which are not offered: 0, stop.
    pub free_page_hint_cmd_id: u32,
    /// What the guest fills free pages with.
    pub poison_val: u32,
}

impl Config {
    pub(super) fn bytes(&self) -> [u8; CONFIG_BYTES] {
        let numbers = [self.num_pages, self.actual, self.free_page_hint_cmd_id, self.poison_val];
        let mut bytes = [0; CONFIG_BYTES];
        for (to, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Takes what a driver writes, of any length, to the two fields that are its own; `poison_val` is only
    /// until the driver is ready, as pages may have gone after that.
    pub(super) fn write(&mut self, offset: usize, data: &[u8], ready: bool) {
        let mut bytes = self.bytes();
        let end = offset.saturating_add(data.len());
        if let Some(place) = bytes.get_mut(offset..end) {
            place.copy_from_slice(data);
        }
        let number = |at: usize| u32::from_le_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        self.actual = number(4);
        if !ready {
            self.poison_val = number(12);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_writes_its_own_fields_alone() {
        let mut config = Config { num_pages: 7, ..Config::default() };
        config.write(0, &[9; 16], false);
        assert_eq!((config.num_pages, config.free_page_hint_cmd_id), (7, 0));
        assert_eq!((config.actual, config.poison_val), (0x0909_0909, 0x0909_0909));
        config.write(4, &[1], true);
        config.write(12, &[1; 4], true);
        assert_eq!((config.actual, config.poison_val), (0x0909_0901, 0x0909_0909));
        for offset in [13, 16, usize::MAX] {
            config.write(offset, &[0; 4], false);
        }
        assert_eq!((config.actual, config.poison_val), (0x0909_0901, 0x0909_0909));
    }
}
