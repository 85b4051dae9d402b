//! A request as it was sent, and its answer as it was received.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name of the sender, for scenarios.
    pub by: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body; `None` differs from an empty one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The request as a line for a shell, to the server at this address.
    pub fn curl(&self, address: &str) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut words = vec!["curl -g -i -X".into(), self.method.clone(), quote(&format!("{address}{}", self.target))];
        if self.method == "HEAD" {
            words[0] = "curl -g -I -X".into();
        }
        for (name, value) in &self.headers {
            // curl leaves out a header without a value unless it ends in a semicolon
            let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
            words.extend(["-H".into(), quote(&header)]);
        }
        match &self.body {
            Some(body) if body.len() > 2000 => words.push(format!("--data-binary @FILE # {} bytes", body.len())),
            Some(body) => match std::str::from_utf8(body) {
                Ok(text) if !text.contains('\0') => words.extend(["--data-binary".into(), quote(text)]),
                _ => {
                    let bytes: String = body.iter().map(|byte| format!("\\{byte:03o}")).collect();
                    words.insert(0, format!("printf '{bytes}' |"));
                    words.push("--data-binary @-".into());
                }
            },
            None => {}
        }
        words.join(" ")
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An answer as it was received.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request that it answers.
    pub request: Request,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The body if it is JSON, else null.
    pub body: Value,
}

impl Answer {
    /// Builds an answer; `body` is null unless the bytes are JSON.
    pub fn new(request: Request, status: u16, headers: HeaderMap, bytes: Vec<u8>) -> Self {
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { request, status, headers, bytes, body }
    }

    /// Asserts this status, and returns the answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Asserts a problem with this status and code, and returns the answer.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self}");
        self
    }

    /// Asserts that nothing but this part of the request is at fault: `body/title`, `query.limit`, `path.id`.
    #[track_caller]
    pub fn blames(&self, part: &str) {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let part_of = |error: &Value| {
            let text = |key: &str| error[key].as_str().unwrap_or_default();
            text("location").to_owned() + text("pointer")
        };
        assert!(!errors.is_empty() && errors.iter().all(|error| part_of(error) == part), "blames not {part}: {self}");
    }

    /// A header as text, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type of the body without its parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.header("Content-Type").map(|value| value.split(';').next().unwrap_or_default().trim())
    }

    /// The entity tag.
    #[track_caller]
    pub fn etag(&self) -> &str {
        self.header("ETag").unwrap_or_else(|| panic!("no ETag: {self}"))
    }

    /// The text at a JSON pointer of the body.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {pointer}: {self}"))
    }

    /// `id` of the body.
    #[track_caller]
    pub fn id(&self) -> i64 {
        self.body["id"].as_i64().unwrap_or_else(|| panic!("no id: {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Request { by, method, target, body, .. } = &self.request;
        let sent = String::from_utf8_lossy(body.as_deref().unwrap_or_default()).chars().take(300).collect::<String>();
        writeln!(f, "{by}: {method} {target} {sent}")?;
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}
