//! Texts that are known to be mistaken: of formats, and of numbers and booleans.

use serde_json::Value;

use crate::suites::constraint::Constraint;

/// Texts that break the type of a parameter or of a field of a form, each with its constraint.
pub fn misspelled(schema: &Value) -> Vec<(Constraint, &'static str, &'static str)> {
    use Constraint as C;
    match schema["type"].as_str() {
        Some("integer") => vec![
            (C::Type, "word", "x"),
            (C::Type, "fraction", "1.5"),
            (C::Type, "list", "1,2"),
            (C::Format, "int64", "9223372036854775808"),
            (C::Format, "huge", "99999999999999999999"),
            (C::Spelling, "empty", ""),
            (C::Spelling, "exponent", "1e1"),
            (C::Spelling, "plus", "+1"),
            (C::Spelling, "zero", "01"),
            (C::Spelling, "space", " 1"),
            (C::Spelling, "hexadecimal", "0x1"),
            (C::Spelling, "arabic", "\u{661}"),
        ],
        Some("number") => vec![(C::Type, "word", "x"), (C::Spelling, "empty", ""), (C::Spelling, "nan", "NaN")],
        Some("boolean") => vec![
            (C::Type, "word", "nonsense"),
            (C::Spelling, "empty", ""),
            (C::Spelling, "digit", "1"),
            (C::Spelling, "yes", "yes"),
            (C::Spelling, "upper", "TRUE"),
            (C::Spelling, "null", "null"),
        ],
        _ => vec![],
    }
}

/// Texts of a format that servers easily refuse.
pub fn formatted(format: &str) -> &'static [&'static str] {
    match format {
        "date-time" => {
            &["2024-02-29T23:59:59Z", "1969-12-31T23:59:59.999Z", "2026-01-02T03:04:05+01:00", "9999-12-31T23:59:59Z"]
        }
        "date" => &["2024-02-29", "1970-01-01", "9999-12-31"],
        "uuid" => &["00000000-0000-0000-0000-000000000000", "7F3F5B1E-6A4B-4C1E-9B43-0D5F0F6D2A11"],
        "uri" => &["https://example.com/a?b=c#d", "urn:isbn:0451450523"],
        _ => &[],
    }
}

/// Texts that are almost of a format.
pub fn misformatted(format: &str) -> &'static [&'static str] {
    match format {
        "email" => &[
            "nonsense",
            "@example.com",
            "a@b",
            "a@",
            "a b@example.com",
            "a@example.com\n",
            "a@-example.com",
            "\u{fc}@example.com",
            "a@example..com",
        ],
        "date-time" => &[
            "nonsense",
            "2026-13-02T03:04:05Z",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2023-02-29T00:00:00Z",
            "1767322445",
        ],
        "date" => &["nonsense", "2023-02-29", "2026-1-2", "02.01.2026"],
        "time" => &["nonsense", "25:00:00Z"],
        "uuid" => &["nonsense", "7f3f5b1e-6a4b-4c1e-9b43-0d5f0f6d2a1", "g"],
        "uri" => &["nonsense", "//example.com"],
        "hostname" => &["-example.com", "a b"],
        "ipv4" => &["nonsense", "256.0.0.1", "1.2.3"],
        "ipv6" => &["nonsense", "1.2.3.4", ":::"],
        _ => &[],
    }
}
