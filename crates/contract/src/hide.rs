//! Replaces values that differ from run to run, if they have the right form; a value of another form stays visible.
//!
//! In a snapshot the name of the value takes its place, in an example a value of the same form.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use serde_json::Value;

/// The replacement of a value.
#[derive(Clone, Copy)]
pub enum Instead {
    /// The name of the value in brackets.
    Name,
    /// A fixed value of the same form.
    StandIn,
}

/// Names of fields and headers, the form of what they hold, its name, and its stand-in.
const FORMS: &[(&[&str], &str, &str, &str)] = &[
    (
        &["token", "access_token"],
        r"^[\w-]{10,}\.[\w-]{3,}\.[\w-]{10,}$",
        "[access token]",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    ),
    (
        &["Authorization"],
        r"^Bearer [\w-]{10,}\.[\w-]{3,}\.[\w-]{10,}$",
        "Bearer [access token]",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    ),
    (&["refresh_token"], r"^[\w-]{43}$", "[refresh token]", "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0"),
    (&["code"], r"^[\w-]{43}$", "[code]", "QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0"),
    (&["request_id", "X-Request-Id"], r"^[0-9a-f]{32}$", "[request id]", "4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c"),
    (
        &["contract_sha256"],
        r"^[0-9a-f]{64}$",
        "[sha256]",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    (&["id"], r"^evt_[0-9a-f]{32}$", "[event id]", "evt_4f2a9c1b7d3e4a5f8c6b0d9e2f1a3b5c"),
    (&["secret"], r"^whsec_[A-Za-z0-9+/]{43}=$", "[secret]", "whsec_QmV0dGVyIG5vdCB0byB1c2UgdGhpcyBvbmUuIEV4YW0="),
    (&["commit"], r"^([0-9a-f]{7,40}|unknown)$", "[commit]", "4f2a9c1"),
    (&["version"], r"^\d+\.\d+\.\d+$", "[version]", "0.1.0"),
    // the version before the hash stays visible
    (&["ETag", "If-Match", "If-None-Match"], r#""(\d+)-[0-9a-f]{16}""#, r#""$1-[hash]""#, r#""$1-0123456789abcdef""#),
    (&["RateLimit"], r";t=\d+", ";t=[seconds]", ";t=1"),
    (&["Retry-After"], r"^[1-9]\d*$", "[seconds]", "1"),
    (&["detail"], r"^Try again in [1-9]\d* s\.$", "Try again in [seconds] s.", "Try again in 1 s."),
];

/// The stand-in of a time.
const TIME: &str = "2026-01-02T03:04:05.678901Z";

/// The stand-in of an expiry.
const END: &str = "2026-02-01T03:04:05.678901Z";

/// The largest difference between a hidden time and the present.
const NOW: TimeDelta = TimeDelta::minutes(10);

/// Replaces the texts in the value of a field or header of this name, and in all values below it.
pub fn within(name: &str, value: &mut Value, instead: Instead) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| within(name, value, instead)),
        Value::Array(items) => items.iter_mut().for_each(|item| within(name, item, instead)),
        Value::String(text) => *text = replaced(name, text, instead),
        _ => {}
    }
}

/// Returns the text of a field or header of this name with its replacement.
pub fn replaced(name: &str, text: &str, instead: Instead) -> String {
    static COMPILED: LazyLock<Vec<Regex>> =
        LazyLock::new(|| FORMS.iter().map(|(_, form, ..)| Regex::new(form).expect("a form is a regex")).collect());
    if (name.ends_with("_at") || name == "timestamp") && is_after(TimeDelta::zero(), text) {
        return if matches!(instead, Instead::Name) { "[time]" } else { TIME }.into();
    }
    if name == "expires_at"
        && let Some(days) = (1..=366).find(|days| is_after(TimeDelta::days(*days), text))
    {
        return if matches!(instead, Instead::Name) { format!("[time in {days} days]") } else { END.into() };
    }
    match FORMS.iter().zip(COMPILED.iter()).find(|((names, ..), _)| names.contains(&name)) {
        Some(((_, _, shown, stand_in), form)) => {
            form.replace_all(text, if matches!(instead, Instead::Name) { *shown } else { *stand_in }).into_owned()
        }
        None => text.into(),
    }
}

/// RFC 3339 in UTC with `Z`, and about so long from now: a time of 1970 is a fault.
fn is_after(wait: TimeDelta, text: &str) -> bool {
    let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| text.ends_with('Z') && text.contains('T'));
    time.is_some_and(|time| (Utc::now() + wait - time.to_utc()).abs() < NOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, text: &str) -> String {
        replaced(name, text, Instead::Name)
    }

    #[test]
    fn a_stand_in_has_the_form_of_what_it_replaces() {
        for (names, form, _, stand_in) in FORMS.iter().filter(|(_, _, _, stand_in)| !stand_in.contains("$1")) {
            assert!(Regex::new(form).unwrap().is_match(stand_in), "{names:?}: {stand_in}");
        }
        assert_eq!(replaced("ETag", r#""3-fedcba9876543210""#, Instead::StandIn), r#""3-0123456789abcdef""#);
        assert!(DateTime::parse_from_rfc3339(TIME).is_ok());
    }

    #[test]
    fn only_the_right_form_is_hidden() {
        let now = Utc::now().to_rfc3339().replace("+00:00", "Z");
        assert_eq!(shown("created_at", &now), "[time]");
        let month = (Utc::now() + TimeDelta::days(30)).to_rfc3339().replace("+00:00", "Z");
        assert_eq!(shown("expires_at", &month), "[time in 30 days]");
        assert_eq!(shown("created_at", &month), month);
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
