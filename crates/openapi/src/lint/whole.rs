//! Checks of the document as a whole: its form, what it says about itself, references, components.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::document::{Document, Node};
use super::grammar::{self, Holds, Kind};
use super::{Check, Fault, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "oas3-schema",
        about: "Every object has the fields that OpenAPI 3.0 requires there and no others: a mistyped field is \
            ignored by every tool.",
        repair: "correct the field's name or value",
        run: form,
    },
    Check {
        id: "openapi-version",
        about: "The document is OpenAPI 3.0.3: client generators refuse 3.1.",
        repair: "write `openapi: 3.0.3`",
        run: |document| {
            let version = &document.value["openapi"];
            root(document)
                .filter(|_| version != "3.0.3")
                .map(|root| root.fault_at(&["openapi"], format!("is {version}")))
                .collect()
        },
    },
    Check {
        id: "info-description",
        about: "The document says what the API is for and what holds everywhere.",
        repair: "write `info.description`",
        run: |document| lacking(document, Kind::Info, "description"),
    },
    Check {
        id: "info-contact",
        about: "The document says whom to ask: a name, an address or a page.",
        repair: "fill `info.contact`",
        run: |document| {
            let nobody = |info: &&Node| {
                !info.entries("contact").any(|(_, value)| value.as_str().is_some_and(|text| !text.is_empty()))
            };
            document.of(Kind::Info).filter(nobody).map(|info| info.fault("has no contact")).collect()
        },
    },
    Check {
        id: "info-license",
        about: "The document names its licence and where to read it (Redocly: info-license, info-license-strict).",
        repair: "fill `info.license` with `name` and `url`",
        run: |document| {
            let infos =
                document.of(Kind::Info).filter(|info| info.value["license"]["url"].as_str().is_none_or(str::is_empty));
            infos.map(|info| info.fault("has no licence with a URL")).collect()
        },
    },
    Check {
        id: "info-version-semver",
        about: "The version is SemVer: only then does it tell whether an upgrade breaks a client.",
        repair: "set the version of the workspace in Cargo.toml to MAJOR.MINOR.PATCH",
        run: |document| {
            let bad = |info: &&Node| semver::Version::parse(info.text("version")).is_err();
            let fault = |info: &Node| info.fault_at(&["version"], format!("{} is no SemVer", info.value["version"]));
            document.of(Kind::Info).filter(bad).map(fault).collect()
        },
    },
    Check {
        id: "oas3-api-servers",
        about: "The document names a server, so that a collection or client made from it can be tried at once.",
        repair: "list at least one server",
        run: |document| {
            let has = document.value["servers"].as_array().is_some_and(|servers| !servers.is_empty());
            root(document).filter(|_| !has).map(|root| root.fault("names no server")).collect()
        },
    },
    Check {
        id: "server-url-absolute",
        about: "A server is scheme and host alone: a relative URL means another place in every tool, and a base \
            path hides half of each path.",
        repair: "write `https://HOST`, without path, query or trailing slash; paths carry their whole prefix",
        run: servers,
    },
    Check {
        id: "no-server-example.com",
        about: "No server is a placeholder host: requests from the docs would leave for a stranger's machine.",
        repair: "name a host that serves this API, or 127.0.0.1",
        run: |document| {
            let hosts = ["example.com", "example.org", "example.net"];
            let bad = |server: &&Node| hosts.iter().any(|host| server.text("url").contains(host));
            document.of(Kind::Server).filter(bad).map(|server| server.fault_at(&["url"], "is a placeholder")).collect()
        },
    },
    Check {
        id: "openapi-tags-uniqueness",
        about: "Each tag is declared once: a second one makes an empty chapter.",
        repair: "remove one of the two",
        run: |document| {
            let mut seen = HashSet::new();
            let again = |tag: &&Node| !seen.insert(tag.text("name").to_owned());
            let fault = |tag: &Node| tag.fault(format!("`{}` is declared twice", tag.text("name")));
            document.of(Kind::Tag).filter(again).map(fault).collect()
        },
    },
    Check {
        id: "tag-description",
        about: "Each tag says what its operations are about: it heads a chapter of the docs and a folder of the \
            collection.",
        repair: "describe the tag in `Tag` of src/resources/mod.rs",
        run: |document| lacking(document, Kind::Tag, "description"),
    },
    Check {
        id: "tag-used",
        about: "Each declared tag has an operation: an empty chapter misleads.",
        repair: "remove the tag, or give it to an operation",
        run: |document| {
            let used: HashSet<&str> =
                document.of(Kind::Operation).flat_map(|operation| operation.texts("tags")).collect();
            let unused = document.of(Kind::Tag).filter(|tag| !used.contains(tag.text("name")));
            unused.map(|tag| tag.fault(format!("`{}` has no operation", tag.text("name")))).collect()
        },
    },
    Check {
        id: "no-unresolved-refs",
        about: "Each reference leads to an object of the right kind in this very document: a client gets one file.",
        repair: "point it at a component of this document",
        run: references,
    },
    Check {
        id: "no-$ref-siblings",
        about: "Nothing stands beside a `$ref`: OpenAPI 3.0 has it ignored, so it says what does not hold.",
        repair: "wrap the reference in `allOf`, or move the rest to what it names",
        run: |document| {
            let siblings = |node: &Node| node.value.as_object().map_or(0, serde_json::Map::len) > 1;
            let lonely = document.references().filter(|(node, _)| siblings(node));
            lonely.map(|(node, _)| node.fault("has fields beside `$ref`, which are ignored")).collect()
        },
    },
    Check {
        id: "no-unused-components",
        about: "Each component is used by an operation: what nobody uses is noise in every generated client.",
        repair: "remove it, or use it",
        run: unused,
    },
    Check {
        id: "spec-components-invalid-map-name",
        about: "Component names consist of letters, digits, `.`, `-` and `_`, as OpenAPI demands.",
        repair: "rename it",
        run: |document| {
            let is_right =
                |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.is_empty();
            let wrong = components(document).into_iter().filter(|(_, name, _)| !is_right(name));
            wrong.map(|(_, name, node)| node.fault(format!("`{name}` is no name of a component"))).collect()
        },
    },
    Check {
        id: "schema-name-casing",
        about: "Schemas are named in PascalCase: they become the types of clients.",
        repair: "rename the type",
        run: |document| {
            let wrong = |(map, name, _): &(String, String, Node)| map == "schemas" && !words::is_pascal_case(name);
            let fault = |(_, name, node): (_, String, Node)| node.fault(format!("`{name}` is not PascalCase"));
            components(document).into_iter().filter(wrong).map(fault).collect()
        },
    },
    Check {
        id: "schema-names-distinct",
        about: "No two schemas differ only by casing, and none is `NewX` beside `X`: generated clients give both \
            one name.",
        repair: "rename one, e.g. `XCreate`",
        run: alike,
    },
    Check {
        id: "security-scheme-complete",
        about: "A way to authenticate has what OpenAPI requires of its kind: flows with their URLs, a scheme, a name.",
        repair: "add the field",
        run: incomplete_schemes,
    },
    Check {
        id: "oauth2-token-url-served",
        about: "A relative token URL is a path of this document that takes POST: otherwise \"Authorize\" leads \
            nowhere.",
        repair: "name the path of the token operation",
        run: token_urls,
    },
];

fn root<'d, 'a>(document: &'d Document<'a>) -> impl Iterator<Item = &'d Node<'a>> {
    document.of(Kind::Root)
}

/// Objects of a kind without a text.
fn lacking(document: &Document, kind: Kind, field: &str) -> Vec<Fault> {
    let silent = document.of(kind).filter(|node| node.text(field).trim().is_empty());
    silent.map(|node| node.fault(format!("has no {field}"))).collect()
}

fn form(document: &Document) -> Vec<Fault> {
    document.nodes().iter().filter(|node| !node.has("$ref")).flat_map(form_of).collect()
}

fn form_of(node: &Node) -> Vec<Fault> {
    let (Some(object), Some(fields)) = (grammar::object(node.kind), node.value.as_object()) else { return vec![] };
    let lacks = object.required.iter().filter(|name| !fields.contains_key(**name));
    let mut faults: Vec<Fault> =
        lacks.map(|name| node.fault(format!("lacks `{name}`, which OpenAPI requires"))).collect();
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with("x-")) {
        match object.fields.iter().find(|(known, _)| known == name) {
            None => faults.push(node.fault_at(&[name], "is no field of OpenAPI 3.0 here")),
            Some((_, holds)) => {
                faults
                    .extend(misfit(name, *holds, value).map(|must| node.fault_at(&[name], format!("must be {must}"))));
            }
        }
    }
    faults
}

/// What the field must hold, if it does not.
fn misfit(name: &str, holds: Holds, value: &Value) -> Option<String> {
    let objects = |mut values: Box<dyn Iterator<Item = &Value> + '_>| values.all(Value::is_object);
    let map = || value.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with("x-"));
    let list = || value.as_array().into_iter().flatten();
    let (fits, must) = match holds {
        // as JSON Schema has it; others may be empty
        Holds::Texts | Holds::List
            if ["required", "enum"].contains(&name) && value.as_array().is_some_and(Vec::is_empty) =>
        {
            (false, "left out, or have an entry".into())
        }
        Holds::Text => (value.is_string(), "a text".to_owned()),
        Holds::Word(words) => {
            (value.as_str().is_some_and(|word| words.contains(&word)), format!("one of {}", words.join(", ")))
        }
        Holds::Flag => (value.is_boolean(), "true or false".into()),
        Holds::Number => (value.is_number(), "a number".into()),
        Holds::Texts => (value.is_array() && list().all(Value::is_string), "a list of texts".into()),
        Holds::List => (value.is_array(), "a list".into()),
        Holds::Data => (true, String::new()),
        Holds::One(_) if name == "additionalProperties" && value.is_boolean() => (true, String::new()),
        Holds::One(_) => (value.is_object(), "an object".into()),
        Holds::Many(_) => (value.is_array() && objects(Box::new(list())), "a list of objects".into()),
        Holds::Map(_) => {
            (value.is_object() && objects(Box::new(map().map(|(_, value)| value))), "a map of objects".into())
        }
    };
    (!fits).then_some(must)
}

fn servers(document: &Document) -> Vec<Fault> {
    let is_right = |url: &str| {
        let host = url.strip_prefix("https://").or(url.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '{']))
    };
    let wrong = document.of(Kind::Server).filter(|server| server.has("url") && !is_right(server.text("url")));
    wrong
        .map(|server| server.fault_at(&["url"], format!("`{}` is not scheme and host alone", server.text("url"))))
        .collect()
}

fn references(document: &Document) -> Vec<Fault> {
    let fault = |(node, reference): (&Node, &str)| {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Some(node.fault(format!("`{reference}` leads out of this document")));
        };
        match document.nodes().iter().find(|target| target.pointer == pointer) {
            None => Some(node.fault(format!("`{reference}` leads to nothing"))),
            Some(target) if target.kind != node.kind => {
                Some(node.fault(format!("`{reference}` is a {:?}, but a {:?} is wanted", target.kind, node.kind)))
            }
            Some(target) if document.resolve(target).is_none() => {
                Some(node.fault(format!("`{reference}` leads back to itself")))
            }
            Some(_) => None,
        }
    };
    document.references().filter_map(fault).collect()
}

/// Every component: its map, its name, itself.
fn components<'a>(document: &Document<'a>) -> Vec<(String, String, Node<'a>)> {
    let component = |node: &Node<'a>| {
        let mut steps = node.pointer.strip_prefix("/components/")?.split('/');
        let (map, _, None) = (steps.next()?, steps.next()?, steps.next()) else { return None };
        Some((map.to_owned(), node.name(), node.clone()))
    };
    document.nodes().iter().filter_map(component).collect()
}

fn unused(document: &Document) -> Vec<Fault> {
    let mut used = document.used();
    let rules = document.of(Kind::Operation).chain(root(document)).flat_map(|node| node.value["security"].as_array());
    let schemes = rules.flatten().filter_map(Value::as_object).flat_map(|rule| rule.keys());
    used.extend(schemes.map(|name| format!("/components/securitySchemes/{name}")));
    let lonely = components(document).into_iter().filter(|(_, _, node)| !used.contains(&node.pointer));
    lonely.map(|(map, name, node)| node.fault(format!("nothing uses {map}.{name}"))).collect()
}

fn alike(document: &Document) -> Vec<Fault> {
    let schemas: Vec<_> = components(document).into_iter().filter(|(map, ..)| map == "schemas").collect();
    let mut by_letters: BTreeMap<String, &str> = BTreeMap::new();
    let mut faults = vec![];
    for (_, name, node) in &schemas {
        if let Some(other) = by_letters.insert(name.to_lowercase(), name) {
            faults.push(node.fault(format!("`{name}` differs from `{other}` only in casing")));
        }
        if let Some(other) = name.strip_prefix("New").filter(|rest| schemas.iter().any(|(_, name, _)| name == rest)) {
            faults.push(node.fault(format!("`{name}` beside `{other}`: the Go generator gives both one name")));
        }
    }
    faults
}

fn incomplete_schemes(document: &Document) -> Vec<Fault> {
    let lacking = |node: &Node, wanted: &[&str]| {
        let lacks = wanted.iter().filter(|field| !node.has(field));
        lacks.map(|field| node.fault(format!("lacks `{field}`"))).collect::<Vec<_>>()
    };
    let of_scheme = |scheme: &Node| match scheme.text("type") {
        "oauth2" => lacking(scheme, &["flows"]),
        "http" => lacking(scheme, &["scheme"]),
        "apiKey" => lacking(scheme, &["name", "in"]),
        "openIdConnect" => lacking(scheme, &["openIdConnectUrl"]),
        _ => vec![],
    };
    let of_flow = |flow: &Node| match flow.name().as_str() {
        "implicit" => lacking(flow, &["authorizationUrl"]),
        "authorizationCode" => lacking(flow, &["authorizationUrl", "tokenUrl"]),
        _ => lacking(flow, &["tokenUrl"]),
    };
    let schemes = document.of(Kind::SecurityScheme).flat_map(of_scheme);
    let empty = document.of(Kind::Flows).filter(|flows| flows.value.as_object().is_some_and(serde_json::Map::is_empty));
    let empty = empty.map(|flows| flows.fault("has no flow"));
    schemes.chain(empty).chain(document.of(Kind::Flow).flat_map(of_flow)).collect()
}

fn token_urls(document: &Document) -> Vec<Fault> {
    let fault = |flow: &Node, field: &str| {
        let url = flow.text(field);
        let is_served = document.value["paths"][url].get("post").is_some();
        (url.starts_with('/') && !is_served)
            .then(|| flow.fault_at(&[field], format!("no operation takes POST at {url}")))
    };
    document
        .of(Kind::Flow)
        .flat_map(|flow| ["tokenUrl", "refreshUrl"].map(|field| fault(flow, field)))
        .flatten()
        .collect()
}
