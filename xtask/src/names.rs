//! Names of calls and status codes, for people.

use hypercall_abi::{Error, Number};

/// The call's name; an unknown call is shown by its number.
pub fn call(number: u64) -> String {
    Number::new(number).map_or_else(|| format!("call {number}"), |call| call.name().into())
}

/// The status's name; success is `Success`, an unknown status is shown by its number.
pub fn status(number: u64) -> String {
    match number {
        0 => "Success".into(),
        number => Error::new(number)
            .map_or_else(|| format!("status {number}"), |error| error.name().into()),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        assert_eq!(call(2), "pt_pin");
        assert_eq!(call(1000), "call 1000");
        assert_eq!(status(0), "Success");
        assert_eq!(status(1), "UnknownCall");
        assert_eq!(status(u64::MAX), format!("status {}", u64::MAX));
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
