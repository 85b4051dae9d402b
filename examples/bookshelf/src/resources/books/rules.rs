//! Rules for books: pure functions.

/// Returns whether the check digit of an ISBN-13 fits: the digits, weighted by 1 and 3 in turns, sum up to a multiple of
/// ten (ISO 2108).
pub fn is_isbn(text: &str) -> bool {
    let digit = |(index, byte): (usize, u8)| u32::from(byte - b'0') * if index % 2 == 0 { 1 } else { 3 };
    text.len() == 13
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.bytes().enumerate().map(digit).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_of_an_isbn_must_fit() {
        for (text, fits) in [
            ("9780141439587", true),
            ("9780141439588", false),
            ("9780141349587", false),
            ("978014143958", false),
            ("978014143958X", false),
        ] {
            assert_eq!(is_isbn(text), fits, "{text}");
        }
    }
}
