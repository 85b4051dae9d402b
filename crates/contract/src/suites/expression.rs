//! Runtime expressions, as OpenAPI's links have them: `$response.body#/id`, `$response.header.ETag`,
//! `$request.body#/email`. In a setup file they name whose: `$book.response.body#/id`.

use serde_json::{Map, Value};

use crate::exchange::Answer;

/// The placeholder for a word that is new in each request; it has the length of the word.
pub const UNIQUE: &str = "unique00";

/// The placeholder for an ISBN-13 that is new in each request: a check digit cannot be part of a pattern.
pub const UNIQUE_ISBN: &str = "9780000000002";

/// Puts the placeholders of requests in place of those of the setup file.
pub fn with_placeholders(text: &str) -> String {
    text.replace("{unique}", UNIQUE).replace("{unique_isbn}", UNIQUE_ISBN)
}

/// The ISBN-13 that belongs to a word of letters and digits.
pub fn isbn(word: &str) -> String {
    let number = word
        .chars()
        .fold(0_u64, |number, letter| number.wrapping_mul(36).wrapping_add(letter.to_digit(36).map_or(0, u64::from)));
    let digits = format!("978{:09}", number % 1_000_000_000);
    let weights = [1, 3].into_iter().cycle();
    let sum: u32 = digits.chars().filter_map(|digit| digit.to_digit(10)).zip(weights).map(|(d, w)| d * w).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// Evaluates an expression about one exchange; a text without `$` is its own value.
pub fn evaluate(expression: &str, answer: &Answer) -> Result<Value, String> {
    let Some(expression) = expression.strip_prefix('$') else { return Ok(expression.into()) };
    let missing = || format!("${expression} leads nowhere in {answer}");
    let (side, part) = expression.split_once('.').ok_or_else(missing)?;
    let request = &answer.request;
    let found = match (side, part.split_once(['#', '.'])) {
        ("response", Some(("body", pointer))) => answer.body.pointer(pointer).cloned(),
        ("response", Some(("header", name))) => answer.header(name).map(Into::into),
        ("request", Some(("body", pointer))) => {
            let sent: Option<Value> = request.body.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
            sent.and_then(|sent| sent.pointer(pointer).cloned())
        }
        ("request", Some(("header", name))) => request.header(name).map(Into::into),
        _ => None,
    };
    found.ok_or_else(missing)
}

/// The value with every expression of a setup file replaced by what it says; `scope` finds the exchange of a name.
pub fn resolve<'a>(value: &Value, scope: &impl Fn(&str) -> Option<&'a Answer>) -> Result<Value, String> {
    match value {
        Value::String(text) => match text.strip_prefix('$').and_then(|text| text.split_once('.')) {
            Some((name, expression)) => {
                let answer = scope(name).ok_or_else(|| format!("{text}: there is no fixture or person {name}"))?;
                evaluate(&format!("${expression}"), answer)
            }
            None => Ok(with_placeholders(text).into()),
        },
        Value::Array(items) => items.iter().map(|item| resolve(item, scope)).collect(),
        Value::Object(map) => {
            let resolved = map.iter().map(|(key, value)| Ok((key.clone(), resolve(value, scope)?)));
            Ok(Value::Object(resolved.collect::<Result<Map<_, _>, String>>()?))
        }
        other => Ok(other.clone()),
    }
}

/// The names that the expressions in a value begin with.
pub fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            let name = text.strip_prefix('$').and_then(|text| text.split_once('.')).map(|(name, _)| name.to_owned());
            name.into_iter().collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Object(map) => map.values().flat_map(names).collect(),
        _ => vec![],
    }
}
