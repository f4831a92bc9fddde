//! An ELF file without what follows its last loaded byte: sections and debug information
//! stay on the host, where the log decoder reads them.

/// The file with everything cut off that no program header names. A file that is not a
/// 64-bit little-endian ELF file, or is damaged, comes back as it is: the checks of
/// `pv-bundle` say what is wrong with it.
pub fn strip(bytes: &[u8]) -> Vec<u8> {
    stripped(bytes).unwrap_or_else(|| bytes.to_vec())
}

fn stripped(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let headers = usize::try_from(long(bytes, 32)?).ok()?;
    let (size, count) = (usize::from(short(bytes, 54)?), usize::from(short(bytes, 56)?));
    let mut end = headers.checked_add(size.checked_mul(count)?)?.max(64);
    for index in 0..count {
        let header = headers + index * size;
        let (offset, length) = (long(bytes, header + 8)?, long(bytes, header + 32)?);
        end = end.max(usize::try_from(offset.checked_add(length)?).ok()?);
    }
    let mut kept = bytes.get(..end)?.to_vec();
    kept[40..48].fill(0); // e_shoff
    kept[60..64].fill(0); // e_shnum, e_shstrndx
    Some(kept)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_program_loses_its_debug_information_and_keeps_its_segments() {
        let own = std::fs::read(std::env::current_exe().expect("a path")).expect("reads");
        let kept = strip(&own);
        assert!(kept.len() < own.len());
        assert_eq!(kept[64..], own[64..kept.len()]);
        assert_eq!(strip(&kept), kept);
    }

    #[test]
    fn other_files_are_left_alone() {
        for bytes in [&b""[..], b"text", b"\x7fELF\x02\x01", &[0x7f; 100]] {
            assert_eq!(strip(bytes), bytes);
        }
    }
}
