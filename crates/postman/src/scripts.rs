//! The test scripts: what each answer must be, and what later requests take from it.

use serde_json::Value;

use crate::operation::{Operation, text};
use crate::recipe::Blamed;
use crate::schema::{inlined, resolved};

/// The beginnings of the names of the checks.
pub const STATUS: &str = "status is";
pub const HEADER: &str = "header";
pub const MEDIA_TYPE: &str = "media type is";
pub const BODY: &str = "body is as documented";
pub const EMPTY: &str = "body is empty";
pub const REPEATS: &str = "the body repeats the status";
pub const CODE: &str = "code is";
pub const REQUEST_ID: &str = "request_id is";
pub const ERRORS: &str = "errors name";

/// One documented answer: everything a test can ask of it.
#[derive(PartialEq)]
pub struct Answer {
    media_type: Option<String>,
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
        Self {
            media_type: content.map(|(media_type, _)| media_type.clone()),
            schema: content.map(|(_, media)| inlined(document, &media["schema"])),
            headers: required.map(|(name, header)| Header::of(name, &inlined(document, &header["schema"]))).collect(),
        }
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

/// The lines of the `test` script of a request that works.
pub fn success(operation: &Operation<'_>) -> Vec<String> {
    let mut groups: Vec<(Vec<u16>, Answer)> = vec![];
    for (status, answer) in successes(operation) {
        match groups.iter_mut().find(|(_, other)| *other == answer) {
            Some((statuses, _)) => statuses.push(status),
            None => groups.push((vec![status], answer)),
        }
    }
    let all: Vec<u16> = groups.iter().flat_map(|(statuses, _)| statuses.clone()).collect();
    let mailed = operation.setup.without_mail(operation.id);
    let mut lines = vec![match mailed {
        Some(code) => status_by_mail(&all, code, &operation.setup.mailed.variable),
        None => status(&all),
    }];
    let alone = groups.len() == 1 && mailed.is_none();
    for (statuses, answer) in &groups {
        let checks = checks(answer);
        if alone {
            lines.extend(checks);
        } else {
            lines.extend(when(statuses, checks));
        }
    }
    if let (Some(word), Some((_, answer))) =
        (mailed, operation.answers().into_iter().find(|(status, _)| *status == REFUSED.to_string()))
    {
        lines.extend(when(&[REFUSED], failure_checks(&Answer::of(operation.document, answer), REFUSED, word)));
    }
    let mut kept = kept(operation, &groups);
    if mailed.is_some() {
        // it works once
        kept.push(format!("pm.environment.set(\"{}\", \"\");", operation.setup.mailed.variable));
    }
    if !kept.is_empty() {
        let statuses: Vec<u16> = all.into_iter().filter(|status| *status < 300).collect();
        lines.extend(when(&statuses, kept));
    }
    lines
}

/// The lines of the `test` script of a request that is refused: with this status and code, blaming this part of it.
pub fn failure(answer: &Answer, code: u16, word: &str, blamed: Option<&Blamed>) -> Vec<String> {
    let mut lines = vec![status(&[code])];
    lines.extend(failure_checks(answer, code, word));
    lines.extend(blamed.map(blames));
    lines
}

/// A status that refuses a code.
const REFUSED: u16 = 400;

/// Returns the checks of every error response.
fn failure_checks(answer: &Answer, code: u16, word: &str) -> Vec<String> {
    let mut lines = checks(answer);
    let member = |name: &str| format!("pm.expect(pm.response.json().{name})");
    lines.push(test(REPEATS, &format!("{}.to.equal({code})", member("status"))));
    lines.push(test(&format!("{CODE} {word}"), &format!("{}.to.equal(\"{word}\")", member("code"))));
    let header = "pm.response.headers.get(\"X-Request-Id\")";
    lines.push(test(
        &format!("{REQUEST_ID} that of the header"),
        &format!("{}.to.be.a(\"string\").and.equal({header})", member("request_id")),
    ));
    lines
}

fn blames(Blamed { location, pointer }: &Blamed) -> String {
    let (name, found, wanted) = match pointer {
        Some(pointer) => {
            let part = if pointer.is_empty() { "as a whole" } else { pointer };
            (format!("{location} {part}"), "fault.location, fault.pointer", format!("{location:?}, {pointer:?}"))
        }
        None => (location.clone(), "fault.location", format!("{location:?}")),
    };
    let found = format!("(pm.response.json().errors || []).map((fault) => [{found}])");
    test(&format!("{ERRORS} {name}"), &format!("pm.expect({found}).to.deep.include([{wanted}])"))
}

/// Returns the checks of the required headers and of the body.
fn checks(answer: &Answer) -> Vec<String> {
    let headers = answer.headers.iter().map(|Header { name, form }| match form {
        Some(form) => {
            let form = form.replace('/', "\\/");
            let value = format!("pm.expect(pm.response.headers.get(\"{name}\"))");
            test(&format!("{HEADER} {name} has its form"), &format!("{value}.to.match(/{form}/)"))
        }
        None => test(&format!("{HEADER} {name} is there"), &format!("pm.response.to.have.header(\"{name}\")")),
    });
    let mut lines: Vec<String> = headers.collect();
    match (&answer.media_type, &answer.schema) {
        (Some(media_type), Some(schema)) => {
            let found = "(pm.response.headers.get(\"Content-Type\") || \"none\").split(\";\")[0]";
            lines.push(test(
                &format!("{MEDIA_TYPE} {media_type}"),
                &format!("pm.expect({found}).to.equal(\"{media_type}\")"),
            ));
            let schema = laid_out(schema, "");
            let text = test(BODY, &format!("pm.response.to.have.jsonSchema({schema})"));
            lines.extend(text.lines().map(str::to_owned));
        }
        _ => lines.push(test(EMPTY, "pm.expect(pm.response.text() || \"\").to.equal(\"\")")),
    }
    lines
}

/// The largest width of a value in one line.
const WIDE: usize = 100;

/// Formats JSON for people: short values and lists of scalars stand in one line.
fn laid_out(value: &Value, indent: &str) -> String {
    let inner = format!("{indent}    ");
    let parts = |indent: &str| -> Vec<String> {
        match value {
            Value::Object(members) => {
                members.iter().map(|(name, value)| format!("{name:?}: {}", laid_out(value, indent))).collect()
            }
            Value::Array(values) => values.iter().map(|value| laid_out(value, indent)).collect(),
            _ => vec![],
        }
    };
    let (open, close, is_words) = match value {
        Value::Object(_) => ("{", "}", false),
        Value::Array(values) => ("[", "]", !values.iter().any(|value| value.is_object() || value.is_array())),
        scalar => return scalar.to_string(),
    };
    if is_words || indent.len() + value.to_string().len() <= WIDE {
        return format!("{open}{}{close}", parts(indent).join(", "));
    }
    format!("{open}\n{inner}{}\n{indent}{close}", parts(&inner).join(&format!(",\n{inner}")))
}

fn test(name: &str, assertion: &str) -> String {
    format!("pm.test({name:?}, () => {assertion});")
}

fn status(all: &[u16]) -> String {
    let words: Vec<String> = all.iter().map(u16::to_string).collect();
    let found = "pm.expect(pm.response.code, pm.response.text())";
    test(&format!("{STATUS} {}", words.join(" or ")), &format!("{found}.to.be.oneOf([{}])", words.join(", ")))
}

/// The code from an e-mail succeeds; without one the request shows the error.
fn status_by_mail(all: &[u16], code: &str, variable: &str) -> String {
    let words: Vec<String> = all.iter().map(u16::to_string).collect();
    let expected = format!("pm.environment.get(\"{variable}\") ? [{}] : [{REFUSED}]", words.join(", "));
    let name = format!("{STATUS} {}, or {REFUSED} {code} while {variable} is empty", words.join(" or "));
    test(&name, &format!("pm.expect(pm.response.code, pm.response.text()).to.be.oneOf({expected})"))
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_laid_out_for_people_and_stays_the_same() {
        let long = "a property with quite a long name, so that it does not stand in one line with its neighbours";
        let schema =
            json!({"type": "object", "required": [long, "b"], "properties": {long: {"type": "string"}, "b": {}}});
        let text = laid_out(&schema, "");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), schema);
        assert!(text.contains("\n        \"b\": {}\n"), "{text}");
        assert!(text.contains(&format!("\n    \"required\": [\"{long}\", \"b\"],\n")), "{text}");
    }

    #[test]
    fn a_refusal_is_checked_in_all_its_parts() {
        let document = json!({});
        let answer = json!({"headers": {"Retry-After": {"required": true, "schema": {"type": "integer"}}},
            "content": {"application/problem+json": {"schema": {"type": "object"}}}});
        let blamed = Blamed { location: "body".into(), pointer: Some("/title".into()) };
        let lines = failure(&Answer::of(&document, &answer), 400, "invalid", Some(&blamed)).join("\n");
        for check in [
            "\"status is 400\"",
            "\"header Retry-After has its form\", () => pm.expect(pm.response.headers.get(\"Retry-After\")).to.match(",
            "\"media type is application/problem+json\"",
            "jsonSchema({\"type\": \"object\"})",
            "pm.expect(pm.response.json().code).to.equal(\"invalid\")",
            "pm.expect(pm.response.json().status).to.equal(400)",
            "\"request_id is that of the header\"",
            "to.deep.include([\"body\", \"/title\"])",
        ] {
            assert!(lines.contains(check), "{check} is not in\n{lines}");
        }
    }
}
