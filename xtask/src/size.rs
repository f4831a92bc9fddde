//! Sizes of memory as people write them: `64M`, `2G`, `8192K`, `1048576`.

use anyhow::{Result, bail};

/// Reads a size: a whole number of bytes, or of the unit `K`, `M` or `G` (powers of 1024;
/// `KiB`, `MB` and so on mean the same).
pub fn parse(text: &str) -> Result<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => bail!("`{text}` is not a size: write a number and K, M or G, such as 64M"),
    };
    let Ok(number) = number.parse::<u64>() else {
        bail!("`{text}` is not a size: write a number and K, M or G, such as 64M");
    };
    match number.checked_mul(1 << shift) {
        Some(bytes) => Ok(bytes),
        None => bail!("`{text}` is too large a size: write one below 16777216G"),
    }
}

/// The size in the largest unit that leaves no rest.
pub fn show(bytes: u64) -> String {
    for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64M", 64 << 20),
            ("64 MiB", 64 << 20),
            ("2g", 2 << 30),
            ("8192k", 8 << 20),
        ] {
            assert_eq!(parse(text).expect(text), bytes);
        }
    }

    #[test]
    fn other_text_is_refused_with_an_example() {
        for text in ["", "M", "-1M", "1.5G", "64X", "M64", "64MM", "99999999999999999999"] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("such as 64M") && error.contains(text), "{error}");
        }
        assert!(
            parse("18446744073709551615G")
                .expect_err("too large")
                .to_string()
                .contains("too large")
        );
    }

    #[test]
    fn sizes_are_shown_as_they_are_read() {
        for text in ["64M", "2G", "1K", "4097", "0"] {
            assert_eq!(show(parse(text).expect(text)), text);
        }
    }
}
