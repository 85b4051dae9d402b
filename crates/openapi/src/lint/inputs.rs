//! Checks of what clients send: parameters, bodies, and the bounds of every value.

use std::collections::{BTreeSet, HashSet};

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::Value;

use super::document::{Document, Node, Operation, schemas};
use super::grammar::Kind;
use super::operations::each;
use super::{Check, Fault, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "path-parameters-defined",
        about: "The variables of a path and the path parameters of its operations are the same, and each is \
            required.",
        repair: "declare the variable as a `path` parameter with `required: true`, or remove it",
        run: path_parameters,
    },
    Check {
        id: "operation-parameters-unique",
        about: "No operation declares a parameter twice.",
        repair: "remove one of the two",
        run: |document| {
            let twice = |operation: &Operation| {
                let mut seen = HashSet::new();
                !operation
                    .parameters()
                    .iter()
                    .all(|parameter| seen.insert((parameter.text("in"), parameter.text("name"))))
            };
            each(document, twice, &["parameters"], "declares a parameter twice")
        },
    },
    Check {
        id: "parameter-serialisation",
        about: "Parameters are plain: no cookies, no `content`, no deepObject, no style but the default. \
            Generators refuse the rest.",
        repair: "make it a path, query or header parameter with a `schema`",
        run: |document| {
            let style = |parameter: &Node| if parameter.text("in") == "query" { "form" } else { "simple" };
            let is_plain = |parameter: &Node| {
                parameter.text("in") != "cookie"
                    && parameter.has("schema")
                    && !parameter.has("content")
                    && parameter.value.get("style").is_none_or(|own| own == style(parameter))
            };
            parameters(document, |parameter| !is_plain(parameter), "is not plain")
        },
    },
    Check {
        id: "parameter-not-reserved",
        about: "No parameter is called Accept, Authorization or Content-Type: OpenAPI has such a parameter ignored.",
        repair: "say it with `security` or the media type of the body",
        run: |document| {
            let reserved = ["accept", "authorization", "content-type"];
            let is_reserved = |parameter: &Node| {
                parameter.text("in") == "header" && reserved.contains(&parameter.text("name").to_lowercase().as_str())
            };
            parameters(document, is_reserved, "is ignored as a parameter")
        },
    },
    Check {
        id: "parameter-name-casing",
        about: "Query and path parameters are snake_case, like the fields of bodies.",
        repair: "rename the parameter",
        run: |document| {
            let is_wrong =
                |parameter: &Node| parameter.text("in") != "header" && !words::is_snake_case(parameter.text("name"));
            parameters(document, is_wrong, "is not snake_case")
        },
    },
    Check {
        id: "default-means-optional",
        about: "What has a default may be left out: a required parameter or property with a default contradicts \
            itself.",
        repair: "make it optional, or remove the default",
        run: needless_defaults,
    },
    Check {
        id: "request-body-required",
        about: "A body that an operation takes is `required: true`: \"maybe a body\" is two operations.",
        repair: "write `required: true`",
        run: |document| {
            let optional = document.of(Kind::RequestBody).filter(|body| body.value["required"] != true);
            optional.map(|body| body.fault("is not `required: true`")).collect()
        },
    },
    Check {
        id: "request-body-method",
        about: "GET, HEAD and DELETE take no body: proxies and clients drop it.",
        repair: "pass it as parameters, or use POST",
        run: |document| {
            let wrong = |operation: &Operation| {
                ["get", "head", "delete"].contains(&operation.method) && operation.node.has("requestBody")
            };
            each(document, wrong, &["requestBody"], "takes a body")
        },
    },
    Check {
        id: "request-media-type",
        about: "A body has one media type, JSON or a form, with a named schema: generators refuse several, \
            merge-patch and multipart.",
        repair: "declare `application/json` (or `application/x-www-form-urlencoded`) with a `$ref`",
        run: |document| {
            let known = ["application/json", "application/x-www-form-urlencoded"];
            let is_right = |body: &Node| {
                let content: Vec<_> = body.entries("content").collect();
                matches!(content[..], [(media, of)] if known.contains(&media) && of["schema"]["$ref"].is_string())
            };
            let wrong = document.of(Kind::RequestBody).filter(|body| body.has("content") && !is_right(body));
            wrong.map(|body| body.fault("is not one of JSON or a form with a named schema")).collect()
        },
    },
    Check {
        id: "request-patch-not-empty",
        about: "PATCH takes an object of optional fields, at least one: an empty change is a mistake of the caller.",
        repair: "write `minProperties: 1` and require no field",
        run: |document| {
            let patches = document.operations().into_iter().filter(|operation| operation.method == "patch");
            let bodies = patches.filter_map(|operation| operation.body());
            let found = bodies.flat_map(|body| schemas(&body)).filter_map(|(_, schema)| document.schema(&schema));
            let is_right = |schema: &Node| {
                schema.value["minProperties"].as_u64() >= Some(1) && schema.texts("required").count() == 0
            };
            found
                .filter(|schema| !is_right(schema))
                .map(|schema| schema.fault("takes an empty change, or requires a field"))
                .collect()
        },
    },
    Check {
        id: "request-object-closed",
        about: "Objects that clients send are closed (`additionalProperties: false`): a mistyped field is refused, \
            not ignored.",
        repair: "add `deny_unknown_fields` to the type",
        run: |document| {
            let open = document.bodies().into_iter().filter(|schema| {
                schema.value["type"] == "object"
                    && !schema.has("allOf")
                    && schema.value["additionalProperties"] != false
            });
            open.map(|schema| schema.fault("takes unknown fields")).collect()
        },
    },
    Check {
        id: "request-string-bounded",
        about: "Text that clients send has a `maxLength`, unless an enum or a format bounds it: nobody may send a \
            megabyte as a name.",
        repair: "add `maxLength`",
        run: |document| {
            sent(document, "string", |schema| !is_free_text(schema) || schema.has("maxLength"), "has no `maxLength`")
        },
    },
    Check {
        id: "request-string-no-nul",
        about: "Text that clients send refuses U+0000: PostgreSQL cannot store it, SQLite cuts at it.",
        repair: r"give it a pattern that refuses U+0000 from beginning to end, e.g. `^[^\u0000]*$`",
        run: |document| {
            sent(
                document,
                "string",
                |schema| !is_free_text(schema) || refuses_nul(schema.text("pattern")),
                "takes U+0000",
            )
        },
    },
    Check {
        id: "request-number-bounded",
        about: "Numbers that clients send have `minimum` and `maximum`; a format `int32` or `int64` counts as the \
            upper bound.",
        repair: "add the bound",
        run: |document| {
            let has = |schema: &Node, bound: &str| schema.has(bound) || schema.has("enum");
            let is_bounded = |schema: &Node| {
                has(schema, "minimum") && (has(schema, "maximum") || schema.text("format").starts_with("int"))
            };
            let mut faults = sent(document, "integer", is_bounded, "has no bounds");
            faults.extend(sent(document, "number", is_bounded, "has no bounds"));
            faults
        },
    },
    Check {
        id: "request-array-bounded",
        about: "Lists that clients send have `maxItems`: work grows with each entry.",
        repair: "add `maxItems`",
        run: |document| sent(document, "array", |schema| schema.has("maxItems"), "has no `maxItems`"),
    },
    Check {
        id: "request-response-separate",
        about: "No object is both sent and answered: what the server owns (id, owner, role) must not be writable \
            by accident.",
        repair: "make a type of its own for the request, e.g. `PostCreate`",
        run: |document| {
            let answered: BTreeSet<String> = document.answered().into_iter().map(|schema| schema.pointer).collect();
            let objects = document
                .sent()
                .into_iter()
                .filter(|schema| schema.value["type"] == "object" && schema.has("properties"));
            let both = objects.filter(|schema| answered.contains(&schema.pointer));
            both.map(|schema| schema.fault("is both sent and answered")).collect()
        },
    },
    Check {
        id: "password-format",
        about: "A password that clients send has the format `password`: docs and tools hide what is typed.",
        repair: "write `format: password`",
        run: |document| {
            let of_name = |schema: &Node| schema.named_in("properties").is_some_and(|name| name.ends_with("password"));
            let bare = document.sent().into_iter().filter(|schema| {
                of_name(schema) && schema.value["type"] == "string" && schema.text("format") != "password"
            });
            bare.map(|schema| schema.fault("is a password without `format: password`")).collect()
        },
    },
    Check {
        id: "page-parameters",
        about: "A list that pages takes `limit` (integer with minimum, maximum and default) and `cursor` (text): \
            all lists page alike.",
        repair: "declare both query parameters",
        run: |document| {
            let has = |operation: &Operation, name: &str, fields: &[&str]| {
                let schema =
                    operation.parameter("query", name).and_then(|parameter| parameter.below(Kind::Schema, &["schema"]));
                schema.is_some_and(|schema| fields.iter().all(|field| schema.has(field)))
            };
            let is_right = |operation: &Operation| {
                has(operation, "limit", &["minimum", "maximum", "default"]) && has(operation, "cursor", &["maxLength"])
            };
            let pages = |operation: &Operation| page(document, operation).is_some();
            each(
                document,
                |operation| pages(operation) && !is_right(operation),
                &[],
                "pages without `limit` and `cursor`",
            )
        },
    },
    Check {
        id: "page-shape",
        about: "A list answers `{items, next, total}`, all three required, `next` and `total` nullable: clients \
            walk every list with one loop.",
        repair: "answer a page",
        run: |document| {
            let fault = |operation: &Operation| {
                let page = page(document, operation)?;
                (!is_page(document, &page))
                    .then(|| page.fault(format!("is what {} answers, but no page", operation.id())))
            };
            document.operations().iter().filter_map(fault).collect()
        },
    },
];

fn parameters(document: &Document, is_wrong: impl Fn(&Node) -> bool, problem: &str) -> Vec<Fault> {
    let wrong = document.of(Kind::Parameter).filter(|parameter| is_wrong(parameter));
    wrong.map(|parameter| parameter.fault(format!("`{}` {problem}", parameter.text("name")))).collect()
}

fn sent(document: &Document, kind: &str, is_right: impl Fn(&Node) -> bool, problem: &str) -> Vec<Fault> {
    let wrong = document.sent().into_iter().filter(|schema| schema.value["type"] == kind && !schema.has("allOf"));
    let wrong = wrong.filter(|schema| !is_right(schema));
    wrong.map(|schema| schema.fault(problem)).collect()
}

fn path_parameters(document: &Document) -> Vec<Fault> {
    let mut faults = vec![];
    for operation in document.operations() {
        let parts = operation.path.split('{').skip(1);
        let variables: BTreeSet<&str> =
            parts.filter_map(|part| part.split('}').next()).filter(|name| !name.is_empty()).collect();
        let declared: Vec<_> = operation.parameters().into_iter().filter(|node| node.text("in") == "path").collect();
        for name in variables.iter().filter(|name| !declared.iter().any(|node| node.text("name") == **name)) {
            faults.push(operation.node.fault(format!("the path has `{{{name}}}`, but no such parameter is declared")));
        }
        for parameter in declared {
            let name = parameter.text("name");
            if !variables.contains(name) {
                faults.push(parameter.fault(format!("`{name}` is no variable of {}", operation.path)));
            } else if parameter.value["required"] != true {
                faults.push(parameter.fault(format!("`{name}` is in the path, but not `required: true`")));
            }
        }
    }
    faults
}

fn needless_defaults(document: &Document) -> Vec<Fault> {
    let required = document.of(Kind::Parameter).filter(|parameter| parameter.value["required"] == true);
    let parameters = required.filter(|parameter| parameter.value["schema"].get("default").is_some());
    let mut faults: Vec<Fault> =
        parameters.map(|parameter| parameter.fault("is required, but has a default")).collect();
    for schema in document.of(Kind::Schema) {
        let with_default =
            schema.texts("required").filter(|name| schema.value["properties"][*name].get("default").is_some());
        faults
            .extend(with_default.map(|name| schema.fault_at(&["properties", name], "is required, but has a default")));
    }
    faults
}

/// Formats that the validator checks, and that leave no room for length or U+0000.
const STRICT_FORMATS: [&str; 3] = ["date-time", "date", "uuid"];

fn is_free_text(schema: &Node) -> bool {
    !schema.has("enum") && !STRICT_FORMATS.contains(&schema.text("format"))
}

/// Does no text with U+0000 match? The pattern must hold the whole text, and no class in it may have U+0000.
pub fn refuses_nul(pattern: &str) -> bool {
    let Ok(parsed) = regex_syntax::parse(pattern) else { return false };
    let properties = parsed.properties();
    let anchored = properties.look_set_prefix().contains(regex_syntax::hir::Look::Start)
        && properties.look_set_suffix().contains(regex_syntax::hir::Look::End);
    anchored && !takes_nul(&parsed)
}

fn takes_nul(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&0),
        HirKind::Class(Class::Unicode(class)) => class.ranges().iter().any(|range| range.start() == '\0'),
        HirKind::Class(Class::Bytes(class)) => class.ranges().iter().any(|range| range.start() == 0),
        HirKind::Repetition(repetition) => takes_nul(&repetition.sub),
        HirKind::Capture(capture) => takes_nul(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(takes_nul),
    }
}

/// What an operation answers, if it is a list: it is called so, or the answer has `items`.
fn page<'a>(document: &Document<'a>, operation: &Operation<'_, 'a>) -> Option<Node<'a>> {
    let (_, answer) = operation.successes().into_iter().next()?;
    let (_, schema) = schemas(&answer).into_iter().next()?;
    let schema = document.schema(&schema)?;
    (operation.id().starts_with("list_") || schema.value["properties"]["items"]["type"] == "array").then_some(schema)
}

fn is_page(document: &Document, page: &Node) -> bool {
    let required: BTreeSet<&str> = page.texts("required").collect();
    let of = |name: &str| page.below(Kind::Schema, &["properties", name]).and_then(|node| document.schema(&node));
    let is = |name: &str, kind: &str, nullable: bool| {
        of(name)
            .is_some_and(|node| node.value["type"] == kind && (node.value["nullable"] == Value::Bool(true)) == nullable)
    };
    required == BTreeSet::from(["items", "next", "total"])
        && is("items", "array", false)
        && is("next", "string", true)
        && is("total", "integer", true)
}

#[cfg(test)]
mod tests {
    use super::refuses_nul;

    #[test]
    fn a_pattern_refuses_nul_only_if_it_holds_the_whole_text() {
        for pattern in [r"^[^\u0000]*$", r"^[A-Z]{3}$", r"^(a|b)+$", r"^\d{2}[^\x00-\x1f]$"] {
            assert!(refuses_nul(pattern), "{pattern}");
        }
        for pattern in ["", "[a-z]+", "^[a-z]+", "^a$|b", "^.*$", r"^\D$", "^[^a]$", r"^(?=x)x$", r"^\x00$"] {
            assert!(!refuses_nul(pattern), "{pattern}");
        }
    }
}
