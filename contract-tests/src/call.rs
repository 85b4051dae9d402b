//! A request on its way, and its answer.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::recorder;

/// What is sent.
#[derive(Clone)]
pub struct Request {
    /// Who sends it, for the story.
    pub by: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body; none is not the same as an empty one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A request that has not been sent yet; awaiting it sends it and holds the answer to the document.
#[must_use = "a call is sent by awaiting it"]
pub struct Call {
    client: Client,
    address: String,
    request: Request,
    told: bool,
}

impl Call {
    pub(crate) fn new(client: Client, address: &str, by: &str, method: Method, target: String) -> Self {
        let request = Request { by: by.into(), method: method.to_string(), target, headers: vec![], body: None };
        Self { client, address: address.into(), request, told: false }
    }

    /// A step of a story: its answer is the better example.
    pub(crate) fn told(self) -> Self {
        Self { told: true, ..self }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// A body of this media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = Some(body.into());
        if media_type.is_empty() { self } else { self.header("Content-Type", media_type) }
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A form as browsers and OAuth2 clients send it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut url = Url::parse("http://form").unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        self.body("application/x-www-form-urlencoded", url.query().unwrap_or_default())
    }

    async fn send(self) -> Answer {
        let Self { client, address, request, told } = self;
        let method = Method::from_bytes(request.method.as_bytes()).unwrap();
        let mut builder = client.request(method, format!("{address}{}", request.target));
        for (name, value) in &request.headers {
            builder = builder.header(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let (method, target) = (request.method.clone(), request.target.clone());
        let response = builder.send().await.unwrap_or_else(|error| panic!("{method} {target}: no answer: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes =
            response.bytes().await.unwrap_or_else(|error| panic!("{method} {target}: half an answer: {error:?}"));
        let answer = Answer::new(request, status, headers, bytes.to_vec());
        recorder::record(&answer, told);
        answer
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An answer that keeps what the document promises.
#[derive(Clone)]
pub struct Answer {
    /// What it answers.
    pub request: Request,
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The body if it is JSON, else null.
    pub body: Value,
}

impl Answer {
    pub(crate) fn new(request: Request, status: u16, headers: HeaderMap, bytes: Vec<u8>) -> Self {
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { request, status, headers, bytes, body }
    }

    /// The same if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The same if it is a problem with this status and code.
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

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.get(name).map(|value| value.to_str().expect("visible ASCII"))
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
