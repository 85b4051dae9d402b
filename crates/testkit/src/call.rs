//! A request that is sent by awaiting it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use accord_contract::recorder::Origin;
use accord_contract::{Answer, Request};
use reqwest::header::HeaderValue;
use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::application::Application;

/// A request that has not been sent yet. Awaiting it sends it and checks the answer against the document.
#[must_use = "a call is sent by awaiting it"]
pub struct Call {
    application: &'static Application,
    client: Client,
    address: String,
    request: Request,
    origin: Origin,
}

impl Call {
    pub(crate) fn new(
        application: &'static Application,
        client: Client,
        address: &str,
        by: &str,
        method: Method,
        target: String,
    ) -> Self {
        let request = Request { by: by.into(), method: method.to_string(), target, headers: vec![], body: None };
        Self { application, client, address: address.into(), request, origin: Origin::Test }
    }

    /// Marks the call as a step of a scenario: its answer is the better example.
    pub(crate) fn told(self) -> Self {
        Self { origin: Origin::Story, ..self }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a body of this media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = Some(body.into());
        if media_type.is_empty() { self } else { self.header("Content-Type", media_type) }
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a form as its body, as browsers and OAuth2 clients send it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut url = Url::parse("http://form").unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        self.body("application/x-www-form-urlencoded", url.query().unwrap_or_default())
    }

    async fn send(self) -> Answer {
        let Self { application, client, address, request, origin } = self;
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
        application.record(&answer, origin);
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
