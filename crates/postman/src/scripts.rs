//! The test scripts. The checks stand once, in the collection's script; the script of a request calls them with the
//! documented answers, and stores what later requests need.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::layout::SCRIPT;
use crate::operation::{Operation, text};
use crate::recipe::Blamed;
use crate::schema::{definitions, inlined, referring, resolved};

/// One documented answer: everything a test can ask of it.
#[derive(PartialEq)]
pub struct Answer {
    media_type: Option<String>,
    /// The schema as the checks take it: a name, or the schema itself with references to names.
    body: Value,
    /// The names of the schemas that `body` refers to.
    named: BTreeSet<String>,
    /// The schema without references.
    pub schema: Option<Value>,
    pub headers: Vec<Header>,
}

/// A header that must be there.
#[derive(PartialEq)]
pub struct Header {
    pub name: String,
    /// A regular expression for the value, where the document says more than "text".
    pub form: Option<String>,
}

impl Answer {
    /// Reads a response object of the document.
    pub fn of(document: &Value, answer: &Value) -> Self {
        let content = answer["content"].as_object().and_then(|content| content.iter().next());
        let headers = answer["headers"].as_object().into_iter().flatten();
        let required = headers.map(|(name, header)| (name, resolved(document, header)));
        let required = required.filter(|(_, header)| header["required"] == true);
        let mut named = BTreeSet::new();
        let body = content.map(|(_, media)| referring(document, &media["schema"], &mut named)).unwrap_or_default();
        // a reference and nothing else is its name
        let name = body["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/"));
        Self {
            media_type: content.map(|(media_type, _)| media_type.clone()),
            body: name.map_or_else(|| body.clone(), |name| json!(name)),
            named,
            schema: content.map(|(_, media)| inlined(document, &media["schema"])),
            headers: required.map(|(name, header)| Header::of(name, &inlined(document, &header["schema"]))).collect(),
        }
    }

    /// Returns the answer as the collection's checks take it.
    fn expected(&self, statuses: &[u16]) -> Value {
        let form = |header: &Header| (header.name.clone(), json!(header.form.as_deref().unwrap_or_default()));
        let headers: Map<String, Value> = self.headers.iter().map(form).collect();
        let mut expected = json!({"status": statuses, "headers": headers});
        if let Some(media_type) = &self.media_type {
            expected["media_type"] = json!(media_type);
            expected["body"] = self.body.clone();
        }
        expected
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name == name)
    }
}

impl Header {
    fn of(name: &str, schema: &Value) -> Self {
        let form = match schema["type"].as_str() {
            Some("integer") => Some("^-?[0-9]+$".to_owned()),
            _ => schema["pattern"].as_str().map(str::to_owned),
        };
        Self { name: name.to_owned(), form }
    }
}

/// Returns the lines of the collection's test script: the checks of all requests, and the schemas that their scripts
/// name.
pub fn checks(document: &Value, answers: impl Iterator<Item = Answer>) -> Vec<String> {
    let named: BTreeSet<String> = answers.flat_map(|answer| answer.named).collect();
    let schemas = SCRIPT.text(&json!(definitions(document, &named)));
    CHECKS.replace("<schemas>", &schemas).lines().map(str::to_owned).collect()
}

const CHECKS: &str = include_str!("checks.js");

/// Returns every documented answer that the test script of a success checks.
pub fn checked(operation: &Operation<'_>) -> Vec<Answer> {
    let successes = successes(operation).into_iter().map(|(_, answer)| answer);
    successes.chain(without_mail(operation).map(|(_, answer)| answer)).collect()
}

/// Returns the lines of the test script of a request that succeeds.
pub fn success(operation: &Operation<'_>) -> Vec<String> {
    let mut groups: Vec<(Vec<u16>, Answer)> = vec![];
    for (status, answer) in successes(operation) {
        match groups.iter_mut().find(|(_, other)| *other == answer) {
            Some((statuses, _)) => statuses.push(status),
            None => groups.push((vec![status], answer)),
        }
    }
    let mut answers: Vec<Value> = groups.iter().map(|(statuses, answer)| answer.expected(statuses)).collect();
    let mut kept = kept(operation, &groups);
    if let Some((code, answer)) = without_mail(operation) {
        let variable = &operation.setup.mailed.variable;
        let mut expected = answer.expected(&[REFUSED]);
        expected["code"] = json!(code);
        expected["without"] = json!(variable);
        answers.push(expected);
        // it works once
        kept.push(format!("pm.environment.set(\"{variable}\", \"\");"));
    }
    let mut lines = check(&answers);
    if !kept.is_empty() {
        let statuses = groups.iter().flat_map(|(statuses, _)| statuses.clone()).filter(|status| *status < 300);
        lines.extend(when(&statuses.collect::<Vec<_>>(), kept));
    }
    lines
}

/// Returns the lines of the test script of a failure: the answer has this status and code, and names this part of the
/// request.
pub fn failure(answer: &Answer, status: u16, code: &str, blamed: Option<&Blamed>) -> Vec<String> {
    let mut expected = answer.expected(&[status]);
    expected["code"] = json!(code);
    if let Some(Blamed { location, pointer }) = blamed {
        expected["errors"] = json!({"location": location});
        if let Some(pointer) = pointer {
            expected["errors"]["pointer"] = json!(pointer);
        }
    }
    check(&[expected])
}

/// Returns the call of the collection's checks.
fn check(answers: &[Value]) -> Vec<String> {
    let answers: Vec<String> = answers.iter().map(|answer| SCRIPT.text(answer)).collect();
    let text = format!("// `check` is in the collection's test script\ncheck(pm, [{}]);", answers.join(", "));
    text.lines().map(str::to_owned).collect()
}

/// The status that rejects an invalid code.
const REFUSED: u16 = 400;

/// Returns the error of a request whose code from an e-mail is invalid: the error code, and the documented answer.
fn without_mail<'a>(operation: &Operation<'a>) -> Option<(&'a str, Answer)> {
    let code = operation.setup.without_mail(operation.id)?;
    let mut answers = operation.answers().into_iter();
    let (_, answer) = answers.find(|(status, _)| *status == REFUSED.to_string())?;
    Some((code, Answer::of(operation.document, answer)))
}

/// 2xx, and the 304 a client gets that asks with a tag.
pub fn successes(operation: &Operation<'_>) -> Vec<(u16, Answer)> {
    let answers = operation.answers().into_iter();
    let mut found: Vec<(u16, Answer)> = answers
        .filter_map(|(status, answer)| {
            let status: u16 = status.parse().ok().filter(|status| *status < 400)?;
            Some((status, Answer::of(operation.document, answer)))
        })
        .collect();
    found.sort_by_key(|(status, _)| *status);
    found
}

/// Returns the lines that store parts of a success in the environment: tokens, the id of a new resource, the ETag.
fn kept(operation: &Operation<'_>, groups: &[(Vec<u16>, Answer)]) -> Vec<String> {
    let mut lines = vec![];
    let answers = || groups.iter().map(|(_, answer)| answer);
    let has = |name: &str| answers().filter_map(|a| a.schema.as_ref()).any(|s| s["properties"].get(name).is_some());
    let mut keep = |variable: &str, value: &str| lines.push(format!("pm.environment.set(\"{variable}\", {value});"));
    for (field, variable) in &operation.setup.tokens {
        if has(field) && has("token_type") {
            keep(text(variable), &format!("pm.response.json().{field}"));
        }
    }
    if let Some((variable, key)) = operation.member() {
        keep(&variable, &format!("pm.response.json().{key}"));
    }
    if answers().any(|answer| answer.has_header("ETag")) {
        keep("etag", "pm.response.headers.get(\"ETag\")");
    }
    for (variable, value) in operation.setup.kept(operation.id) {
        keep(variable, value);
    }
    lines
}

fn when(statuses: &[u16], lines: Vec<String>) -> Vec<String> {
    let condition = match statuses {
        [status] => format!("pm.response.code === {status}"),
        _ => format!(
            "[{}].includes(pm.response.code)",
            statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    let mut block = vec![format!("if ({condition}) {{")];
    block.extend(lines.into_iter().map(|line| format!("    {line}")));
    block.push("}".into());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_checked_in_all_its_parts() {
        let document = json!({"components": {"schemas": {"Problem": {"type": "object", "title": "A problem"}}}});
        let answer = json!({"headers": {"Retry-After": {"required": true, "schema": {"type": "integer"}},
                "Via": {"required": true, "schema": {"type": "string"}}, "Age": {"schema": {"type": "integer"}}},
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
        let blamed = Blamed { location: "body".into(), pointer: Some("/title".into()) };
        let answer = Answer::of(&document, &answer);
        let lines = failure(&answer, 400, "invalid", Some(&blamed)).join("\n");
        let wanted = r#"// `check` is in the collection's test script
check(pm, [{
    "status": [400],
    "headers": {"Retry-After": "^-?[0-9]+$", "Via": ""},
    "media_type": "application/problem+json",
    "body": "Problem",
    "code": "invalid",
    "errors": {"location": "body", "pointer": "/title"}
}]);"#;
        assert_eq!(lines, wanted);
        let checks = checks(&document, [answer].into_iter()).join("\n");
        assert!(checks.contains("const schemas = {\"Problem\": {\"type\": \"object\"}};"), "{checks}");
    }

    #[test]
    fn answers_that_are_alike_are_one_and_a_success_is_kept() {
        let note = json!({"content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}});
        let document = json!({"paths": {
            "/notes": {"post": {"operationId": "create_note", "responses": {"200": note, "201": note, "304": {}}}},
            "/notes/{id}": {"get": {}},
        }});
        let setup = crate::Setup::default();
        let operation = &crate::operation::operations(&document, &setup)[0];
        let wanted = r#"// `check` is in the collection's test script
check(pm, [{
    "status": [200, 201],
    "headers": {},
    "media_type": "application/json",
    "body": {"type": "array", "items": {"type": "string"}}
}, {"status": [304], "headers": {}}]);
if ([200, 201].includes(pm.response.code)) {
    pm.environment.set("noteId", pm.response.json().id);
}"#;
        assert_eq!(success(operation).join("\n"), wanted);
    }
}
