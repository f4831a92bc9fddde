//! The module that whoever boots the suite gives the domain under test, and none of its peers: two
//! pages of words, each another, the last of which is not whole.

/// Bytes of the module.
pub const BYTES: usize = 5003;

/// Word `index` of the pages that hold the module: zeros follow its last byte.
pub const fn word(index: usize) -> u64 {
    let word = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index as u64 + 1);
    match BYTES.saturating_sub(8 * index) {
        0 => 0,
        bytes @ 1..8 => word & ((1 << (8 * bytes)) - 1),
        _ => word,
    }
}

/// The module.
pub const fn bytes() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let mut index = 0;
    while index < BYTES {
        bytes[index] = word(index / 8).to_le_bytes()[index % 8];
        index += 1;
    }
    bytes
}
