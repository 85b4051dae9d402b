//! `spec check`: the committed document says what the code serves, word for word, and each difference says how to
//! repair it on either side.

use std::collections::BTreeSet;
use std::path::Path;

use crate::application::Application;
use accord_openapi::diff::report::{Comparison, Difference, short};
use accord_openapi::{diff, operations, to_yaml};
use serde_json::Value;

use super::{OPERATIONS, committed_of, read, texts};
use crate::report::{Failed, Outcome, Report};
use crate::run;

const WRITE: &str = "cargo xtask spec write";

/// Compares the files of an application with its declarations.
pub fn check(application: &'static Application) -> Outcome {
    let served = &application.declared()?.document;
    let name = &application.file(&application.document());
    let (text, file) = (read(name)?, committed_of(application)?);
    let comparison = Comparison::new(name, "the code", diff::compare(&file, served));
    let mut faults: Vec<String> =
        comparison.differences.iter().map(|difference| disagreement(name, difference, &file, served)).collect();
    if faults.is_empty() && text != to_yaml(served) {
        faults.push(format!("{name}: means what the code serves, but is not in canonical form: `{WRITE}`"));
    }
    for (name, declared) in texts(application)? {
        let written = read(&name)?;
        if name.ends_with(OPERATIONS) {
            faults.extend(lines(&name, &written, &declared));
        } else if written != declared {
            let line = written.lines().zip(declared.lines()).take_while(|(one, other)| one == other).count() + 1;
            faults.push(format!("{name}, line {line}: is not what the code declares: `{WRITE}`"));
        }
    }
    let operations = operations(served).len();
    if faults.is_empty() {
        let note =
            format!("{operations} operations: document, list of routes and setup files are what the code declares");
        return Ok(Report::passed(5, note));
    }
    let count = faults.len();
    if let Some(worst) = comparison.worst() {
        faults.push(format!(
            "{name} → the code: {}; what `{WRITE}` changes is the change of the contract: {}",
            comparison.counts(),
            worst.name()
        ));
    }
    Err(Failed::new(0, count, faults.join("\n")).into())
}

/// One difference: where, what either side says, and what to change.
fn disagreement(name: &str, difference: &Difference, file: &Value, code: &Value) -> String {
    let finding = &difference.first;
    let operation = finding.operation.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
    let more = match difference.uses.len() {
        1 => String::new(),
        2 => ", and 1 more place".to_owned(),
        uses => format!(", and {} more places", uses - 1),
    };
    let (old, new) = (said(finding.old.as_ref()), said(finding.new.as_ref()));
    let from = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let room = Room::of(code, &finding.pointer_new).or(Room::of(file, &finding.pointer_old));
    let lines = [
        (format!("{name} says"), short(&old, from)),
        ("the code serves".into(), short(&new, from)),
        ("rule".into(), finding.id()),
        ("repair the document".into(), WRITE.into()),
        ("or the code".into(), room.map_or_else(|| ROOMS.to_owned(), |room| room.place())),
    ];
    let lines: String = lines.iter().map(|(left, right)| format!("  {left:25} {right}\n")).collect();
    format!("{}{operation}{more}\n{lines}", finding.place)
}

fn said(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// Where an operation and its types are made, when nothing more is known.
const ROOMS: &str = "the handler in the api.rs of a resource, or its types in model.rs";

/// What in the sources makes a part of the document.
enum Room<'a> {
    Type(&'a str),
    Operation(&'a str),
    File(&'static str),
}

impl<'a> Room<'a> {
    fn of(document: &'a Value, pointer: &'a str) -> Option<Self> {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        match steps[..] {
            ["components", "schemas", name, ..] => Some(Self::Type(name)),
            ["components", "securitySchemes", ..] => Some(Self::File("crates/foundation/src/auth/caller.rs")),
            ["components", _, ..] => Some(Self::File("crates/foundation/src/server/normalise.rs")),
            ["info" | "servers" | "openapi", ..] => Some(Self::File("src/lib.rs")),
            ["tags", ..] => Some(Self::File("`Tag` in the mod.rs of the resource")),
            ["paths", path, method, ..] => {
                document.pointer(&format!("/paths/{path}/{method}/operationId"))?.as_str().map(Self::Operation)
            }
            _ => None,
        }
    }

    /// `src/resources/posts/model.rs:131, PostUpdate`
    fn place(&self) -> String {
        let sources = Sources::read(&run::root());
        match self {
            Self::File(name) => (*name).to_owned(),
            Self::Type(name) => sources.line(|line| declares(line, name)).map_or_else(
                || format!("the type {name} in the model.rs of a resource"),
                |place| format!("{place}, {name}"),
            ),
            Self::Operation(id) => {
                let written = format!("operation_id = \"{id}\"");
                let found = sources.line(|line| line.contains(&written));
                found.map_or_else(|| ROOMS.to_owned(), |place| format!("{place}, {id}"))
            }
        }
    }
}

/// Does the line begin a type of this name?
fn declares(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let rest = line.strip_prefix("struct ").or(line.strip_prefix("enum "));
    rest.and_then(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next()) == Some(name)
}

/// The sources of the product, those of wire types and handlers first.
struct Sources(Vec<(String, String)>);

impl Sources {
    fn read(folder: &Path) -> Self {
        let mut files = vec![];
        for sources in ["src", "crates/foundation/src", "examples/bookshelf/src"] {
            collect(&folder.join(sources), sources, &mut files);
        }
        files.sort_by_key(|(name, _)| (!name.ends_with("/model.rs"), name.clone()));
        Self(files)
    }

    /// The first line of which this holds: `src/resources/posts/api.rs:19`.
    fn line(&self, holds: impl Fn(&str) -> bool) -> Option<String> {
        self.0.iter().find_map(|(name, text)| Some(format!("{name}:{}", text.lines().position(&holds)? + 1)))
    }
}

fn collect(folder: &Path, name: &str, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), format!("{name}/{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            collect(&path, &name, files);
        } else if name.ends_with(".rs") {
            files.extend(std::fs::read_to_string(&path).ok().map(|text| (name, text)));
        }
    }
}

/// Lines that only the file or only the router has.
fn lines(name: &str, file: &str, router: &str) -> Vec<String> {
    let set = |text: &'_ str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (in_file, in_router) = (set(file), set(router));
    let mut faults: Vec<String> = in_file
        .difference(&in_router)
        .map(|line| format!("{name}: `{line}`, but the router has no such route: `{WRITE}`"))
        .collect();
    let unlisted = in_router.difference(&in_file);
    faults.extend(unlisted.map(|line| format!("{name}: lacks `{line}`, which the router serves: `{WRITE}`")));
    if faults.is_empty() && file != router {
        faults.push(format!("{name}: the right lines, but not in canonical form: `{WRITE}`"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is said when the committed document has been edited.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let served = crate::spec::committed().expect("the document");
        let mut file = served.clone();
        *file.pointer_mut(pointer).expect("it is there") = value;
        let name = "openapi/accord.yaml";
        let comparison = Comparison::new(name, "the code", diff::compare(&file, &served));
        comparison.differences.iter().map(|difference| disagreement(name, difference, &file, &served)).collect()
    }

    #[test]
    fn a_difference_says_both_sides_and_both_repairs() {
        let said = after("/components/schemas/PostUpdate/properties/title/maxLength", json!(100));
        assert_eq!(said.len(), 1, "{said:?}");
        for part in [
            "PATCH /api/v1/posts/{id} · request body · application/json · /title (update_post)",
            "openapi/accord.yaml says  100\n",
            "the code serves           200\n",
            "request-property-max-length-increased",
            "cargo xtask spec write",
            "src/resources/posts/model.rs:",
            ", PostUpdate",
        ] {
            assert!(said[0].contains(part), "{part} is not in\n{}", said[0]);
        }
    }

    #[test]
    fn an_operation_is_found_in_its_api() {
        for (key, value) in [("summary", "Posts"), ("operationId", "posts")] {
            let said = after(&format!("/paths/~1api~1v1~1posts/get/{key}"), json!(value));
            assert!(said[0].contains("src/resources/posts/api.rs:") && said[0].contains(", list_posts"), "{}", said[0]);
        }
    }

    #[test]
    fn a_type_is_found_where_the_wire_types_are() {
        let said = after("/components/schemas/Post/properties/title/description", json!("The title"));
        assert!(said[0].contains("src/resources/posts/model.rs:"), "{}", said[0]);
        assert!(declares("    pub struct Post<T> {", "Post") && !declares("pub struct PostUpdate {", "Post"));
    }

    #[test]
    fn the_list_of_routes_is_compared_both_ways() {
        let found = lines("openapi/operations.txt", "a GET /a\nb GET /b\n", "a GET /a\nc GET /c\n");
        assert_eq!(
            found,
            [
                "openapi/operations.txt: `b GET /b`, but the router has no such route: `cargo xtask spec write`",
                "openapi/operations.txt: lacks `c GET /c`, which the router serves: `cargo xtask spec write`",
            ]
        );
        assert!(lines("operations.txt", "b\na\n", "a\nb\n")[0].contains("canonical"));
    }
}
