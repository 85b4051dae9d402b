//! What differs from run to run is replaced by its name, if it has the right form; a wrong form stays to be seen.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use serde_json::Value;

/// Names of fields and headers, the form of what they hold, and what is shown of it.
const FORMS: &[(&[&str], &str, &str)] = &[
    (&["token", "access_token"], r"^[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}$", "[access token]"),
    (&["refresh_token"], r"^[\w-]{43}$", "[refresh token]"),
    (&["request_id"], r"^[0-9a-f]{32}$", "[request id]"),
    (&["contract_sha256"], r"^[0-9a-f]{64}$", "[sha256]"),
    (&["commit"], r"^([0-9a-f]{7,40}|unknown)$", "[commit]"),
    (&["version"], r"^\d+\.\d+\.\d+$", "[version]"),
    // the version of a post stays to be seen
    (&["ETag", "If-Match", "If-None-Match"], r#""(\d+)-[0-9a-f]{16}""#, r#""$1-[hash]""#),
    (&["Retry-After"], r"^[1-9]\d*$", "[seconds]"),
];

/// How far a time may be from that of the test.
const NOW: TimeDelta = TimeDelta::minutes(10);

/// Hides what is in the value of a field or header of this name, and in all below it.
pub(crate) fn within(name: &str, value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| within(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| within(name, item)),
        Value::String(text) => *text = shown(name, text),
        _ => {}
    }
}

fn shown(name: &str, text: &str) -> String {
    static COMPILED: LazyLock<Vec<Regex>> =
        LazyLock::new(|| FORMS.iter().map(|(_, form, _)| Regex::new(form).expect("a form is a regex")).collect());
    if name.ends_with("_at") && is_recent(text) {
        return "[time]".into();
    }
    match FORMS.iter().zip(COMPILED.iter()).find(|((names, ..), _)| names.contains(&name)) {
        Some(((.., shown), form)) => form.replace_all(text, *shown).into_owned(),
        None => text.into(),
    }
}

/// RFC 3339 in UTC with `Z`, and about now: a time of 1970 is a fault.
fn is_recent(text: &str) -> bool {
    let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| text.ends_with('Z') && text.contains('T'));
    time.is_some_and(|time| (Utc::now() - time.to_utc()).abs() < NOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_form_is_hidden() {
        let now = Utc::now().to_rfc3339().replace("+00:00", "Z");
        assert_eq!(shown("created_at", &now), "[time]");
        assert_eq!(shown("token", "abcdefghij.abcdefghij.abcdefghij"), "[access token]");
        assert_eq!(shown("ETag", r#""3-0123456789abcdef""#), r#""3-[hash]""#);
        assert_eq!(shown("If-Match", r#"W/"3-0123456789abcdef", "x""#), r#"W/"3-[hash]", "x""#);
        for (name, text) in [
            ("created_at", "1970-01-01T00:00:00Z"),
            ("created_at", &now.replace('Z', "+00:00")),
            ("created_at", "null"),
            ("token", "hunter2"),
            ("refresh_token", ""),
            ("ETag", r#""3""#),
            ("title", &now),
        ] {
            assert_eq!(shown(name, text), text);
        }
    }
}
