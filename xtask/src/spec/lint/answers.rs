//! Checks of answers: bodies of success and failure, headers, links.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Document, Node, Operation, header, schemas};
use super::grammar::Kind;
use super::{Check, Fault, words};

const PROBLEM: &str = "application/problem+json";

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
        about: "A header of an answer is `required: true`, 5XX aside: one that may be missing cannot be relied upon.",
        repair: "write `required: true`, or leave the header out",
        run: |document| {
            let optional = |answer: &Node| {
                let headers = answer.entries("headers").filter_map(|(name, _)| header(document, answer, name));
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
    Check {
        id: "link-operation-defined",
        about: "A link leads to an operation of this document, by its operationId.",
        repair: "correct the operationId",
        run: |document| {
            links(document, |link| {
                link.target
                    .is_none()
                    .then(|| link.node.fault(format!("leads to no operation: {}", link.node.value["operationId"])))
            })
        },
    },
    Check {
        id: "link-parameters-defined",
        about: "A link gives its target all the path's variables, and nothing that the target does not take.",
        repair: "name the target's parameters, e.g. `id` or `header.If-Match`",
        run: |document| links(document, link_parameters),
    },
    Check {
        id: "link-expression-resolves",
        about: "What a link passes on is in the answer: the header is declared, the pointer leads to a property.",
        repair: "correct the expression, e.g. `$response.body#/id`",
        run: |document| {
            links(document, |link| {
                let values = link.node.entries("parameters");
                let (name, value) = values.into_iter().find(|(_, value)| !resolves(document, link, value))?;
                Some(link.node.fault_at(&["parameters", name], format!("{value} is not in the answer")))
            })
        },
    },
    Check {
        id: "link-carries-etag",
        about: "A link to an operation that needs If-Match passes the ETag on: without it the target answers 428.",
        repair: "add `header.If-Match: $response.header.ETag`",
        run: |document| {
            links(document, |link| {
                let needs = link.target.is_some_and(|target| target.takes("If-Match"));
                let has = link.node.value["parameters"]["header.If-Match"] == "$response.header.ETag";
                (needs && !has).then(|| link.node.fault("leads to an operation that needs If-Match, without the ETag"))
            })
        },
    },
    Check {
        id: "link-from-etag",
        about: "An answer with an ETag links to the operations that need it: tools then try what they could not reach.",
        repair: "add the link",
        run: unlinked,
    },
    Check {
        id: "link-to-guarded",
        about: "Each operation that needs If-Match is the target of a link: tools reach it only with the ETag of \
            another answer.",
        repair: "add a link to it to the answer that carries its ETag",
        run: |document| {
            let linked: Vec<&str> = document.of(Kind::Link).map(|link| link.text("operationId")).collect();
            let alone = |operation: &Operation| operation.takes("If-Match") && !linked.contains(&operation.id());
            super::operations::each(document, alone, &[], "needs If-Match, but no link leads to it")
        },
    },
];

fn is_failure(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

fn is_success(status: &str) -> bool {
    status.starts_with('2')
}

/// A fault for each answer, under each status that uses it.
fn answers<'a>(document: &Document<'a>, fault: impl Fn(&str, &Node<'a>) -> Option<Fault>) -> Vec<Fault> {
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
fn property<'a>(document: &Document<'a>, schema: &Node<'a>, name: &str) -> Option<Node<'a>> {
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

fn body_schema(answer: &Node) -> String {
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

/// A link, the operation and answer it starts from, and the operation it leads to.
struct Linked<'o, 'd, 'a> {
    node: Node<'a>,
    answer: Node<'a>,
    source: &'o Operation<'d, 'a>,
    target: Option<&'o Operation<'d, 'a>>,
}

fn links<'a>(document: &Document<'a>, fault: impl Fn(&Linked<'_, '_, 'a>) -> Option<Fault>) -> Vec<Fault> {
    let operations = document.operations();
    let mut faults = vec![];
    for source in &operations {
        for (_, answer) in source.responses() {
            for (name, _) in answer.entries("links") {
                let node = answer.below(Kind::Link, &["links", name]).and_then(|node| document.resolve(&node));
                let Some(node) = node else { continue };
                let target = operations
                    .iter()
                    .find(|operation| !operation.id().is_empty() && operation.id() == node.text("operationId"));
                faults.extend(fault(&Linked { node, answer: answer.clone(), source, target }));
            }
        }
    }
    faults
}

/// Answers with an ETag and the body of a resource, without a link to what changes that resource.
fn unlinked(document: &Document) -> Vec<Fault> {
    let operations = document.operations();
    let tagged = |operation: &Operation| -> Vec<String> {
        let answers =
            operation.successes().into_iter().filter(|(_, answer)| header(document, answer, "ETag").is_some());
        answers.map(|(_, answer)| body_schema(&answer)).filter(|schema| !schema.is_empty()).collect()
    };
    let read = |path: &str| operations.iter().find(|operation| operation.method == "get" && operation.path == path);
    let guarded = operations.iter().filter(|operation| operation.takes("If-Match"));
    let guarded: Vec<_> = guarded.map(|operation| (operation.id(), read(&operation.path).map(tagged))).collect();
    answers(document, |status, answer| {
        let has_tag = is_success(status) && header(document, answer, "ETag").is_some();
        let linked = || document.linked(answer);
        let mut due =
            guarded.iter().filter(|(_, bodies)| bodies.iter().flatten().any(|body| *body == body_schema(answer)));
        let (id, _) = due.find(|(id, _)| has_tag && !linked().contains(id))?;
        Some(answer.fault(format!("has the ETag that {id} needs, but no link to it")))
    })
}

fn link_parameters(link: &Linked) -> Option<Fault> {
    let target = link.target?;
    let parameters = target.parameters();
    let is_named = |parameter: &Node, name: &str| {
        name == parameter.text("name") || name == format!("{}.{}", parameter.text("in"), parameter.text("name"))
    };
    let given: Vec<&str> = link.node.entries("parameters").map(|(name, _)| name).collect();
    if let Some(stray) = given.iter().find(|name| !parameters.iter().any(|parameter| is_named(parameter, name))) {
        return Some(
            link.node.fault_at(&["parameters", stray], format!("`{stray}` is no parameter of {}", target.id())),
        );
    }
    let needed = parameters.iter().filter(|parameter| parameter.value["required"] == true);
    let absent = needed.into_iter().find(|parameter| !given.iter().any(|name| is_named(parameter, name)))?;
    Some(link.node.fault(format!("does not give {} its `{}`", target.id(), absent.text("name"))))
}

/// Does a runtime expression name something that is there? A constant does.
fn resolves(document: &Document, link: &Linked, value: &Value) -> bool {
    let Some(expression) = value.as_str().filter(|text| text.starts_with('$')) else { return true };
    let in_schema = |body: &Node, pointer: &str| {
        let mut schemas = schemas(body).into_iter().map(|(_, schema)| schema);
        let mut steps = pointer.split('/').skip(1);
        schemas.next().and_then(|schema| steps.try_fold(schema, |at, step| property(document, &at, step))).is_some()
    };
    let declared = |place: &str, name: &str| link.source.parameter(place, name).is_some();
    match expression.split_once(['.', '#']) {
        None => ["$url", "$method", "$statusCode"].contains(&expression),
        Some(("$response", rest)) => match rest.split_once(['.', '#']) {
            Some(("header", name)) => header(document, &link.answer, name).is_some(),
            Some(("body", pointer)) => in_schema(&link.answer, pointer),
            _ => false,
        },
        Some(("$request", rest)) => match rest.split_once(['.', '#']) {
            Some(("body", pointer)) => link.source.body().is_some_and(|body| in_schema(&body, pointer)),
            Some((place, name)) => declared(place, name),
            None => false,
        },
        Some(_) => false,
    }
}
