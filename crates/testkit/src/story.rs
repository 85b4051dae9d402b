//! The steps of a scenario, for its snapshot.

use accord_contract::hide::{self, Instead};
use accord_contract::{Answer, Request};
use reqwest::Url;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::call::Call;

/// Headers of an answer that a snapshot shows.
const SHOWN: &[&str] = &[
    "ETag",
    "Location",
    "Allow",
    "WWW-Authenticate",
    "Retry-After",
    "Cache-Control",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
];

/// The steps of a scenario in their order.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Story(Vec<Step>);

/// An exchange as the snapshot shows it.
#[derive(Serialize)]
pub struct Step {
    step: String,
    request: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    with: Map<String, Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    send: Value,
    status: u16,
    #[serde(skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    answer: Value,
}

impl Story {
    /// Sends a call and records it as a step.
    pub async fn tell(&mut self, step: &str, call: Call) -> Answer {
        let answer = call.told().await;
        self.0.push(Step::new(step, &answer));
        answer
    }
}

impl Step {
    fn new(step: &str, answer: &Answer) -> Self {
        let Request { by, method, target, headers, body } = &answer.request;
        // who calls is said in words
        let told = |name: &str| !["Authorization", "Content-Type"].contains(&name);
        let with =
            headers.iter().filter(|(name, _)| told(name)).map(|(name, value)| hidden(name, value.as_str().into()));
        let sent = |name: &&str| Some(hidden(name, answer.header(name)?.into()));
        let content = match body.as_deref() {
            Some(form) if answer.request.header("Content-Type") == Some("application/x-www-form-urlencoded") => {
                fields(form)
            }
            body => readable(body.unwrap_or_default()),
        };
        Self {
            step: step.into(),
            request: format!("{by}: {method} {target}"),
            with: with.collect(),
            send: hidden("", content).1,
            status: answer.status,
            headers: SHOWN.iter().filter_map(sent).collect(),
            answer: hidden("", readable(&answer.bytes)).1,
        }
    }
}

fn hidden(name: &str, mut value: Value) -> (String, Value) {
    hide::within(name, &mut value, Instead::Name);
    (name.into(), value)
}

/// A form as an object.
fn fields(form: &[u8]) -> Value {
    let mut url = Url::parse("http://form").unwrap();
    url.set_query(Some(&String::from_utf8_lossy(form)));
    let pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
    Value::Object(pairs.collect())
}

/// JSON as it is, anything else as its beginning.
fn readable(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body)
        .unwrap_or_else(|_| String::from_utf8_lossy(body).chars().take(200).collect::<String>().into())
}
