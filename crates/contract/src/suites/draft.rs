//! A request in parts, and changes to one of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::{Body, Operation};
use crate::exchange::Request;

/// A request that can still be changed.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The method.
    pub method: String,
    /// The path with variables in braces.
    pub path: String,
    /// The values of the variables, encoded.
    pub variables: BTreeMap<String, String>,
    /// Names and values, encoded.
    pub query: Vec<(String, String)>,
    /// Headers beside those of the body and the credentials.
    pub headers: Vec<(String, String)>,
    /// The credentials and their places.
    pub credentials: Vec<Credential>,
    /// The media type that is sent.
    pub media_type: Option<String>,
    /// The body.
    pub body: Content,
}

/// A part of the request that proves who calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// `header`, `query` or `cookie`.
    pub place: String,
    /// The name in that place.
    pub name: String,
    /// `Bearer `, or nothing.
    pub scheme: String,
    /// The secret.
    pub token: String,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Content {
    /// No body.
    #[default]
    None,
    /// A value, written in the operation's media type.
    Value(Value),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// A change to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A part of the body is another value, or none.
    Body(String, Option<Value>),
    /// A part of the body is this, if there is none.
    Ensure(String, Value),
    /// The bytes of the body are changed.
    Bytes(Spoiled),
    /// The body has so many bytes.
    Size(usize),
    /// A parameter has this value, encoded as it is, or none.
    Parameter(String, String, Option<String>),
    /// A parameter is there twice.
    Repeated(String, String),
    /// The query has this more.
    Query(String),
    /// The body is said to be of this media type, or of none.
    MediaType(Option<String>),
    /// The request has this header more.
    Header(String, String),
    /// The request has this method.
    Method(String),
    /// The credentials are changed.
    Credentials(Proof),
}

/// A syntax error of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spoiled {
    Empty,
    Blank,
    CutOff,
    Twice,
    Trailing,
    SingleQuotes,
    TrailingComma,
    Comment,
    NotANumber,
    DuplicateName,
    InvalidUtf8,
    ControlCharacter,
    LoneSurrogate,
    ByteOrderMark,
    DeepList,
    DeepObject,
    DeepValue,
    FormDuplicateName,
    FormInvalidUtf8,
    FormEscapedBytes,
    FormLonePercent,
}

/// The credentials in place of the valid ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proof {
    /// Nobody.
    None,
    /// The right token under another scheme.
    Scheme,
    /// No token at all, but its scheme.
    Nothing,
    /// A word that no server gave out.
    Garbage,
    /// The right token with another character.
    Tampered,
    /// The token of a session that has ended.
    Ended,
    /// The token of somebody without the scopes.
    Unscoped,
    /// The token of somebody else.
    Stranger,
}

impl Draft {
    /// The request as it is sent.
    pub fn request(&self, operation: &Operation) -> Request {
        let mut target: String = self.path.clone();
        for (name, value) in &self.variables {
            target = target.replace(&format!("{{{name}}}"), value);
        }
        let mut query: Vec<String> = self.query.iter().map(|(name, value)| pair(name, value)).collect();
        let mut headers = self.headers.clone();
        for Credential { place, name, scheme, token } in &self.credentials {
            match place.as_str() {
                "query" => query.push(format!("{name}={}", encode(token))),
                "cookie" => headers.push(("Cookie".into(), format!("{name}={token}"))),
                _ => headers.insert(0, (name.clone(), format!("{scheme}{token}"))),
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        if let Some(media_type) = &self.media_type {
            headers.push(("Content-Type".into(), media_type.clone()));
        }
        let body = match &self.body {
            Content::None => None,
            Content::Value(value) => Some(written(operation.body.as_ref(), value)),
            Content::Bytes(bytes) => Some(bytes.clone()),
        };
        Request { by: "contract".into(), method: self.method.clone(), target, headers, body }
    }

    /// Applies a change.
    pub fn change(&mut self, operation: &Operation, change: &Change) {
        match change {
            Change::Body(pointer, value) => set(self.value(), pointer, value.clone()),
            Change::Ensure(pointer, value) => {
                let body = self.value();
                if body.pointer(pointer).is_none() {
                    set(body, pointer, Some(value.clone()));
                }
            }
            Change::Bytes(spoiled) => {
                let bytes = match &self.body {
                    Content::Value(value) => written(operation.body.as_ref(), value),
                    Content::Bytes(bytes) => bytes.clone(),
                    Content::None => vec![],
                };
                self.body = Content::Bytes(spoiled.bytes(&bytes));
            }
            Change::Size(size) => {
                let Content::Value(value) = &self.body else { return };
                let mut bytes = written(operation.body.as_ref(), value);
                bytes.resize(*size, b' ');
                self.body = Content::Bytes(bytes);
            }
            Change::Parameter(place, name, value) => self.parameter(place, name, value.as_deref()),
            Change::Repeated(place, name) => {
                let list = if place == "query" { &mut self.query } else { &mut self.headers };
                let again = list.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).cloned();
                list.extend(again);
            }
            Change::Query(more) => {
                let (name, value) = more.split_once('=').unwrap_or((more, "\0"));
                self.query.push((name.into(), value.into()));
            }
            Change::MediaType(media_type) => self.media_type.clone_from(media_type),
            Change::Header(name, value) => self.headers.push((name.clone(), value.clone())),
            Change::Method(method) => self.method.clone_from(method),
            // needs somebody else: the server does it
            Change::Credentials(_) => {}
        }
    }

    fn value(&mut self) -> &mut Value {
        if !matches!(self.body, Content::Value(_)) {
            self.body = Content::Value(json!({}));
        }
        match &mut self.body {
            Content::Value(value) => value,
            Content::None | Content::Bytes(_) => unreachable!("it was made a value"),
        }
    }

    fn parameter(&mut self, place: &str, name: &str, value: Option<&str>) {
        let same = |other: &str| if place == "header" { other.eq_ignore_ascii_case(name) } else { other == name };
        let list = match place {
            "path" => {
                self.variables.insert(name.into(), value.unwrap_or_default().into());
                return;
            }
            "query" => &mut self.query,
            "cookie" => {
                self.headers.extend(value.map(|value| ("Cookie".into(), format!("{name}={value}"))));
                return;
            }
            _ => &mut self.headers,
        };
        list.retain(|(other, _)| !same(other));
        list.extend(value.map(|value| (name.into(), value.into())));
    }
}

/// A name alone is marked by a value that no encoded text has.
fn pair(name: &str, value: &str) -> String {
    if value == "\0" { name.into() } else { format!("{name}={value}") }
}

fn written(body: Option<&Body>, value: &Value) -> Vec<u8> {
    body.map_or_else(|| value.to_string().into(), |body| body.write(value))
}

/// Puts a value at a pointer, or takes out what is there.
pub fn set(whole: &mut Value, pointer: &str, value: Option<Value>) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *whole = value.unwrap_or_default();
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    match (whole.pointer_mut(parent), value) {
        (Some(Value::Object(map)), Some(value)) => drop(map.insert(key, value)),
        (Some(Value::Object(map)), None) => drop(map.shift_remove(&key)),
        (Some(Value::Array(items)), value) => {
            if let Ok(index) = key.parse::<usize>() {
                if index < items.len() {
                    items.remove(index);
                }
                let end = index.min(items.len());
                value.into_iter().for_each(|value| items.insert(end, value));
            }
        }
        _ => {}
    }
}

/// A text for a query or a path: everything but letters, digits and `-._~` is escaped.
pub fn encode(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

/// A value as the text of a parameter or a field of a form.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Spoiled {
    /// Everything that can be done to JSON.
    pub const JSON: &[Self] = &[
        Self::Empty,
        Self::Blank,
        Self::CutOff,
        Self::Twice,
        Self::Trailing,
        Self::SingleQuotes,
        Self::TrailingComma,
        Self::Comment,
        Self::NotANumber,
        Self::DuplicateName,
        Self::InvalidUtf8,
        Self::ControlCharacter,
        Self::LoneSurrogate,
        Self::ByteOrderMark,
        Self::DeepList,
        Self::DeepObject,
        Self::DeepValue,
    ];

    /// Everything that can be done to a form.
    pub const FORM: &[Self] =
        &[Self::Empty, Self::FormDuplicateName, Self::FormInvalidUtf8, Self::FormEscapedBytes, Self::FormLonePercent];

    /// Words for the id of a case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Blank => "blank",
            Self::CutOff => "cut-off",
            Self::Twice => "twice",
            Self::Trailing => "trailing",
            Self::SingleQuotes => "single-quotes",
            Self::TrailingComma => "trailing-comma",
            Self::Comment => "comment",
            Self::NotANumber => "nan",
            Self::DuplicateName | Self::FormDuplicateName => "duplicate-name",
            Self::InvalidUtf8 | Self::FormInvalidUtf8 => "invalid-utf8",
            Self::ControlCharacter => "control-character",
            Self::LoneSurrogate => "lone-surrogate",
            Self::ByteOrderMark => "byte-order-mark",
            Self::DeepList => "deep-list",
            Self::DeepObject => "deep-object",
            Self::DeepValue => "deep-value",
            Self::FormEscapedBytes => "escaped-bytes",
            Self::FormLonePercent => "lone-percent",
        }
    }

    /// The body so changed that nobody can read it.
    fn bytes(self, body: &[u8]) -> Vec<u8> {
        const DEPTH: usize = 100_000;
        let text = String::from_utf8_lossy(body);
        // what stands before the closing brace, and what goes on there
        let inside = text.trim_end().trim_end_matches('}');
        let comma = if inside.trim_end().ends_with('{') { "" } else { "," };
        let with = |more: &[u8]| [inside.as_bytes(), comma.as_bytes(), more, b"}"].concat();
        let first = text.split_inclusive(',').next().unwrap_or_default().trim_start_matches('{');
        let first = first.trim_end_matches([',', '}']);
        let first = if first.is_empty() { r#""a":1,"a":1"# } else { first };
        match self {
            Self::Empty => vec![],
            Self::Blank => b" \n".into(),
            Self::CutOff => inside.into(),
            Self::Twice => format!("{text} {text}").into(),
            Self::Trailing => format!("{text}x").into(),
            Self::SingleQuotes => text.replace('"', "'").replace("{}", "{'a':1}").into(),
            Self::TrailingComma => [inside.as_bytes(), b",}"].concat(),
            Self::Comment => format!("/* */{text}").into(),
            Self::NotANumber => with(br#""nan":NaN"#),
            Self::DuplicateName => format!("{{{first},{}", text.trim_start_matches('{')).into(),
            Self::InvalidUtf8 => with(b"\"\xff\":1"),
            Self::ControlCharacter => with(b"\"\x00\":1"),
            Self::LoneSurrogate => with(br#""\ud800":1"#),
            Self::ByteOrderMark => [b"\xef\xbb\xbf", body].concat(),
            Self::DeepList => "[".repeat(DEPTH).into(),
            Self::DeepObject => format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH)).into(),
            Self::DeepValue => with(format!("\"a\":{}1{}", "[".repeat(DEPTH), "]".repeat(DEPTH)).as_bytes()),
            Self::FormDuplicateName => {
                let first = text.split('&').next().unwrap_or_default();
                format!("{text}&{first}").into()
            }
            Self::FormInvalidUtf8 => [body, b"&a=\xff"].concat(),
            Self::FormEscapedBytes => [body, b"&a=%FF"].concat(),
            Self::FormLonePercent => [body, b"&a=%"].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spoiled_json_can_be_read() {
        for body in [r#"{"a":1,"b":"x"}"#, r#"{"a":1}"#, "{}"] {
            for spoiled in Spoiled::JSON {
                let bytes = spoiled.bytes(body.as_bytes());
                let read = serde_json::from_slice::<Value>(&bytes);
                // serde_json takes the last of two members of one name
                let readable = read.is_ok() && *spoiled != Spoiled::DuplicateName;
                assert!(!readable, "{spoiled:?}: {}", String::from_utf8_lossy(&bytes));
            }
            let twice = String::from_utf8(Spoiled::DuplicateName.bytes(body.as_bytes())).unwrap();
            assert_eq!(twice.matches("\"a\"").count(), 2, "{twice}");
        }
    }

    #[test]
    fn a_part_of_a_body_is_set_and_taken_out() {
        let mut whole = json!({ "a": { "b": [1, 2] }, "c/d": 3 });
        set(&mut whole, "/a/b/0", Some(json!(7)));
        set(&mut whole, "/c~1d", None);
        set(&mut whole, "/a/e", Some(json!(null)));
        assert_eq!(whole, json!({ "a": { "b": [7, 2], "e": null } }));
    }
}
