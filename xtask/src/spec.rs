//! Holds `openapi/` to the code: the document by meaning, place by place, and the list of routes line by line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use ::accord::server::document;
use anyhow::Context;
use serde_json::{Map, Value};

use crate::report::{Failed, Outcome, Report, Usage};
use crate::run;

pub const DOCUMENT: &str = "openapi/accord.yaml";
const OPERATIONS: &str = "openapi/operations.txt";

/// `cargo xtask spec check | write`
pub fn run(arguments: &[String]) -> Outcome {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(),
        ["write"] => write(),
        _ => Err(Usage("say `cargo xtask spec check` or `cargo xtask spec write`".into()).into()),
    }
}

/// The committed document.
pub fn committed() -> anyhow::Result<Value> {
    let text = read(DOCUMENT)?;
    document::from_yaml(&text).map_err(|error| {
        anyhow::anyhow!("{DOCUMENT} is no valid YAML: {error}\nrepair it, or run `cargo xtask spec write`")
    })
}

fn check() -> Outcome {
    let served = document::document();
    let (text, file) = (read(DOCUMENT)?, committed()?);
    let mut faults: Vec<String> = diff(&file, served).iter().map(ToString::to_string).collect();
    if faults.is_empty() && text != document::to_yaml(served) {
        faults.push(format!("{DOCUMENT}: means what the code serves, but is not in canonical form"));
    }
    faults.extend(lines(&read(OPERATIONS)?, &document::operations()));
    let operations = operations(served).len();
    if faults.is_empty() {
        let note = format!("{operations} operations: document and list of routes are what the code serves");
        return Ok(Report::passed(2, note));
    }
    let count = faults.len();
    faults.push(
        "change the code, or run `cargo xtask spec write` and read the diff: it is the change of the contract".into(),
    );
    Err(Failed::new(0, count, faults.join("\n")).into())
}

fn write() -> Outcome {
    let mut written = vec![];
    let texts = [(DOCUMENT, document::to_yaml(document::document())), (OPERATIONS, document::operations())];
    for (name, text) in texts {
        let path = path(name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
            std::fs::write(&path, text)?;
            written.push(name);
        }
    }
    let note = if written.is_empty() { "nothing to write".into() } else { format!("wrote {}", written.join(", ")) };
    Ok(Report::passed(0, note))
}

fn path(name: &str) -> PathBuf {
    run::root().join(name)
}

fn read(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path(name))
        .with_context(|| format!("cannot read {name}: `cargo xtask spec write` makes it"))
}

/// The methods a path item may have, in the order people expect.
pub const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Every operation: path, method, itself.
pub fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| Some((path.as_str(), *method, item.get(method)?)))
        })
        .collect()
}

/// Lines that only the file or only the router has.
fn lines(file: &str, router: &str) -> Vec<String> {
    let set = |text: &'_ str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (in_file, in_router) = (set(file), set(router));
    let mut faults: Vec<String> = in_file
        .difference(&in_router)
        .map(|line| format!("{OPERATIONS}: `{line}`, but the router has no such route"))
        .collect();
    let unlisted = in_router.difference(&in_file);
    faults.extend(unlisted.map(|line| format!("{OPERATIONS}: lacks `{line}`, which the router serves")));
    if faults.is_empty() && file != router {
        faults.push(format!("{OPERATIONS}: the right lines, but not in canonical form"));
    }
    faults
}

/// One place where two documents do not mean the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    place: Vec<String>,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    OnlyInFile,
    OnlyInCode,
    Changed(Value, Value),
    Lists { file: Vec<Value>, code: Vec<Value> },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", place(&self.place))?;
        let list = |values: &[Value]| values.iter().map(|value| short(value, 0)).collect::<Vec<_>>().join(", ");
        match &self.what {
            What::OnlyInFile => write!(f, "in {DOCUMENT}, but the code does not declare it"),
            What::OnlyInCode => write!(f, "the code declares it, but {DOCUMENT} does not"),
            What::Changed(file, code) => {
                let from = first_difference(file, code);
                write!(f, "{DOCUMENT} says {}, the code serves {}", short(file, from), short(code, from))
            }
            What::Lists { file, code } if code.is_empty() => write!(f, "only {DOCUMENT} lists {}", list(file)),
            What::Lists { file, code } if file.is_empty() => write!(f, "only the code lists {}", list(code)),
            What::Lists { file, code } => {
                write!(f, "only {DOCUMENT} lists {}, only the code {}", list(file), list(code))
            }
        }
    }
}

/// `DELETE /api/v1/posts/{id} › responses › 404`, `components.schemas.Post › title › maxLength`.
fn place(steps: &[String]) -> String {
    let (head, rest) = match steps {
        [paths, path, method, rest @ ..] if paths == "paths" && METHODS.contains(&method.as_str()) => {
            (format!("{} {path}", method.to_uppercase()), rest)
        }
        [paths, path, rest @ ..] if paths == "paths" => (path.clone(), rest),
        [components, kind, name, rest @ ..] if components == "components" => {
            (format!("components.{kind}.{name}"), rest)
        }
        [first, rest @ ..] => (first.clone(), rest),
        [] => ("the document".into(), &[][..]),
    };
    let rest = rest.iter().map(|step| format!(" › {step}"));
    format!("{head}{}", rest.collect::<String>())
}

/// How long a quoted text may be.
const QUOTED: usize = 60;

/// A value for a sentence; of a long one the part from where it begins to differ.
fn short(value: &Value, from: usize) -> String {
    let text = value.to_string();
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= QUOTED {
        return text;
    }
    let start = from.saturating_sub(20).min(characters.len() - QUOTED);
    let end = (start + QUOTED).min(characters.len());
    let dots = |wanted: bool| if wanted { "…" } else { "" };
    let part: String = characters[start..end].iter().collect();
    format!("{}{part}{}", dots(start > 0), dots(end < characters.len()))
}

fn first_difference(one: &Value, two: &Value) -> usize {
    let (one, two) = (one.to_string(), two.to_string());
    one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count()
}

/// How the entries of a map are to be read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// Keys are words of OpenAPI.
    Words,
    /// Keys are names somebody chose: a property called `required` is no keyword.
    Names,
    /// Data: examples and defaults, compared as they stand.
    Data,
}

/// Every place where the file and the code differ by meaning: the order of keys, of parameters and of lists that are
/// sets does not count.
pub fn diff(file: &Value, code: &Value) -> Vec<Difference> {
    let mut differences = vec![];
    compare(&mut vec![], Reading::Words, "", file, code, &mut differences);
    differences
}

fn compare(
    place: &mut Vec<String>,
    reading: Reading,
    key: &str,
    file: &Value,
    code: &Value,
    into: &mut Vec<Difference>,
) {
    match (file, code) {
        (Value::Object(file), Value::Object(code)) => compare_maps(place, reading, file, code, into),
        (Value::Array(file), Value::Array(code)) => compare_lists(place, reading, key, file, code, into),
        _ if same(file, code) => {}
        _ => into.push(Difference { place: place.clone(), what: What::Changed(file.clone(), code.clone()) }),
    }
}

fn compare_maps(
    place: &mut Vec<String>,
    reading: Reading,
    file: &Map<String, Value>,
    code: &Map<String, Value>,
    into: &mut Vec<Difference>,
) {
    let added = code.keys().filter(|key| !file.contains_key(*key));
    for key in file.keys().chain(added) {
        let (inner, named) = inside(reading, key);
        // `properties` adds nothing to a place
        if !(named && key == "properties") {
            place.push(key.clone());
        }
        match (file.get(key), code.get(key)) {
            (Some(file), Some(code)) => compare(place, inner, key, file, code, into),
            (Some(_), None) => into.push(Difference { place: place.clone(), what: What::OnlyInFile }),
            _ => into.push(Difference { place: place.clone(), what: What::OnlyInCode }),
        }
        if !(named && key == "properties") {
            place.pop();
        }
    }
}

/// How to read what stands under a key, and whether that is a map of names.
fn inside(reading: Reading, key: &str) -> (Reading, bool) {
    const NAMED: [&str; 16] = [
        "properties",
        "paths",
        "responses",
        "headers",
        "schemas",
        "parameters",
        "examples",
        "requestBodies",
        "links",
        "callbacks",
        "securitySchemes",
        "content",
        "scopes",
        "variables",
        "encoding",
        "mapping",
    ];
    match reading {
        Reading::Data => (Reading::Data, false),
        Reading::Names => (Reading::Words, false),
        Reading::Words if ["example", "default", "value"].contains(&key) => (Reading::Data, false),
        Reading::Words if NAMED.contains(&key) => (Reading::Names, true),
        Reading::Words => (Reading::Words, false),
    }
}

fn compare_lists(
    place: &mut Vec<String>,
    reading: Reading,
    key: &str,
    file: &[Value],
    code: &[Value],
    into: &mut Vec<Difference>,
) {
    let identity: Option<fn(&Value) -> Option<String>> = match key {
        _ if reading == Reading::Data => None,
        "parameters" => Some(|parameter| {
            let reference = || Some(parameter["$ref"].as_str()?.to_owned());
            let named = || Some(format!("{} {}", parameter["in"].as_str()?, parameter["name"].as_str()?));
            named().or_else(reference)
        }),
        "tags" => Some(|tag| Some(tag["name"].as_str()?.to_owned())),
        _ => None,
    };
    let keyed = |list: &[Value]| -> Option<Map<String, Value>> {
        let identity = identity?;
        let map: Map<_, _> = list.iter().map(|entry| Some((identity(entry)?, entry.clone()))).collect::<Option<_>>()?;
        (map.len() == list.len()).then_some(map)
    };
    if let (Some(file), Some(code)) = (keyed(file), keyed(code)) {
        return compare_maps(place, Reading::Names, &file, &code, into);
    }
    if reading != Reading::Data && ["required", "enum", "tags", "security"].contains(&key) {
        let only = |one: &[Value], other: &[Value]| -> Vec<Value> {
            one.iter().filter(|a| !other.iter().any(|b| same(a, b))).cloned().collect()
        };
        let what = What::Lists { file: only(file, code), code: only(code, file) };
        if what != (What::Lists { file: vec![], code: vec![] }) {
            into.push(Difference { place: place.clone(), what });
        }
        return;
    }
    if file.len() != code.len() {
        let (file, code) = (Value::from(file), Value::from(code));
        into.push(Difference { place: place.clone(), what: What::Changed(file, code) });
        return;
    }
    let inner = if reading == Reading::Data { Reading::Data } else { Reading::Words };
    for (index, (file, code)) in file.iter().zip(code).enumerate() {
        place.push((index + 1).to_string());
        compare(place, inner, "", file, code, into);
        place.pop();
    }
}

/// Equal as JSON means it: `100` is `100.0`.
fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one == two || one.as_f64() == two.as_f64(),
        _ => one == two,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "tags": [{"name": "Posts", "description": "What people write."}, {"name": "Votes"}],
            "paths": {"/api/v1/posts/{id}": {"delete": {
                "operationId": "delete_post",
                "description": "Deletes a post.",
                "parameters": [
                    {"in": "path", "name": "id", "schema": {"type": "integer", "minimum": 1}},
                    {"in": "header", "name": "If-Match", "schema": {"type": "string"}},
                ],
                "responses": {"204": {"description": "Gone."}, "404": {"$ref": "#/components/responses/NotFound"}},
            }}},
            "components": {"schemas": {"PostCreate": {
                "type": "object",
                "required": ["title", "content"],
                "properties": {
                    "title": {"type": "string", "maxLength": 200},
                    "content": {"type": "string"},
                    "required": {"type": "boolean", "example": true},
                },
                "example": {"title": "a", "tags": ["x", "y"]},
            }}},
        })
    }

    /// The sentences for a change of the code.
    fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut code = sample();
        change(&mut code);
        diff(&sample(), &code).iter().map(ToString::to_string).collect()
    }

    fn delete(document: &mut Value) -> &mut Value {
        &mut document["paths"]["/api/v1/posts/{id}"]["delete"]
    }

    #[test]
    fn a_removed_status_is_named() {
        let found = after(|code| drop(delete(code)["responses"].as_object_mut().expect("a map").remove("404")));
        assert_eq!(
            found,
            ["DELETE /api/v1/posts/{id} › responses › 404: in openapi/accord.yaml, but the code does not declare it"]
        );
    }

    #[test]
    fn an_added_status_is_named() {
        let found = after(|code| delete(code)["responses"]["418"] = json!({"description": "A teapot."}));
        assert_eq!(
            found,
            ["DELETE /api/v1/posts/{id} › responses › 418: the code declares it, but openapi/accord.yaml does not"]
        );
    }

    #[test]
    fn a_renamed_field_is_named_under_both_names() {
        let found = after(|code| {
            let schema = &mut code["components"]["schemas"]["PostCreate"];
            let title = schema["properties"].as_object_mut().expect("a map").remove("title").expect("it is there");
            schema["properties"]["headline"] = title;
            schema["required"] = json!(["headline", "content"]);
        });
        assert_eq!(
            found,
            [
                r#"components.schemas.PostCreate › required: only openapi/accord.yaml lists "title", only the code "headline""#,
                "components.schemas.PostCreate › title: in openapi/accord.yaml, but the code does not declare it",
                "components.schemas.PostCreate › headline: the code declares it, but openapi/accord.yaml does not",
            ]
        );
    }

    #[test]
    fn a_dropped_and_a_changed_bound_are_named() {
        let title =
            |code: &mut Value, to: Value| code["components"]["schemas"]["PostCreate"]["properties"]["title"] = to;
        let found = after(|code| title(code, json!({"type": "string"})));
        let place = "components.schemas.PostCreate › title › maxLength";
        assert_eq!(found, [format!("{place}: in openapi/accord.yaml, but the code does not declare it")]);
        let found = after(|code| title(code, json!({"type": "string", "maxLength": 100})));
        assert_eq!(found, [format!("{place}: openapi/accord.yaml says 200, the code serves 100")]);
    }

    #[test]
    fn a_changed_description_is_quoted_where_it_differs() {
        let found = after(|code| delete(code)["description"] = json!("Deletes the post."));
        let place = "DELETE /api/v1/posts/{id} › description";
        let says = r#"openapi/accord.yaml says "Deletes a post.", the code serves "Deletes the post.""#;
        assert_eq!(found, [format!("{place}: {says}")]);
        let long = |end: &str| Value::from(format!("{}{end}", "word ".repeat(50)));
        let quoted =
            Difference { place: vec!["info".into()], what: What::Changed(long("one"), long("two")) }.to_string();
        assert!(quoted.contains("one\"") && quoted.contains("two\"") && quoted.len() < 220, "{quoted}");
    }

    #[test]
    fn order_and_layout_mean_nothing() {
        let found = after(|code| {
            let parameters = delete(code)["parameters"].as_array_mut().expect("a list");
            parameters.reverse();
            parameters[1]["schema"] = json!({"minimum": 1.0, "type": "integer"});
            let schema = &mut code["components"]["schemas"]["PostCreate"];
            schema["required"] = json!(["content", "title"]);
            let mut reversed = Map::new();
            for (key, value) in schema.as_object().expect("a map").iter().rev() {
                reversed.insert(key.clone(), value.clone());
            }
            *schema = reversed.into();
            code["tags"].as_array_mut().expect("a list").reverse();
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_order_of_an_examples_list_is_data() {
        let found = after(|code| code["components"]["schemas"]["PostCreate"]["example"]["tags"] = json!(["y", "x"]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("components.schemas.PostCreate › example › tags › 1: "));
    }

    #[test]
    fn a_parameter_is_known_by_place_and_name() {
        let found = after(|code| drop(delete(code)["parameters"].as_array_mut().expect("a list").remove(1)));
        let place = "DELETE /api/v1/posts/{id} › parameters › header If-Match";
        assert_eq!(found, [format!("{place}: in openapi/accord.yaml, but the code does not declare it")]);
    }

    #[test]
    fn the_list_of_routes_is_compared_both_ways() {
        let found = lines("a GET /a\nb GET /b\n", "a GET /a\nc GET /c\n");
        assert_eq!(
            found,
            [
                "openapi/operations.txt: `b GET /b`, but the router has no such route",
                "openapi/operations.txt: lacks `c GET /c`, which the router serves",
            ]
        );
        assert!(lines("b\na\n", "a\nb\n")[0].contains("canonical"));
    }
}
