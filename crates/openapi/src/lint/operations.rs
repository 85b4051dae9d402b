//! Checks of operations: names, texts, access, the statuses they declare.

use std::collections::HashMap;

use serde_json::Value;

use super::document::{Document, Operation};
use super::grammar::Kind;
use super::{Check, Fault, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "operation-operationId",
        about: "Each operation has an operationId: it becomes the name of a function in every client.",
        repair: "give the handler an `operation_id`",
        run: |document| each(document, |operation| operation.id().is_empty(), &[], "has no operationId"),
    },
    Check {
        id: "operation-operationId-unique",
        about: "No two operations share an operationId: clients would lose one of them.",
        repair: "rename one of the two",
        run: |document| repeated(document, "operationId"),
    },
    Check {
        id: "operation-operationId-casing",
        about: "operationIds are snake_case, `verb_resource`: every generator can turn that into its own casing.",
        repair: "rename it like `list_posts`",
        run: |document| {
            let wrong = |operation: &Operation| !operation.id().is_empty() && !words::is_snake_case(operation.id());
            each(document, wrong, &["operationId"], "is not snake_case")
        },
    },
    Check {
        id: "operation-operationId-verb",
        about: "The verb fits the method (get and list GET, create POST, replace PUT, update PATCH, delete \
            DELETE): people guess the rest from it.",
        repair: "rename the operation, or take the method that its verb means",
        run: |document| {
            each(
                document,
                |operation| !verb_fits(operation),
                &["operationId"],
                "has a verb that does not fit its method",
            )
        },
    },
    Check {
        id: "operation-singular-tag",
        about: "Each operation has exactly one tag: two would put it into two chapters, folders and client modules.",
        repair: "give it one tag",
        run: |document| {
            each(document, |operation| operation.node.texts("tags").count() != 1, &[], "has not exactly one tag")
        },
    },
    Check {
        id: "operation-tag-defined",
        about: "The tag of an operation is declared at the top, where it is described.",
        repair: "declare the tag in `Tag` of src/resources/mod.rs",
        run: |document| {
            let declared: Vec<&str> = document.of(Kind::Tag).map(|tag| tag.text("name")).collect();
            let undeclared = |operation: &Operation| operation.node.texts("tags").any(|tag| !declared.contains(&tag));
            each(document, undeclared, &["tags"], "is not declared at the top")
        },
    },
    Check {
        id: "operation-summary",
        about: "Each operation has a summary of at most 60 characters without a full stop: it is its name in docs \
            and collection.",
        repair: "write the first line of the handler's doc comment as a short heading",
        run: |document| {
            let is_right = |text: &str| !text.trim().is_empty() && text.chars().count() <= 60 && !text.ends_with('.');
            each(
                document,
                |operation| !is_right(operation.node.text("summary")),
                &[],
                "has no short heading as its summary",
            )
        },
    },
    Check {
        id: "operation-summary-unique",
        about: "No two operations have the same summary: one of them was copied.",
        repair: "say what this one does",
        run: |document| repeated(document, "summary"),
    },
    Check {
        id: "operation-description",
        about: "Each operation says in whole sentences what it does and what follows.",
        repair: "write it below the first line of the handler's doc comment, with a full stop at its end",
        run: |document| {
            let is_right = |text: &str| text.trim().ends_with('.');
            each(
                document,
                |operation| !is_right(operation.node.text("description")),
                &[],
                "has no description in whole sentences",
            )
        },
    },
    Check {
        id: "operation-security-stated",
        about: "Each operation states who may call it, public ones with `security: []`: nothing is public by \
            omission.",
        repair: "make `Caller` or `Public` the handler's first parameter",
        run: |document| {
            each(document, |operation| !operation.node.has("security"), &[], "does not state its access rule")
        },
    },
    Check {
        id: "security-anonymous-alternative",
        about: "No access rule has `{}` beside a scheme: \"with or without credentials\" hides who is meant.",
        repair: "write `security: []` for public, or the scheme alone",
        run: |document| {
            let rules =
                |operation: &Operation| operation.node.value["security"].as_array().cloned().unwrap_or_default();
            let has_empty = |operation: &Operation| rules(operation).contains(&serde_json::json!({}));
            each(document, has_empty, &["security"], "allows anonymous calls as an alternative")
        },
    },
    Check {
        id: "oas3-operation-security-defined",
        about: "Each scheme and scope that an operation asks for is declared in the components.",
        repair: "declare the scheme or scope, or correct its name",
        run: |document| {
            each(
                document,
                |operation| !schemes_are_defined(document, operation),
                &["security"],
                "asks for a scheme or scope that is not declared",
            )
        },
    },
    Check {
        id: "operation-success-response",
        about: "Each operation declares what success looks like.",
        repair: "declare its 2xx answer",
        run: |document| {
            each(document, |operation| operation.successes().is_empty(), &["responses"], "declares no success")
        },
    },
    Check {
        id: "operation-400",
        about: "Each operation declares 400: a parameter that it does not know is refused, also where it takes none.",
        repair: "declare 400; `cargo xtask spec write` does it",
        run: |document| each(document, |operation| !operation.declares("400"), &["responses"], "declares no 400"),
    },
    Check {
        id: "operation-401",
        about: "Each operation that needs credentials declares 401.",
        repair: "declare 401, or make the operation public",
        run: |document| {
            let lacks = |operation: &Operation| operation.is_protected() && !operation.declares("401");
            each(document, lacks, &["responses"], "needs credentials, but declares no 401")
        },
    },
    Check {
        id: "operation-public-401",
        about: "A public operation declares 401 only if its body has credentials: otherwise it lost its access rule.",
        repair: "make `Caller` the handler's first parameter again, or drop the 401",
        run: |document| {
            let is_public = |operation: &Operation| operation.node.value["security"] == serde_json::json!([]);
            let is_wrong = |operation: &Operation| {
                is_public(operation) && operation.declares("401") && !takes_credentials(document, operation)
            };
            each(document, is_wrong, &["security"], "is public, but declares 401")
        },
    },
    Check {
        id: "operation-403-scopes",
        about: "Each operation that asks for a scope declares 403: known callers without it are refused.",
        repair: "declare 403",
        run: |document| {
            let scopes = |operation: &Operation| operation.node.value["security"].to_string().contains(r#"[""#);
            let lacks = |operation: &Operation| scopes(operation) && !operation.declares("403");
            each(document, lacks, &["responses"], "asks for a scope, but declares no 403")
        },
    },
    Check {
        id: "operation-404-path",
        about: "Each operation whose path has a variable declares 404: there is always a value that names nothing.",
        repair: "declare 404",
        run: |document| {
            let lacks = |operation: &Operation| operation.path.contains('{') && !operation.declares("404");
            each(document, lacks, &["responses"], "takes a variable in its path, but declares no 404")
        },
    },
    Check {
        id: "operation-body-statuses",
        about: "Each operation that takes a body declares 408, 413 and 415: too slow, too large, of another type.",
        repair: "declare all three",
        run: |document| {
            missing(document, |operation| operation.node.has("requestBody"), &["408", "413", "415"], "takes a body")
        },
    },
    Check {
        id: "operation-precondition",
        about: "If-Match, 412 and 428 go together, and If-Match is optional in the document: its absence answers \
            428, not 400.",
        repair: "declare all of it, or nothing",
        run: preconditions,
    },
    Check {
        id: "operation-conditional-read",
        about: "If-None-Match and 304 go together: a client that sends the one must expect the other.",
        repair: "declare both or neither",
        run: |document| {
            let differs = |operation: &Operation| operation.takes("If-None-Match") != operation.declares("304");
            each(document, differs, &["responses"], "has If-None-Match without 304, or 304 without If-None-Match")
        },
    },
    Check {
        id: "operation-lost-update",
        about: "What is read with an ETag is changed only with If-Match: otherwise the second of two writers \
            silently undoes the first.",
        repair: "take `If-Match` as a parameter",
        run: lost_updates,
    },
    Check {
        id: "response-status-exact",
        about: "Statuses are exact: no `default` and no range but 5XX, for both hide what a client has to handle.",
        repair: "declare each status by its number",
        run: |document| {
            let is_exact =
                |status: &str| status == "5XX" || status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit());
            statuses(document, |status| !is_exact(status), "is no exact status")
        },
    },
    Check {
        id: "response-5xx",
        about: "Faults of the server are the one range 5XX, on every operation: which of them it is depends on the \
            day.",
        repair: "declare `5XX` and no exact one",
        run: |document| {
            let mut faults = each(document, |operation| !operation.declares("5XX"), &["responses"], "declares no 5XX");
            faults.extend(statuses(
                document,
                |status| status.starts_with('5') && status.bytes().all(|c| c.is_ascii_digit()),
                "is an exact fault of the server",
            ));
            faults
        },
    },
    Check {
        id: "response-status-listed",
        about: "Only statuses of the house are used, so that clients handle few: 400 for any invalid input, \
            422 only for an Idempotency-Key of another request.",
        repair: "use 200, 201, 202, 204, 304, 400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 428 or 429",
        run: |document| {
            let is_number = |status: &str| status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit());
            let mut faults = statuses(
                document,
                |status| is_number(status) && !status.starts_with('5') && !LISTED.contains(&status),
                "is not among our statuses",
            );
            let operations = document.operations().into_iter().filter(|operation| !operation.takes("Idempotency-Key"));
            faults.extend(operations.flat_map(|operation| {
                let statuses = operation.node.entries("responses").filter(|(status, _)| *status == "422");
                let fault = |status| operation.node.fault_at(&["responses", status], "`422` is for an Idempotency-Key");
                statuses.map(|(status, _)| fault(status)).collect::<Vec<_>>()
            }));
            faults
        },
    },
];

const LISTED: [&str; 17] = [
    "200", "201", "202", "204", "304", "400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "428",
    "429",
];

/// Operations that something is wrong with.
pub fn each(document: &Document, is_wrong: impl Fn(&Operation) -> bool, at: &[&str], problem: &str) -> Vec<Fault> {
    let wrong = document.operations().into_iter().filter(|operation| is_wrong(operation));
    wrong.map(|operation| operation.node.fault_at(at, problem)).collect()
}

/// Operations that lack statuses which their shape asks for.
fn missing(document: &Document, applies: impl Fn(&Operation) -> bool, wanted: &[&str], why: &str) -> Vec<Fault> {
    let fault = |operation: Operation| {
        let absent: Vec<&str> = wanted.iter().copied().filter(|status| !operation.declares(status)).collect();
        let problem = format!("{why}, but declares no {}", absent.join(", no "));
        (applies(&operation) && !absent.is_empty()).then(|| operation.node.fault_at(&["responses"], problem))
    };
    document.operations().into_iter().filter_map(fault).collect()
}

fn statuses(document: &Document, is_wrong: impl Fn(&str) -> bool, problem: &str) -> Vec<Fault> {
    let of_operation = |operation: Operation| -> Vec<Fault> {
        let statuses = operation.node.entries("responses").map(|(status, _)| status);
        let wrong = statuses.filter(|status| !status.starts_with("x-") && is_wrong(status));
        wrong.map(|status| operation.node.fault_at(&["responses", status], format!("`{status}` {problem}"))).collect()
    };
    document.operations().into_iter().flat_map(of_operation).collect()
}

fn repeated(document: &Document, field: &str) -> Vec<Fault> {
    let mut first: HashMap<String, String> = HashMap::new();
    let mut faults = vec![];
    for operation in document.operations() {
        let text = operation.node.text(field).to_owned();
        let words = format!("{} {}", operation.method.to_uppercase(), operation.path);
        if text.is_empty() {
            continue;
        }
        if let Some(other) = first.get(&text) {
            faults.push(operation.node.fault_at(&[field], format!("`{text}` is also that of {other}")));
        } else {
            first.insert(text, words);
        }
    }
    faults
}

fn verb_fits(operation: &Operation) -> bool {
    let Some((verb, _)) = operation.id().split_once('_') else { return true };
    match (verb, operation.method) {
        ("get" | "list", method) => method == "get",
        (_, "get") => false,
        ("create", method) => method == "post",
        ("replace", method) => method == "put",
        ("update", method) => method == "patch",
        ("delete", method) => method == "delete",
        _ => true,
    }
}

fn schemes_are_defined(document: &Document, operation: &Operation) -> bool {
    let rules = operation.node.value["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let mut schemes = rules.flatten();
    schemes.all(|(name, scopes)| {
        let scheme = &document.value["components"]["securitySchemes"][name];
        let flows = || scheme["flows"].as_object().into_iter().flatten();
        let is_declared = |scope: &Value| {
            let declared = |flow: &Value| scope.as_str().is_some_and(|scope| flow["scopes"].get(scope).is_some());
            flows().any(|(_, flow)| declared(flow)) || scheme["type"] == "openIdConnect"
        };
        scheme.is_object() && scopes.as_array().is_some_and(|scopes| scopes.iter().all(is_declared))
    })
}

/// Does the body have a password, a token or a code?
fn takes_credentials(document: &Document, operation: &Operation) -> bool {
    let bodies = operation.body().map(|body| super::document::schemas(&body)).unwrap_or_default();
    let schemas = bodies.iter().filter_map(|(_, schema)| document.schema(schema));
    let mut names = schemas.flat_map(|schema| schema.entries("properties").map(|(name, _)| name).collect::<Vec<_>>());
    names.any(|name| ["password", "token", "code"].iter().any(|word| name.ends_with(word)))
}

fn preconditions(document: &Document) -> Vec<Fault> {
    let mut faults = missing(document, |operation| operation.takes("If-Match"), &["412", "428"], "takes If-Match");
    for operation in document.operations() {
        match operation.parameter("header", "If-Match") {
            None => {
                let stray = ["412", "428"].into_iter().filter(|status| operation.declares(status));
                faults.extend(stray.map(|status| {
                    operation.node.fault_at(&["responses", status], format!("declares {status}, but takes no If-Match"))
                }));
            }
            Some(parameter) if parameter.value["required"] == true => {
                faults.push(parameter.fault_at(&["required"], "If-Match is required: its absence would answer 400"));
            }
            Some(_) => {}
        }
    }
    faults
}

fn lost_updates(document: &Document) -> Vec<Fault> {
    let operations = document.operations();
    let tagged = |path: &str| {
        let read = operations.iter().find(|operation| operation.path == path && operation.method == "get");
        let answers = read.map(Operation::successes).unwrap_or_default();
        answers.iter().any(|(_, answer)| super::document::header(document, answer, "ETag").is_some())
    };
    let writes = |operation: &&Operation| ["put", "patch", "delete"].contains(&operation.method);
    let blind =
        operations.iter().filter(writes).filter(|operation| !operation.takes("If-Match") && tagged(&operation.path));
    blind
        .map(|operation| operation.node.fault("changes what GET answers with an ETag, but takes no If-Match"))
        .collect()
}
