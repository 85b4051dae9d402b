//! Paths of the document, and how a request escapes characters.

/// The name of a segment that is a variable: `{id}` → `id`.
pub fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// `/groups/{id}` → `/groups/:param0`, the key poem-openapi routes by.
pub fn route_key(path: &str) -> String {
    let mut count = 0;
    let segment = |segment| {
        if variable(segment).is_none() {
            return segment.to_owned();
        }
        count += 1;
        format!(":param{}", count - 1)
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The text that an escaped text stands for. Returns `None` for a lone `%` and for bytes that are not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || (rest.next()? as char).to_digit(16);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_have_one_spelling() {
        assert_eq!(percent_decode("a%20%C3%A9").as_deref(), Some("a é"));
        for text in ["%", "%f", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decode(text), None, "{text}");
        }
    }
}
