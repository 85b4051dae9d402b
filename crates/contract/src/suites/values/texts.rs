//! Texts of a given length that fit a pattern, grown out of one that does.

use serde_json::{Value, json};

use crate::document::Document;
use crate::suites::expression::UNIQUE;

/// A valid text of about this length, or of any length.
pub fn text(document: &Document, schema: &Value, seed: &str, length: i64) -> Option<Value> {
    let known = [
        seed,
        "x",
        "1",
        "a@example.com",
        "2026-01-02T03:04:05Z",
        "2026-01-02",
        "03:04:05Z",
        "7f3f5b1e-6a4b-4c1e-9b43-0d5f0f6d2a11",
        "https://example.com/a",
        "example.com",
        "192.0.2.1",
        "2001:db8::1",
        "QQ==",
        "A",
        "a-b",
        "AB12",
        "+4912345678",
        "1.0.0",
        "#a0b1c2",
    ];
    let exact = of_length(document, schema, seed, length);
    let loose = || known.iter().map(|text| json!(text)).find(|value| document.allows(schema, value));
    let longer = || known.iter().find_map(|seed| of_length(document, schema, seed, length));
    exact.or_else(loose).or_else(longer)
}

/// A valid text of exactly this many characters, grown out of another.
pub fn of_length(document: &Document, schema: &Value, seed: &str, length: i64) -> Option<Value> {
    let length = usize::try_from(length).ok().filter(|length| *length <= 1 << 21)?;
    let fits = |text: &str| document.allows(schema, &json!(text)).then(|| json!(text));
    let characters: Vec<char> = seed.chars().collect();
    if characters.len() > length {
        // a word that is to be another each time would be lost
        return [seed.chars().take(length).collect::<String>(), "x".repeat(length)].iter().find_map(|text| fits(text));
    }
    let plain = (!seed.contains(UNIQUE)).then_some(["x", "1", "a", "A"]).into_iter().flatten();
    let plain = plain.map(|character| character.repeat(length)).find_map(|text| fits(&text));
    let padded = || [format!("{seed}{}", "x".repeat(length - characters.len()))].iter().find_map(|text| fits(text));
    plain.or_else(padded).or_else(|| pumped(&characters, length, &fits))
}

/// The text with one part repeated as often as the length needs: of a regular language some part can be.
fn pumped(seed: &[char], length: usize, fits: &impl Fn(&str) -> Option<Value>) -> Option<Value> {
    let missing = length - seed.len();
    let splice = |at: usize, part: &[char], times: usize, more: Option<(usize, usize)>| {
        let mut text: String = seed[..at].iter().collect();
        (0..times).for_each(|_| text.extend(part));
        text.extend(&seed[at..]);
        if let Some((at, count)) = more {
            let mut characters: Vec<char> = text.chars().collect();
            let again = vec![characters[at]; count];
            characters.splice(at..at, again);
            text = characters.into_iter().collect();
        }
        text
    };
    let mut windows: Vec<(usize, usize)> =
        (0..seed.len()).flat_map(|from| (from + 1..=seed.len().min(from + 8)).map(move |to| (from, to))).collect();
    // a separator with what follows it can often be repeated without end
    windows.sort_by_key(|(from, to)| (seed[*from].is_alphanumeric(), to - from));
    for (from, to) in windows {
        let part = &seed[from..to];
        let (times, rest) = (missing / part.len(), missing % part.len());
        // two is enough to see whether it can be repeated at all
        if rest == 0 {
            if let Some(value) = fits(&splice(from, part, times, None)) {
                return Some(value);
            }
            continue;
        }
        if fits(&splice(from, part, times, None)).is_none() {
            continue;
        }
        let whole = seed.len() + times * part.len();
        if let Some(value) = (0..whole).rev().find_map(|at| fits(&splice(from, part, times, Some((at, rest))))) {
            return Some(value);
        }
    }
    None
}
