//! The direction of the dependencies between crates, as far as Cargo does not hold it.

use regex::RegexBuilder;
use toml::{Table, Value};

use super::{Finding, Tree};

/// The packages that a crate must not depend on, also not for its tests.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("crates/openapi/Cargo.toml", &["accord", "accord-foundation"]),
    (
        "crates/migrate/Cargo.toml",
        &["accord", "accord-contract", "accord-foundation", "accord-openapi", "accord-testkit"],
    ),
    ("crates/contract/Cargo.toml", &["accord", "accord-foundation"]),
    ("crates/postman/Cargo.toml", &["accord", "accord-foundation"]),
    ("crates/testkit/Cargo.toml", &["accord", "accord-foundation"]),
    ("crates/foundation/Cargo.toml", &["accord"]),
];

/// The sources that must not name a resource of the application.
const FOUNDATION: &str = "crates/foundation/src/";

/// The folder with a folder for each resource of the application.
const RESOURCES: &str = "src/resources/";

/// Names of resources in the foundation, and dependencies in the wrong direction.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = names(tree);
    for (path, forbidden) in FORBIDDEN {
        if let Some(text) = tree.0.get(*path) {
            found.extend(dependencies(path, text, forbidden));
        }
    }
    found
}

fn names(tree: &Tree) -> Vec<Finding> {
    let resources: Vec<_> = tree.folders().into_iter().filter_map(|path| path.strip_prefix(RESOURCES)).collect();
    let resources: Vec<_> = resources.into_iter().filter(|name| !name.contains('/')).map(regex::escape).collect();
    if resources.is_empty() {
        return vec![];
    }
    let pattern = format!(r"\b({})\b", resources.join("|"));
    let words = RegexBuilder::new(&pattern).case_insensitive(true).build().expect("a sound pattern");
    let sources = tree.ours("").filter(|(path, _)| path.starts_with(FOUNDATION));
    let lines = sources.flat_map(|(path, text)| text.lines().zip(1..).map(move |(line, number)| (path, line, number)));
    lines
        .filter_map(|(path, line, number)| {
            let word = words.find(line)?.as_str();
            let text = format!("the foundation names `{word}`, a resource of the application: use a built-in resource");
            Some(Finding::new(path, number, text))
        })
        .collect()
}

fn dependencies(path: &str, text: &str, forbidden: &[&str]) -> Vec<Finding> {
    let manifest: Table = match toml::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::new(path, 1, format!("the manifest cannot be read: {error}"))],
    };
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([&manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let all = tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table())).flatten();
    let renamed = |dependency: &Value| dependency.get("package").and_then(Value::as_str).map(str::to_owned);
    all.filter_map(|(key, dependency)| {
        let package = renamed(dependency).unwrap_or_else(|| key.clone());
        if !forbidden.contains(&package.as_str()) {
            return None;
        }
        let begins = |line: &str| {
            line.trim_start().strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let line = text.lines().position(begins).map_or(1, |index| index + 1);
        let text = format!("the crate must not depend on `{package}`: remove the dependency, pass the data in instead");
        Some(Finding::new(path, line, text))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, tree};
    use super::*;

    #[test]
    fn a_resource_of_the_application_in_the_foundation_is_found() {
        let tree = tree(&[
            ("src/resources/posts/mod.rs", "//! Posts.\n"),
            ("crates/foundation/src/lib.rs", "//! A crate.\n/// Like Posts, but not `post` or posts_x.\n"),
            ("crates/contract/src/lib.rs", "//! posts\n"),
        ]);
        assert_eq!(
            printed(findings(&tree)),
            [
                "crates/foundation/src/lib.rs:2: the foundation names `Posts`, a resource of the application: use a built-in resource"
            ]
        );
    }

    #[test]
    fn a_dependency_in_the_wrong_direction_is_found() {
        let manifest = "[dependencies]\naccord-openapi.workspace = true\n\n[dev-dependencies]\naccord.workspace = true\n\
                        other = { package = \"accord-foundation\", path = \"../foundation\" }\n";
        let tree = tree(&[("crates/postman/Cargo.toml", manifest)]);
        assert_eq!(
            printed(findings(&tree)),
            [
                "crates/postman/Cargo.toml:5: the crate must not depend on `accord`: remove the dependency, pass the data in instead",
                "crates/postman/Cargo.toml:6: the crate must not depend on `accord-foundation`: remove the dependency, pass the data in instead",
            ]
        );
    }
}
