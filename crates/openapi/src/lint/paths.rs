//! Checks of paths: how they are written, and which requests fit them.

use super::document::Document;
use super::grammar::Kind;
use super::{Check, Fault, words};

pub const CHECKS: &[Check] = &[
    Check {
        id: "path-keys-no-trailing-slash",
        about: "Paths begin with a slash and do not end in one: both forms answer, one is documented.",
        repair: "remove the slash at the end",
        run: |document| {
            paths(
                document,
                |path| !path.starts_with('/') || (path.len() > 1 && path.ends_with('/')),
                "begins without a slash or ends in one",
            )
        },
    },
    Check {
        id: "path-not-include-query",
        about: "A path has no query: parameters stand in `parameters`, where they have a schema.",
        repair: "declare what follows `?` as query parameters",
        run: |document| paths(document, |path| path.contains(['?', '#']), "has a query or fragment"),
    },
    Check {
        id: "path-declarations-must-exist",
        about: "Every variable of a path has a name: `{}` cannot be filled.",
        repair: "name the variable",
        run: |document| {
            paths(
                document,
                |path| path.contains("{}") || path.matches('{').count() != path.matches('}').count(),
                "has a variable without a name, or an open brace",
            )
        },
    },
    Check {
        id: "path-casing",
        about: "Path segments are lower case with hyphens, variables snake_case: paths are compared letter by \
            letter.",
        repair: "rename the segment",
        run: |document| {
            let is_right = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(variable) => variable.is_empty() || words::is_snake_case(variable),
                None => segment.is_empty() || words::is_kebab_case(segment) || segment.contains(['{', '}', '?', '#']),
            };
            paths(document, |path| !path.split('/').all(is_right), "has a segment in other casing")
        },
    },
    Check {
        id: "no-identical-paths",
        about: "No two paths differ only in the names of their variables: a request fits both.",
        repair: "join the two",
        run: |document| clashing(document, "is the same path", |one, other| one == other),
    },
    Check {
        id: "no-ambiguous-paths",
        about: "Of two paths that fit one request, one is the more concrete at every step: otherwise servers \
            choose differently.",
        repair: "give one of them another segment",
        run: |document| {
            clashing(document, "fits the same requests, and neither is the more concrete", |one, other| {
                let pairs: Vec<_> = one.iter().copied().zip(other.iter().copied()).collect();
                let meets = one.len() == other.len() && pairs.iter().all(|(a, b)| a == b || *a == "{}" || *b == "{}");
                let wins = |one: usize| pairs.iter().any(|(a, b)| a != b && [*a, *b][one] != "{}");
                meets && wins(0) && wins(1)
            })
        },
    },
];

fn paths(document: &Document, is_wrong: impl Fn(&str) -> bool, problem: &str) -> Vec<Fault> {
    let items = document.nodes().iter().filter_map(|node| Some((node, node.named_in("paths")?)));
    let items = items.filter(|(node, _)| node.kind == Kind::PathItem);
    items.filter(|(_, path)| is_wrong(path)).map(|(node, path)| node.fault(format!("`{path}` {problem}"))).collect()
}

/// Pairs of paths whose segments, variables without names, clash.
fn clashing(document: &Document, problem: &str, clash: impl Fn(&[&str], &[&str]) -> bool) -> Vec<Fault> {
    let items: Vec<_> = document.nodes().iter().filter_map(|node| Some((node, node.named_in("paths")?))).collect();
    let mut faults = vec![];
    for (index, (node, path)) in items.iter().enumerate() {
        for (_, earlier) in &items[..index] {
            if clash(&segments(path), &segments(earlier)) {
                faults.push(node.fault(format!("`{path}` beside `{earlier}` {problem}")));
            }
        }
    }
    faults
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect()
}
