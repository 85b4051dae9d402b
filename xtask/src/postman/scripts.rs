//! The test scripts: what each answer must be, and what later requests take from it.

use serde_json::Value;

use super::schema::{inlined, resolved};
use super::{collection::Operation, flow};

/// One documented success: everything a test can ask of it.
#[derive(PartialEq)]
struct Answer {
    media_type: Option<String>,
    schema: Option<Value>,
    headers: Vec<String>,
}

/// The lines of the `test` script.
pub fn test(document: &Value, operation: &Operation<'_>) -> Vec<String> {
    let mut groups: Vec<(Vec<u16>, Answer)> = vec![];
    for (status, answer) in successes(document, operation.value) {
        match groups.iter_mut().find(|(_, other)| *other == answer) {
            Some((statuses, _)) => statuses.push(status),
            None => groups.push((vec![status], answer)),
        }
    }
    let all: Vec<u16> = groups.iter().flat_map(|(statuses, _)| statuses.clone()).collect();
    let words: Vec<String> = all.iter().map(u16::to_string).collect();
    let mut lines = vec![format!(
        "pm.test(\"status is {}\", () => pm.expect(pm.response.code, pm.response.text()).to.be.oneOf([{}]));",
        words.join(" or "),
        words.join(", ")
    )];
    let alone = groups.len() == 1;
    for (statuses, answer) in &groups {
        let checks = checks(answer);
        if alone {
            lines.extend(checks);
        } else {
            lines.extend(when(statuses, checks));
        }
    }
    let kept = kept(document, operation, &groups);
    if !kept.is_empty() {
        let statuses: Vec<u16> = all.into_iter().filter(|status| *status < 300).collect();
        lines.extend(when(&statuses, kept));
    }
    lines
}

/// 2xx, and the 304 a client gets that asks with a tag.
fn successes(document: &Value, operation: &Value) -> Vec<(u16, Answer)> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let mut found: Vec<(u16, Answer)> = responses
        .filter_map(|(status, response)| {
            let status: u16 = status.parse().ok().filter(|status| *status < 400)?;
            let response = resolved(document, response);
            let content = response["content"].as_object().and_then(|content| content.iter().next());
            let headers = response["headers"].as_object().into_iter().flatten();
            let required = headers.filter(|(_, header)| resolved(document, header)["required"] == true);
            let answer = Answer {
                media_type: content.map(|(media_type, _)| media_type.clone()),
                schema: content.map(|(_, media)| inlined(document, &media["schema"])),
                headers: required.map(|(name, _)| name.clone()).collect(),
            };
            Some((status, answer))
        })
        .collect();
    found.sort_by_key(|(status, _)| *status);
    found
}

fn checks(answer: &Answer) -> Vec<String> {
    let mut lines = vec![];
    for header in &answer.headers {
        lines.push(format!("pm.test(\"header {header} is there\", () => pm.response.to.have.header(\"{header}\"));"));
    }
    match (&answer.media_type, &answer.schema) {
        (Some(media_type), Some(schema)) => {
            lines.push(format!(
                "pm.test(\"media type is {media_type}\", () => \
                 pm.expect(pm.response.headers.get(\"Content-Type\").split(\";\")[0]).to.equal(\"{media_type}\"));"
            ));
            let schema = format!("{schema:#}");
            let mut text =
                format!("pm.test(\"body is as documented\", () => pm.response.to.have.jsonSchema({schema}));");
            text = text.replace('\r', "");
            lines.extend(text.lines().map(str::to_owned));
        }
        _ => {
            lines.push("pm.test(\"body is empty\", () => pm.expect(pm.response.text() || \"\").to.equal(\"\"));".into())
        }
    }
    lines
}

/// What the environment keeps of a success: tokens, the id of a new resource, the newest tag.
fn kept(document: &Value, operation: &Operation<'_>, groups: &[(Vec<u16>, Answer)]) -> Vec<String> {
    let mut lines = vec![];
    let has = |name: &str| {
        groups
            .iter()
            .filter_map(|(_, answer)| answer.schema.as_ref())
            .any(|schema| schema["properties"].get(name).is_some())
    };
    let set = |variable: &str, value: &str| format!("pm.environment.set(\"{variable}\", {value});");
    for (field, variable) in [("access_token", "JWT"), ("token", "JWT"), ("refresh_token", "refreshToken")] {
        if has(field) && has("token_type") {
            lines.push(set(variable, &format!("pm.response.json().{field}")));
        }
    }
    if operation.method == "post"
        && groups.iter().any(|(statuses, _)| statuses.contains(&201))
        && let Some(variable) = operation.member_variable(document)
    {
        lines.push(set(&variable, "pm.response.json().id"));
    }
    if groups.iter().any(|(_, answer)| answer.headers.iter().any(|header| header == "ETag")) {
        lines.push(set("etag", "pm.response.headers.get(\"ETag\")"));
    }
    if operation.method == "delete" {
        for variable in operation.path_variables() {
            lines.push(format!("pm.environment.unset(\"{variable}\");"));
        }
        if operation.sends_tag(document) {
            lines.push("pm.environment.unset(\"etag\");".into());
        }
    }
    lines.extend(flow::after(operation.id));
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
