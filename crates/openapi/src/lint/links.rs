//! Checks of links: what one answer says about the next request.

use serde_json::Value;

use super::answers::{answers, body_schema, is_success, property};
use super::document::{Document, Node, Operation, header, schemas};
use super::grammar::Kind;
use super::{Check, Fault};

pub const CHECKS: &[Check] = &[
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
