//! Answers as examples: what was sent and answered, everything that differs from run to run replaced by a stand-in.

use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::document::Operation;
use crate::exchange::{Answer, Request};
use crate::hide::{self, Instead};

/// Bytes of a request's body at most; a longer one is no example.
const LONGEST: usize = 2000;

/// Headers about the way the answer came, not about the answer.
const TRANSPORT: &[&str] = &["Connection", "Content-Length", "Date", "Transfer-Encoding"];

/// The header that a proxy adds: it is no part of the client's request.
const PROXY: &str = "X-Forwarded-For";

/// The source of an answer. The first variant is the best example.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A step of a scenario.
    Story,
    /// A valid request with one change.
    Derived,
    /// Another request of a test.
    Test,
    /// Another request of a test, with a body that cannot be read.
    Unreadable,
}

/// The exchange as an example. Returns `None` if its body is too long or no text.
pub(crate) fn example(operation: &Operation, answer: &Answer, origin: Origin) -> Option<Value> {
    let Request { method, target, headers, body, .. } = &answer.request;
    let body = match body {
        Some(bytes) if bytes.len() > LONGEST => return None,
        Some(bytes) => Some(sent(&answer.request, String::from_utf8(bytes.clone()).ok()?)),
        None => None,
    };
    let unreadable = operation.body.as_ref().is_some_and(|known| {
        let read = answer.request.body.as_deref().and_then(|bytes| known.read(bytes));
        read.is_none_or(|read| read.as_object().is_none_or(Map::is_empty))
    });
    let origin = if unreadable && origin != Origin::Story { Origin::Unreadable } else { origin };
    let own = headers.iter().filter(|(name, _)| !PROXY.eq_ignore_ascii_case(name));
    let own = own.map(|(name, value)| stand_in(name, value));
    let answered = answer.headers.iter().filter_map(|(name, value)| {
        let name = cased(operation, answer.status, name.as_str());
        (!TRANSPORT.contains(&name.as_str())).then_some((name, value.to_str().ok()?))
    });
    Some(json!({
        "origin": origin as u8,
        "operation": operation.id,
        "status": answer.status,
        "media_type": answer.media_type(),
        "request": {
            "method": method,
            "target": target,
            "headers": own.collect::<Map<_, _>>(),
            "body": body,
        },
        "headers": answered.map(|(name, value)| stand_in(&name, value)).collect::<Map<_, _>>(),
        "body": content(&answer.bytes),
    }))
}

fn stand_in(name: &str, value: &str) -> (String, Value) {
    (name.into(), hide::replaced(name, value, Instead::StandIn).into())
}

/// The body of a request, with stand-ins if it can be read in its media type.
fn sent(request: &Request, text: String) -> String {
    if let Ok(mut value) = serde_json::from_str::<Value>(&text)
        && text == serde_json::to_string(&value).unwrap_or_default()
    {
        hide::within("", &mut value, Instead::StandIn);
        return value.to_string();
    }
    if request.header("Content-Type") != Some("application/x-www-form-urlencoded") {
        return text;
    }
    let mut url = Url::parse("http://form").expect("a URL");
    url.set_query(Some(&text));
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut write = |pairs: Vec<(&String, String)>| {
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url.query().unwrap_or_default().to_owned()
    };
    if write(pairs.iter().map(|(name, value)| (name, value.clone())).collect()) != text {
        return text;
    }
    write(pairs.iter().map(|(name, value)| (name, hide::replaced(name, value, Instead::StandIn))).collect())
}

/// JSON with stand-ins, another text as it is, nothing as null.
fn content(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice(bytes) {
        Ok(mut value) => {
            hide::within("", &mut value, Instead::StandIn);
            value
        }
        Err(_) => String::from_utf8_lossy(bytes).into(),
    }
}

/// A header as the document writes it, or else as is usual: the client tells all in small letters.
fn cased(operation: &Operation, status: u16, name: &str) -> String {
    let declared = operation.response(status).and_then(|(_, response)| response["headers"].as_object());
    if let Some(name) =
        declared.into_iter().flatten().map(|(name, _)| name).find(|ours| ours.eq_ignore_ascii_case(name))
    {
        return name.clone();
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}
