//! Checks of answers: bodies of success and failure, headers, links.

use std::collections::BTreeSet;

use super::document::{Document, Node, Operation, header, schemas};
use super::grammar::Kind;
use super::{Check, Fault, words};

const PROBLEM: &str = "application/problem+json";

/// A server without limits has nothing to say in them.
const LIMITS: &[&str] = &["RateLimit", "RateLimit-Policy"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "response-one-success-schema",
        about: "The successes of an operation share one body schema, and none is without where another has one: a \
            function has one type.",
        repair: "answer the same type with each success status",
        run: success_schemas,
    },
    Check {
        id: "response-body",
        about: "200 and 201 have a body; 204 and 304 have none, only headers.",
        repair: "declare `content` with a schema, or use 204",
        run: bodies,
    },
    Check {
        id: "response-media-type",
        about: "Successes are `application/json` and nothing else: clients take the key literally, so no charset \
            either.",
        repair: "declare `application/json` alone",
        run: |document| {
            let is_right = |answer: &Node| answer.entries("content").all(|(media, _)| media == "application/json");
            answers(document, |status, answer| {
                (is_success(status) && !is_right(answer))
                    .then(|| answer.fault("answers with another media type than `application/json`"))
            })
        },
    },
    Check {
        id: "response-object-root",
        about: "The body of a success is an object: a bare list or word can never gain a field.",
        repair: "wrap it in an object",
        run: |document| {
            answers(document, |status, answer| {
                let found = schemas(answer);
                let schema = found.iter().find_map(|(_, schema)| document.schema(schema))?;
                let is_object =
                    schema.value["type"] == "object" || ["oneOf", "allOf", "anyOf"].iter().any(|word| schema.has(word));
                (is_success(status) && !is_object && schema.has("type"))
                    .then(|| answer.fault(format!("has a body of type {}", schema.text("type"))))
            })
        },
    },
    Check {
        id: "operation-4xx-problem-details-rfc7807",
        about: "Every failure, 5XX too, has the one body `Problem` as `application/problem+json`: clients handle \
            one type.",
        repair: "answer with a reference to `#/components/schemas/Problem`",
        run: |document| {
            let is_right = |answer: &Node| {
                let content: Vec<_> = answer.entries("content").collect();
                matches!(content[..], [(PROBLEM, media)] if media["schema"]["$ref"] == "#/components/schemas/Problem")
            };
            answers(document, |status, answer| {
                (is_failure(status) && !is_right(answer))
                    .then(|| answer.fault("is not a `Problem` in `application/problem+json`"))
            })
        },
    },
    Check {
        id: "problem-schema",
        about: "`Problem` has what RFC 9457 names and what support needs: type, title, status, detail, code, \
            request_id, and errors.",
        repair: "declare the field; all but `errors` are always there",
        run: problem_schema,
    },
    Check {
        id: "problem-code-extensible",
        about: "The codes of `Problem` are an enum marked `x-extensible-enum`: a new code must break no client.",
        repair: "mark the enum with `x-extensible-enum: true`",
        run: |document| {
            let Some(problem) = document.component(Kind::Schema, "schemas", "Problem") else { return vec![] };
            let code = problem.below(Kind::Schema, &["properties", "code"]).and_then(|code| document.schema(&code));
            let closed = code.filter(|code| !code.value["enum"].is_array() || code.value["x-extensible-enum"] != true);
            closed.map(|code| code.fault("is no enum marked `x-extensible-enum: true`")).into_iter().collect()
        },
    },
    Check {
        id: "response-request-id",
        about: "Every answer names its request in `X-Request-Id`: it is what people quote when they ask for help.",
        repair: "declare the header",
        run: |document| lacking_header(document, "X-Request-Id", |_, _| true),
    },
    Check {
        id: "response-www-authenticate",
        about: "401 says how to authenticate in `WWW-Authenticate`, as RFC 9110 demands.",
        repair: "declare the header",
        run: |document| lacking_header(document, "WWW-Authenticate", |status, _| status == "401"),
    },
    Check {
        id: "response-retry-after",
        about: "429 and 5XX say in `Retry-After` when to try again: clients that guess make the load worse.",
        repair: "declare the header",
        run: |document| lacking_header(document, "Retry-After", |status, _| status == "429" || status == "5XX"),
    },
    Check {
        id: "response-location",
        about: "201 with an `id` in its body says in `Location` where the new thing is.",
        repair: "declare the header",
        run: |document| {
            let has_id =
                |answer: &Node| schemas(answer).iter().any(|(_, schema)| property(document, schema, "id").is_some());
            lacking_header(document, "Location", |status, answer| status == "201" && has_id(answer))
        },
    },
    Check {
        id: "response-etag",
        about: "What is answered with an ETag once is answered with it always, 304 included: a client can then \
            change it without reading again.",
        repair: "declare the header",
        run: etags,
    },
    Check {
        id: "response-not-cached",
        about: "Tokens and failures forbid caching with `Cache-Control`: caches may keep even a 404 unless told.",
        repair: "declare the header",
        run: |document| {
            let tokens = ["token", "access_token", "refresh_token"];
            let has_token = |schema: &Node| tokens.iter().any(|name| property(document, schema, name).is_some());
            let is_due = |status: &str, answer: &Node| {
                is_failure(status) || schemas(answer).iter().any(|(_, schema)| has_token(schema))
            };
            lacking_header(document, "Cache-Control", is_due)
        },
    },
    Check {
        id: "response-header-required",
        about: "A header of an answer is `required: true`, 5XX and the limits aside, which a server may not have: one \
                that may be missing cannot be relied upon.",
        repair: "write `required: true`, or leave the header out",
        run: |document| {
            let optional = |answer: &Node| {
                let headers = answer.entries("headers").filter(|(name, _)| !LIMITS.contains(name));
                let headers = headers.filter_map(|(name, _)| header(document, answer, name));
                let optional = headers.filter(|header| header.value["required"] != true);
                optional.map(|header| header.fault("is not `required: true`")).collect::<Vec<_>>()
            };
            let exact = document.operations().into_iter().flat_map(|operation| operation.responses());
            exact.filter(|(status, _)| !status.starts_with('5')).flat_map(|(_, answer)| optional(&answer)).collect()
        },
    },
    Check {
        id: "response-header-described",
        about: "A header of an answer has a description, a schema and an example.",
        repair: "add what is missing",
        run: |document| {
            let lacks = |header: &Node| {
                ["description", "schema", "example"].into_iter().filter(|field| !header.has(field)).collect::<Vec<_>>()
            };
            let poor = document.of(Kind::Header).filter(|header| !lacks(header).is_empty());
            poor.map(|header| header.fault(format!("has no {}", lacks(header).join(", no ")))).collect()
        },
    },
    Check {
        id: "header-name-casing",
        about: "Header names are written as their specifications write them (`ETag`, `X-Request-Id`): generated \
            code shows them.",
        repair: "write it as it is sent",
        run: header_names,
    },
];

fn is_failure(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

pub fn is_success(status: &str) -> bool {
    status.starts_with('2')
}

/// A fault for each answer, under each status that uses it.
pub fn answers<'a>(document: &Document<'a>, fault: impl Fn(&str, &Node<'a>) -> Option<Fault>) -> Vec<Fault> {
    let all = document.operations().into_iter().flat_map(|operation| operation.responses());
    all.filter_map(|(status, answer)| fault(status, &answer)).collect()
}

fn lacking_header(document: &Document, name: &str, is_due: impl Fn(&str, &Node) -> bool) -> Vec<Fault> {
    answers(document, |status, answer| {
        let lacks = is_due(status, answer) && header(document, answer, name).is_none();
        lacks.then(|| answer.fault(format!("has no `{name}`")))
    })
}

/// The property of an object schema, wrappers opened.
pub fn property<'a>(document: &Document<'a>, schema: &Node<'a>, name: &str) -> Option<Node<'a>> {
    document.schema(schema)?.below(Kind::Schema, &["properties", name])
}

fn success_schemas(document: &Document) -> Vec<Fault> {
    let fault = |operation: Operation| {
        let found = operation.successes();
        let distinct: BTreeSet<String> = found.iter().map(|(_, answer)| body_schema(answer)).collect();
        (distinct.len() > 1).then(|| operation.node.fault_at(&["responses"], "its successes have different bodies"))
    };
    document.operations().into_iter().filter_map(fault).collect()
}

pub fn body_schema(answer: &Node) -> String {
    schemas(answer).iter().map(|(_, schema)| schema.value.to_string()).collect()
}

fn bodies(document: &Document) -> Vec<Fault> {
    answers(document, |status, answer| match status {
        "204" | "304" => {
            answer.has("content").then(|| answer.fault(format!("{status} has no body, but one is declared")))
        }
        "200" | "201" => {
            schemas(answer).is_empty().then(|| answer.fault(format!("{status} has a body, but none is declared")))
        }
        _ => None,
    })
}

fn problem_schema(document: &Document) -> Vec<Fault> {
    let Some(problem) = document.component(Kind::Schema, "schemas", "Problem") else {
        return document.of(Kind::Root).map(|root| root.fault("has no schema `Problem`")).collect();
    };
    let required: Vec<&str> = problem.texts("required").collect();
    let always = ["type", "title", "status", "detail", "code", "request_id"];
    let mut faults: Vec<Fault> = always
        .iter()
        .filter(|name| !required.contains(name) || property(document, &problem, name).is_none())
        .map(|name| problem.fault(format!("has no required `{name}`")))
        .collect();
    if property(document, &problem, "errors").is_none_or(|errors| errors.value["type"] != "array") {
        faults.push(problem.fault("has no list `errors`"));
    }
    faults
}

fn etags(document: &Document) -> Vec<Fault> {
    let successes: Vec<_> = document.operations().into_iter().flat_map(|operation| operation.successes()).collect();
    let has = |answer: &Node| header(document, answer, "ETag").is_some();
    let tagged: BTreeSet<String> =
        successes.iter().filter(|(_, answer)| has(answer)).map(|(_, answer)| body_schema(answer)).collect();
    lacking_header(document, "ETag", |status, answer| {
        let schema = body_schema(answer);
        status == "304" || (is_success(status) && !schema.is_empty() && tagged.contains(&schema))
    })
}

fn header_names(document: &Document) -> Vec<Fault> {
    let of_answers = document.nodes().iter().filter(|node| node.kind == Kind::Header).map(|node| (node, node.name()));
    let of_requests = document
        .of(Kind::Parameter)
        .filter(|node| node.text("in") == "header")
        .map(|node| (node, node.text("name").to_owned()));
    let wrong = of_answers.chain(of_requests).filter(|(_, name)| *name != words::header_case(name));
    wrong.map(|(node, name)| node.fault(format!("`{name}` is written `{}`", words::header_case(&name)))).collect()
}
