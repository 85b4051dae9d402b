//! The saved examples: responses that a server has returned, with their requests.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::operation::{Operation, operations};
use crate::request::{self, FORM};
use crate::setup::Setup;

/// Responses that a server has returned, with their requests: the saved examples of the collection. The key of each is
/// `operation status media_type`; `-` stands for no body.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<String, Answer>);

#[derive(Deserialize)]
struct Answer {
    operation: String,
    status: u16,
    media_type: Option<String>,
    request: Request,
    headers: Map<String, Value>,
    body: Value,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    target: String,
    headers: Map<String, Value>,
    body: Option<String>,
}

impl Answers {
    /// Reads the responses from JSON.
    ///
    /// # Errors
    /// Returns an error if the text is not an object of recorded responses.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).context("not an object of recorded responses")
    }

    /// Returns the saved examples of an operation, by status.
    pub(crate) fn examples(&self, operation: &Operation<'_>) -> Vec<Value> {
        let mut own: Vec<&Answer> = self.0.values().filter(|answer| answer.operation == operation.id).collect();
        own.sort_by_key(|answer| answer.status);
        own.into_iter().map(|answer| answer.example(operation)).collect()
    }

    /// Returns the documented responses that are missing here, as `operation status`. Statuses from 500 on are errors of
    /// the server, which no request provokes.
    pub fn missing(&self, document: &Value, setup: &Setup) -> Vec<String> {
        let operations = operations(document, setup);
        let cells = operations.iter().flat_map(|operation| {
            let statuses = operation.answers().into_iter().filter_map(|(status, _)| status.parse().ok());
            statuses.map(|status: u16| (operation.id, status))
        });
        let seen = |(operation, status): &(&str, u16)| {
            self.0.values().any(|answer| answer.operation == *operation && answer.status == *status)
        };
        let missing = cells.filter(|(_, status)| *status < 500).filter(|cell| !seen(cell));
        missing.map(|(operation, status)| format!("{operation} {status}")).collect()
    }

    /// Returns whether an error response of this operation with this code names the invalid parts in `errors`.
    pub(crate) fn name_a_fault(&self, operation: &str, code: &str) -> bool {
        let mut refusals =
            self.0.values().filter(|answer| answer.operation == operation && answer.body["code"] == code);
        refusals.any(|answer| answer.body.get("errors").is_some())
    }

    /// Returns the responses of operations, or with statuses, that the document does not have.
    pub fn undocumented(&self, document: &Value, setup: &Setup) -> Vec<&str> {
        let operations = operations(document, setup);
        let documented = |answer: &Answer| {
            operations.iter().any(|operation| operation.id == answer.operation && operation.answers_with(answer.status))
        };
        let strange = self.0.iter().filter(|(_, answer)| !documented(answer));
        strange.map(|(name, _)| name.as_str()).collect()
    }
}

impl Answer {
    fn example(&self, operation: &Operation<'_>) -> Value {
        let reason = reason(self.status);
        let media_type = self.media_type.as_deref();
        let (language, body) = match &self.body {
            Value::Null => ("text", String::new()),
            Value::String(text) => ("text", text.clone()),
            value => ("json", format!("{value:#}")),
        };
        json!({
            "id": operation.setup.id(&format!("{}/{}/{}", operation.id, self.status, media_type.unwrap_or("-"))),
            "name": format!("{} {reason}", self.status),
            "originalRequest": self.request.shown(operation),
            "status": reason,
            "code": self.status,
            "_postman_previewlanguage": language,
            "header": entries(&self.headers),
            "cookie": [],
            "body": body,
        })
    }
}

impl Request {
    /// The request as it was sent, the values of the path beside it.
    fn shown(&self, operation: &Operation<'_>) -> Value {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let sent: Vec<&str> = path.trim_matches('/').split('/').collect();
        let segments = operation.segments();
        let variables = segments
            .iter()
            .zip(&sent)
            .filter_map(|(segment, value)| Some(json!({"key": segment.parameter.as_ref()?, "value": value})));
        let names: Vec<&str> = segments.iter().map(|segment| segment.text.as_str()).collect();
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            json!({"key": name, "value": value})
        });
        let mut shown = json!({
            "method": self.method,
            "header": entries(&self.headers),
            "url": request::address(&names, query.collect(), variables.collect()),
        });
        if let Some(body) = &self.body {
            shown["body"] = self.shown_body(body);
        }
        shown
    }

    fn shown_body(&self, body: &str) -> Value {
        let is_form = |(name, value): (&String, &Value)| name.eq_ignore_ascii_case("Content-Type") && value == FORM;
        if self.headers.iter().any(is_form) {
            let fields = url::form_urlencoded::parse(body.as_bytes());
            let fields = fields.map(|(name, value)| json!({"key": name, "value": value, "type": "text"}));
            return json!({"mode": "urlencoded", "urlencoded": fields.collect::<Vec<_>>()});
        }
        match serde_json::from_str::<Value>(body) {
            Ok(body) => request::raw(&format!("{body:#}")),
            Err(_) => json!({"mode": "raw", "raw": body}),
        }
    }
}

fn entries(headers: &Map<String, Value>) -> Vec<Value> {
    let values = headers.iter().flat_map(|(name, value)| {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        values.into_iter().map(move |value| json!({"key": name, "value": request::plain(&value)}))
    });
    values.collect()
}

/// Returns the reason phrase of RFC 9110.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        status if status < 300 => "Success",
        status if status < 400 => "Redirection",
        status if status < 500 => "Client Error",
        _ => "Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({"paths": {"/notes/{id}": {"get": {"operationId": "get_note", "responses": {
            "200": {}, "404": {}, "5XX": {},
        }}}}})
    }

    fn answers() -> Answers {
        let text = json!({"get_note 200 application/json": {
            "operation": "get_note", "status": 200, "media_type": "application/json",
            "request": {"method": "GET", "target": "/notes/7?a=b", "headers": {"Accept": "*/*"}, "body": null},
            "headers": {"ETag": "\"1\"", "Via": ["a", "b"]}, "body": {"id": 7},
        }});
        Answers::parse(&text.to_string()).expect("answers")
    }

    #[test]
    fn an_example_is_the_request_that_was_sent_and_its_answer() {
        let document = document();
        let setup = Setup::default();
        let found = &answers().examples(&operations(&document, &setup)[0])[0];
        assert_eq!(found["name"], "200 OK");
        assert_eq!(found["body"], "{\n  \"id\": 7\n}");
        assert_eq!(found["header"].as_array().map(Vec::len), Some(3));
        let url = &found["originalRequest"]["url"];
        assert_eq!(url["raw"], "{{baseUrl}}/notes/:id?a=b");
        assert_eq!(url["variable"], json!([{"key": "id", "value": "7"}]));
    }

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        let request = |media_type: &str| Request {
            method: "POST".into(),
            target: "/".into(),
            headers: json!({"content-type": media_type}).as_object().cloned().expect("headers"),
            body: None,
        };
        let field = json!({"key": "a", "value": "b c", "type": "text"});
        assert_eq!(request(FORM).shown_body("a=b+c"), json!({"mode": "urlencoded", "urlencoded": [field]}));
        assert_eq!(request("application/json").shown_body("{\"a\":1}")["raw"], "{\n  \"a\": 1\n}");
        assert_eq!(request("application/json").shown_body("{"), json!({"mode": "raw", "raw": "{"}));
    }

    #[test]
    fn what_lacks_and_what_is_too_much_is_told() {
        let document = document();
        assert_eq!(answers().missing(&document, &Setup::default()), ["get_note 404"]);
        assert!(answers().undocumented(&document, &Setup::default()).is_empty());
        assert_eq!(answers().undocumented(&json!({}), &Setup::default()), ["get_note 200 application/json"]);
    }
}
